// Signals to the built program, from service managers, terminals and npm. Each gateway ends in order and leaves no process.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { childrenOf } from '../../scripts/lib/proc.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { waitFor } from '../support/wait.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const NODE = process.execPath;
const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const PATH = process.env.PATH ?? '';

interface Run {
  /** npm, `script`, or the gateway itself. */
  readonly child: ChildProcess;
  readonly out: () => string;
  /** Of the first process of the gateway. */
  readonly pid: number;
  readonly directory: string;
  /** Resolves when the gateway and its server processes are gone. */
  gone(): Promise<void>;
}

/** Runs a command that starts a gateway with two server processes, until it serves. */
async function run(
  t: TestContext,
  command: readonly [string, ...string[]],
  { cwd, env = {} }: { cwd?: string; env?: Readonly<Record<string, string>> } = {},
): Promise<Run> {
  const directory = temporaryDirectory(t);
  const [file, ...args] = command;
  const child = spawn(file, args, {
    cwd: cwd ?? directory,
    env: {
      PATH,
      HOME: directory,
      TCP_HOST: '127.0.0.1',
      TCP_PORT: '0',
      TCP_PROCESSES: '2',
      HTTP_PORT: '',
      KAFKA_BROKERS: '',
      LOG_FORMAT: 'json',
      SPOOL_DIR: join(directory, 'spool'),
      npm_config_update_notifier: 'false',
      ...env,
    },
    stdio: ['pipe', 'pipe', 'inherit'],
    // A group of its own, as from a shell with job control.
    detached: true,
  });
  let out = '';
  let pids: number[] = [];
  t.after(() => {
    for (const pid of [child.pid ?? 0, ...pids]) if (pid > 0 && isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  await waitFor('it serves', () => {
    if (child.exitCode !== null) throw new Error(`it ended: ${out}`);
    return out.includes('TCP server listening on');
  });
  const [line = ''] = out.split('\n').filter((text) => text.includes('TCP server listening on'));
  const pid = Number(/"pid":(\d+)/.exec(line)?.[1]);
  pids = [pid, ...childrenOf(pid)];
  assert.equal(pids.length, 3, out);
  const gone = async () => {
    await waitFor('no process is left', () => !pids.some(isAlive)).catch((error) => {
      throw new Error(`${error.message}\n${out}`);
    });
  };
  return { child, out: () => out, pid, directory, gone };
}

/** Zombies do not count: their parent has not asked for them yet. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

const npmStart = ['npm', 'start'] as const;
/** With a terminal of its own. */
const onTerminal = (command: string) => ['script', '-qefc', command, '/dev/null'] as const;
const ended = ({ child }: Run) => waitFor('the end of the command', () => child.exitCode ?? false);

async function assertOrderly({ out }: Run): Promise<void> {
  // The processes may have ended before all of it is read.
  await waitFor('the last line', () => /"msg":"stopped\b/.test(out()));
  assert.match(out(), /"msg":"stopping: no new connections/);
  assert.doesNotMatch(out(), /second signal|"level":"fatal"/);
}

test('SIGUSR1 and SIGUSR2 do nothing to any process, and SIGINT, SIGTERM and SIGHUP nothing to a server process', async (t) => {
  const gateway = await run(t, [NODE, MAIN]);
  const children = childrenOf(gateway.pid);
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const)
    for (const pid of [gateway.pid, ...children]) process.kill(pid, signal);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    for (const pid of children) process.kill(pid, signal);
  process.kill(gateway.pid, 'SIGHUP');
  await waitFor('SIGHUP is answered', () => gateway.out().includes('files are read again'));
  assert.deepEqual(childrenOf(gateway.pid), children);
  assert.doesNotMatch(gateway.out(), /stopping|Debugger/);
  process.kill(gateway.pid, 'SIGTERM');
  await gateway.gone();
  assert.equal(await ended(gateway), 0);
  await assertOrderly(gateway);
});

test('SIGHUP without a terminal takes LOG_LEVEL from .env, names what needs a restart, and warns of settings that are wrong', async (t) => {
  const cwd = temporaryDirectory(t);
  const dotenv = join(cwd, '.env');
  writeFileSync(dotenv, 'KAFKA_SASL_PASSWORD=\nSTATS_INTERVAL=1m\nTCP_PORT=9\n');
  const gateway = await run(t, [NODE, MAIN], { cwd });
  const reload = async (content: string, expected: RegExp) => {
    const from = gateway.out().length;
    writeFileSync(dotenv, content);
    process.kill(gateway.pid, 'SIGHUP');
    await waitFor(`${expected}`, () => expected.test(gateway.out().slice(from)));
    return gateway.out().slice(from);
  };
  // The environment has TCP_PORT too and wins, so it has not changed.
  const changed = await reload(
    'STATS_INTERVAL=2m\nTCP_PORT=10\nHTTP_TOKEN=geheim-geheim-geheim\n',
    /changed in \.env since the start/,
  );
  assert.match(changed, /"settings":\["HTTP_TOKEN","STATS_INTERVAL"\]/);
  assert.match(await reload('STATS_INTERVAL=soon\n', /the next start will fail/), /STATS_INTERVAL/);
  const louder = await reload(
    'STATS_INTERVAL=1m\nLOG_LEVEL=debug\n',
    /the log level is debug now, and was info/,
  );
  assert.doesNotMatch(louder, /after a restart/);
  process.kill(gateway.pid, 'SIGTERM');
  await gateway.gone();
  assert.doesNotMatch(gateway.out(), /geheim/);
  await assertOrderly(gateway);
});

test('a terminal that closes stops the gateway in order', async (t) => {
  // Only the shell hears of it: it passes the signal on, and lives to see the exit code.
  const shell = `${NODE} ${MAIN} & trap "kill -HUP $!" HUP; wait $!; wait $!; echo $? > status`;
  const gateway = await run(t, onTerminal(shell));
  gateway.child.kill('SIGKILL');
  await gateway.gone();
  const written = () => readFileSync(join(gateway.directory, 'status'), { encoding: 'utf8', flag: 'a+' });
  assert.equal(await waitFor('the exit code', () => written() || false), '0\n');
});

test('npm start: Ctrl-C on a terminal stops it in order, though npm passes the signal on as well', async (t) => {
  const gateway = await run(t, onTerminal('exec npm start'), { cwd: ROOT });
  gateway.child.stdin?.write('\x03');
  await gateway.gone();
  assert.equal(await ended(gateway), 0);
  await assertOrderly(gateway);
});

test('npm start: SIGTERM to npm alone stops it in order, and npm waits and exits 0', async (t) => {
  const gateway = await run(t, npmStart, { cwd: ROOT });
  gateway.child.kill('SIGTERM');
  assert.equal(await ended(gateway), 0);
  assert.equal(isAlive(gateway.pid), false, 'npm waited');
  await gateway.gone();
  await assertOrderly(gateway);
});

for (const shell of ['none', 'between'] as const) {
  test(`npm start: when npm is killed, the gateway says so and stops in order (shell: ${shell})`, async (t) => {
    // Other package managers keep the shell between, which outlives them.
    const script = `${NODE} scripts/run.mjs start; true`;
    const manager = `require('child_process').spawn('sh', ['-c', '${script}'], { stdio: 'inherit' })`;
    const command = [NODE, '-e', manager] as const;
    const env = { npm_lifecycle_event: 'start' };
    const gateway = await run(t, shell === 'none' ? npmStart : command, { cwd: ROOT, env });
    gateway.child.kill('SIGKILL');
    await gateway.gone();
    assert.match(gateway.out(), /npm, which started the gateway, is gone \(pid \d+\): stopping with it/);
    await assertOrderly(gateway);
  });
}

test('npx sluice: Ctrl-C on a terminal stops it in order', async (t) => {
  const gateway = await run(t, onTerminal('exec npx sluice'), { cwd: ROOT });
  gateway.child.stdin?.write('\x03');
  await gateway.gone();
  await assertOrderly(gateway);
});

test('npx sluice: SIGTERM to npx alone ends npx, and the gateway stops in order', async (t) => {
  const gateway = await run(t, ['npx', 'sluice'], { cwd: ROOT });
  gateway.child.kill('SIGTERM');
  await gateway.gone();
  await assertOrderly(gateway);
});

for (const shell of ['none', 'between'] as const) {
  test(`npx sluice: when npx ended before the gateway could look, it stops in order (shell: ${shell})`, async (t) => {
    const directory = temporaryDirectory(t);
    const started = shell === 'none' ? `${NODE} ${MAIN} &` : `sh -c '${NODE} ${MAIN}; true' &`;
    const child = spawn('sh', ['-c', started], {
      cwd: directory,
      env: { PATH, TCP_PORT: '0', HTTP_PORT: '', KAFKA_BROKERS: '', npm_lifecycle_script: 'sluice' },
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    const group = -(child.pid ?? 0);
    const isLeft = () => {
      try {
        return process.kill(group, 0);
      } catch {
        return false;
      }
    };
    t.after(() => isLeft() && process.kill(group, 'SIGKILL'));
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    await waitFor('the shell is gone', () => child.exitCode !== null);
    await waitFor('no process is left', () => !isLeft());
    await waitFor('its reason', () => out.includes('npm, which started the gateway, is gone'));
    assert.match(out, /stopped/);
  });
}

test('a gateway that another program below npx started outlives it', async (t) => {
  const env = { npm_lifecycle_event: 'npx', npm_lifecycle_script: 'sluice-manager --at /srv/sluice --all' };
  const gateway = await run(t, ['sh', '-c', `${NODE} ${MAIN} & wait`], { env });
  await outlives(gateway);
});

test('a gateway that npm did not start outlives the process that started it', async (t) => {
  await outlives(await run(t, ['sh', '-c', `${NODE} ${MAIN} & wait`]));
});

async function outlives(gateway: Run): Promise<void> {
  gateway.child.kill('SIGKILL');
  await waitFor('the shell is gone', () => gateway.child.signalCode !== null);
  // Twice as long as npm start would take to notice.
  const untilMs = performance.now() + 1200;
  await waitFor('a while', () => performance.now() > untilMs);
  assert.equal(isAlive(gateway.pid), true, gateway.out());
  assert.doesNotMatch(gateway.out(), /stopping/);
  process.kill(gateway.pid, 'SIGTERM');
  await gateway.gone();
  await assertOrderly(gateway);
}
