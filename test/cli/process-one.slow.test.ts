// The program as process 1 of a PID namespace, as in a container: signals, exit codes, and no process that is left behind.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { childrenOf } from '../../scripts/lib/proc.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { AS_PROCESS_ONE, hasNamespaces, outerPidOf } from '../support/namespaces.ts';
import { waitFor } from '../support/wait.ts';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

interface Container {
  readonly unshare: ChildProcess;
  /** Of process 1, outside. */
  readonly pid: number;
  readonly directory: string;
  readonly out: () => string;
  /** The exit code of process 1. */
  readonly ended: Promise<number | null>;
}

/** Its process 1 is the program. Only the tests with a gateway wait until that serves. */
async function container(
  t: TestContext,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Container> {
  const directory = temporaryDirectory(t);
  const [file = '', ...options] = AS_PROCESS_ONE;
  const unshare = spawn(file, [...options, process.execPath, MAIN, ...args], {
    cwd: directory,
    env: {
      PATH: process.env.PATH ?? '',
      TCP_HOST: '127.0.0.1',
      TCP_PORT: '0',
      HTTP_PORT: '',
      KAFKA_BROKERS: '',
      LOG_FORMAT: 'json',
      SPOOL_DIR: join(directory, 'spool'),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => unshare.kill('SIGKILL'));
  let out = '';
  for (const stream of [unshare.stdout, unshare.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
  const ended = once(unshare, 'close').then(([code]) => code as number | null);
  return { unshare, pid: await outerPidOf(unshare.pid ?? 0), directory, out: () => out, ended };
}

async function gateway(t: TestContext, env: Readonly<Record<string, string>>): Promise<Container> {
  const one = await container(t, [], env);
  await waitFor('it serves', () => {
    if (one.unshare.exitCode !== null) throw new Error(`it ended: ${one.out()}`);
    return one.out().includes('TCP server listening on');
  });
  assert.match(one.out(), /"pid":1,/);
  return one;
}

/** The letter of proc(5), such as Z for a zombie. Undefined if it is gone. */
function stateOf(pid: number): string | undefined {
  try {
    return /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

/** The process may have ended a moment ago. */
function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {}
}

for (const processes of [1, 2]) {
  test(`a gateway of ${processes} server processes stops in order on SIGTERM, and leaves no process`, async (t) => {
    if (!hasNamespaces(t)) return;
    const one = await gateway(t, { TCP_PROCESSES: String(processes) });
    const children = childrenOf(one.pid);
    assert.equal(children.length, processes === 1 ? 0 : 2);
    process.kill(one.pid, 'SIGTERM');
    assert.equal(await one.ended, 0, one.out());
    assert.match(one.out(), /"msg":"stopped\b/);
    assert.doesNotMatch(one.out(), /"level":"(?:error|fatal)"/);
    assert.deepEqual(
      children.map(stateOf),
      children.map(() => undefined),
    );
  });
}

test('a server process that was killed is started again and is no zombie; SIGHUP reloads; a second SIGTERM ends at once', async (t) => {
  if (!hasNamespaces(t)) return;
  const one = await gateway(t, { TCP_PROCESSES: '2', SHUTDOWN_DRAIN: '60s' });
  const [victim = 0] = childrenOf(one.pid);
  process.kill(victim, 'SIGKILL');
  await waitFor('another process in its place', () => {
    const children = childrenOf(one.pid);
    return children.length === 2 && !children.includes(victim);
  });
  assert.equal(stateOf(victim), undefined);

  writeFileSync(join(one.directory, '.env'), 'STATS_INTERVAL=2m\n');
  process.kill(one.pid, 'SIGHUP');
  await waitFor('the reload', () => /"settings":\["STATS_INTERVAL"\]/.test(one.out()));

  process.kill(one.pid, 'SIGTERM');
  await waitFor('the drain', () => /"event":"drain/.test(one.out()));
  const children = childrenOf(one.pid);
  process.kill(one.pid, 'SIGTERM');
  assert.equal(await one.ended, 1, one.out());
  assert.match(one.out(), /"event":"second_signal_received"/);
  await waitFor('the server processes are gone', () => children.every((pid) => stateOf(pid) === undefined));
});

test('a signal before the gateway is up, and one to a command that does not listen to it, end the program', async (t) => {
  if (!hasNamespaces(t)) return;
  // A port that takes connections and never answers.
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => silent.close());
  const { port } = silent.address() as { port: number };
  const asked = once(silent, 'connection');
  const command = await container(t, ['stats', '--url', `127.0.0.1:${port}`]);
  await asked;
  process.kill(command.pid, 'SIGTERM');
  assert.equal(await command.ended, 143, command.out());

  const starting = await container(t, []);
  // Node's own start, before any of our code runs, drops signals. So they are sent until one is heard.
  const sending = setInterval(() => starting.unshare.exitCode ?? signal(starting.pid), 20);
  try {
    await starting.ended;
  } finally {
    clearInterval(sending);
  }
  assert.doesNotMatch(starting.out(), /"level":"(?:error|fatal)"/);
});
