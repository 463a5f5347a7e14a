// Two gateways on one machine, and a gateway without its first process, as an operator sees them.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { GatewayProcess, type LogLine } from '../support/gateway-process.ts';
import { runProgram } from '../support/program.ts';
import { waitFor } from '../support/wait.ts';

const PROCESSES = 2;

describe('a second gateway', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-second-'));
  const env = { KAFKA_BROKERS: '', TCP_PROCESSES: String(PROCESSES) };
  let first: GatewayProcess;

  before(async () => {
    first = await GatewayProcess.reserve(directory, env);
    await first.start();
  });
  after(async () => {
    await first.close();
    rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
  });

  /** Starts one more in the same directory, and returns its end. */
  async function second(
    own: Readonly<Record<string, string>>,
  ): Promise<{ code: number | null; last: LogLine }> {
    const ports = { TCP_HOST: '127.0.0.1', TCP_PORT: String(first.port), HTTP_PORT: String(first.httpPort) };
    const options = { env: { ...env, ...ports, ...own }, cwd: directory };
    const { code, out } = await runProgram('src/main.js', [], options);
    const lines = out.trim().split('\n');
    return { code, last: JSON.parse(lines.at(-1) ?? '') as LogLine };
  }

  it('finds the first process in each lock, behind the process that holds it', () => {
    for (const [index, pid] of first.children.entries()) {
      const part = index === 0 ? '' : `process-${index}`;
      const lock = readFileSync(join(directory, 'data/spool', part, 'lock'), 'utf8');
      const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0];
      assert.equal(lock, `${pid} ${first.pid} ${hostname()} ${namespace}\n`);
    }
  });

  it('in the same directory is refused at once, with the pid to stop and not with a port', async () => {
    const beganMs = performance.now();
    const { code, last } = await second({});
    assert.equal(code, 78);
    assert.equal(
      last.msg,
      `cannot start: SPOOL_DIR=${directory}/data/spool is in use by another gateway or \`sluice\` command, pid ${first.pid}. Stop that one (kill ${first.pid}), or give each gateway its own SPOOL_DIR`,
    );
    // It does not wait for a gateway that serves.
    assert.ok(performance.now() - beganMs < 8000);
  });

  it('with a spool of its own is told which setting’s port is in use', async () => {
    const { code, last } = await second({ SPOOL_DIR: 'second', HTTP_PORT: '' });
    assert.equal(code, 1);
    assert.ok(
      last.msg.includes(`TCP_PORT=${first.port}: the port is in use by pid ${first.pid} (node main.js)`),
    );
    const admin = await second({ SPOOL_DIR: 'second', TCP_PORT: '0' });
    assert.equal(admin.code, 1);
    assert.ok(
      admin.last.msg.includes(`HTTP_PORT=${first.httpPort}: the port is in use by pid ${first.pid} `),
    );
  });

  it('takes over from one whose first process was killed, as soon as its processes have stopped', async () => {
    const { pid } = first;
    const logged = first.log.length;
    // A stopped process cannot end before the next start looks at its lock.
    const [holder = 0] = first.children;
    process.kill(holder, 'SIGSTOP');
    await first.kill();
    const waits = () => first.log.slice(logged).find(({ event }) => event === 'spool_lock_waited');
    const started = first.start();
    await waitFor('the next start waits', () => waits() !== undefined);
    const why = `pid ${holder}, a server process that is still stopping, because its first process ${pid} is gone`;
    assert.ok(waits()?.msg.includes(why), waits()?.msg);
    process.kill(holder, 'SIGCONT');
    await started;
    const lines = (event: string) => first.log.slice(logged).filter((line) => line.event === event);
    const [gone, ...more] = lines('parent_gone');
    assert.deepEqual(more, []);
    assert.equal(gone?.level, 'warn');
    assert.match(
      gone?.msg ?? '',
      new RegExp(`^The first process \\(pid ${pid}\\) has ended without stopping`),
    );
    assert.equal(lines('stopped').length, PROCESSES);
  });
});
