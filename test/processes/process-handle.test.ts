// A server process as the first process sees it. The tests start real child processes that follow a script.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nothingToStop } from '../../src/gateway/stop-result.ts';
import { QUESTION_LIMITS } from '../../src/inspect/questions.ts';
import { ProcessHandle, ProcessStartError } from '../../src/processes/process-handle.ts';
import { testSettings } from '../support/gateway.ts';
import { testLog } from '../support/log.ts';
import { waitFor } from '../support/wait.ts';
import type { Script } from './scripted-process.ts';

interface Crash {
  readonly hasFigures: boolean;
  readonly served: boolean;
}

function handleOf(
  t: TestContext,
  script: Script,
): { handle: ProcessHandle; crashes: Crash[]; log: string[] } {
  const before = { program: process.argv[1], script: process.env.SCRIPT };
  // The handle starts the program in argv[1].
  process.argv[1] = fileURLToPath(new URL('./scripted-process.js', import.meta.url));
  process.env.SCRIPT = script;
  const crashes: Crash[] = [];
  const log: string[] = [];
  const handle = new ProcessHandle(
    {
      index: 1,
      settings: testSettings(),
      orphanedParts: () => [],
      maxSockets: Number.POSITIVE_INFINITY,
      listeners: () => [],
      logLevel: () => 'info',
      tls: () => null,
      tokens: () => null,
    },
    {
      log: testLog({ level: 'info' }, { write: (line: string) => log.push(line) }),
      events: {
        connection: () => {},
        crashed: (last, served) => crashes.push({ hasFigures: last !== undefined, served }),
      },
    },
  );
  t.after(() => {
    handle.kill();
    if (before.program !== undefined) process.argv[1] = before.program;
    if (before.script === undefined) delete process.env.SCRIPT;
    else process.env.SCRIPT = before.script;
  });
  return { handle, crashes, log };
}

test('the result of a stop is the report of the process', async (t) => {
  const { handle } = handleOf(t, 'leaves-5');
  await handle.start();
  assert.deepEqual(await handle.stop(10_000), { ...nothingToStop(), complete: false, unconfirmed: 5 });
});

for (const { script, timeoutMs, words } of [
  { script: 'deaf', timeoutMs: 200, words: /did not stop in time and was killed/ },
  { script: 'crash-at-stop', timeoutMs: 10_000, words: /ended before it had stopped/ },
] as const) {
  test(`without a report (${script}) the result is unknown, never 0`, async (t) => {
    const { handle, log } = handleOf(t, script);
    await handle.start();
    const left = { ...nothingToStop(), complete: false, unconfirmed: 'unknown' };
    assert.deepEqual(await handle.stop(timeoutMs), left);
    assert.match(log.at(-1) ?? '', words);
  });
}

test('a process that is not running when the gateway stops has nothing left', async (t) => {
  const { handle } = handleOf(t, 'deaf');
  assert.deepEqual(await handle.stop(10_000), nothingToStop());
});

test('a process that ends before it has started had nothing to lose', async (t) => {
  const { handle, log } = handleOf(t, 'starting');
  const start = handle.start().catch((error: Error) => error);
  // As from `systemctl stop` or a terminal, which signal the whole group.
  process.kill(handle.pid ?? 0, 'SIGTERM');
  assert.deepEqual(await handle.stop(10_000), nothingToStop());
  assert.ok((await start) instanceof Error);
  assert.deepEqual(log, []);
});

test('a process that does not answer is degraded after 5 missed polls, and killed after 37', async (t) => {
  const { handle, crashes, log } = handleOf(t, 'deaf');
  await handle.start();
  const poll = (times: number) => {
    for (let n = 0; n < times; n++) handle.poll();
  };
  poll(4);
  assert.ok(handle.late);
  assert.ok(!handle.degraded);
  poll(1);
  assert.ok(handle.degraded);
  assert.equal(await handle.figures(), undefined);
  poll(31);
  assert.deepEqual(log, []);
  poll(1);
  assert.match(log[0] ?? '', /has not answered for 10 s and is killed/);
  await waitFor('its end', () => crashes.length === 1);
  assert.ok(!handle.degraded);
});

test('a process that answers now and then is neither degraded nor killed', async (t) => {
  const { handle, log } = handleOf(t, 'answers');
  await handle.start();
  for (let round = 0; round < 10; round++) {
    for (let n = 0; n < 4; n++) handle.poll();
    assert.ok(!handle.degraded);
    assert.equal((await handle.figures())?.version, 'mine');
  }
  assert.deepEqual(log, []);
});

const QUESTION = { name: 'process', question: null } as const;

test('a question is answered, and one without an answer ends after 2 s with none', async (t) => {
  const { handle } = handleOf(t, 'answers');
  assert.equal(await handle.ask(QUESTION), null);
  await handle.start();
  const start = performance.now();
  const answers = await Promise.all([1, 2, 3, 4].map(() => handle.ask(QUESTION)));
  assert.deepEqual(answers, ['"process"', '"process"', null, '"process"']);
  const tookMs = performance.now() - start;
  assert.ok(tookMs > QUESTION_LIMITS.timeoutMs - 50 && tookMs < QUESTION_LIMITS.timeoutMs + 2_000);
});

test('a process that does not answer gets few questions, and none once it is degraded', async (t) => {
  const { handle } = handleOf(t, 'deaf');
  await handle.start();
  const waiting = Array.from({ length: QUESTION_LIMITS.maxWaiting }, () => handle.ask(QUESTION));
  const first = Promise.race(waiting).then(() => 'answered');
  assert.equal(await Promise.race([handle.ask(QUESTION), first]), null);
  for (let n = 0; n < 5; n++) handle.poll();
  assert.equal(await Promise.race([handle.ask(QUESTION), first]), null);
  handle.kill();
  // Its end ends the waits, before their limit.
  const start = performance.now();
  assert.deepEqual(new Set(await Promise.all(waiting)), new Set([null]));
  assert.ok(performance.now() - start < QUESTION_LIMITS.timeoutMs - 500);
});

test('a crash before the first figures is reported as one of a process that had served', async (t) => {
  const { handle, crashes } = handleOf(t, 'crash-unseen');
  await handle.start();
  await waitFor('its crash', () => crashes.length > 0);
  assert.deepEqual(crashes[0], { hasFigures: false, served: true });
});

test('a process that cannot start with its settings ends the start with their exit code', async (t) => {
  const { handle } = handleOf(t, 'refuses');
  await assert.rejects(
    handle.start(),
    (error) => error instanceof ProcessStartError && error.exitCode === 78 && error.code === 'REFUSED',
  );
});

/** Until the end of the test, or until the returned function is called, the system can make no process. */
function withoutNewProcesses(t: TestContext): () => void {
  const program = process.execPath;
  const restore = () => {
    process.execPath = program;
  };
  process.execPath = '/no/such/program';
  t.after(restore);
  return restore;
}

test('a process that cannot be made at the start is an error', async (t) => {
  const { handle } = handleOf(t, 'answers');
  withoutNewProcesses(t);
  await assert.rejects(handle.start(), ProcessStartError);
  assert.deepEqual(await handle.stop(10_000), nothingToStop());
});

test('a process that cannot be made after a crash is tried again, and does not hold up a stop', async (t) => {
  const { handle, crashes } = handleOf(t, 'crash-unseen');
  await handle.start();
  const restore = withoutNewProcesses(t);
  process.env.SCRIPT = 'answers';
  await waitFor('two failed starts', () => crashes.length === 3);
  restore();
  await waitFor('the next start', () => handle.ready);
  withoutNewProcesses(t);
  process.kill(handle.pid ?? 0, 'SIGKILL');
  await waitFor('one more', () => crashes.length >= 5);
  assert.deepEqual(await handle.stop(10_000), nothingToStop());
});
