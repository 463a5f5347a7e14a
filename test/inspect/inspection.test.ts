// Questions to the server processes, within one process. Those to real processes are in test/processes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gatewayAnswers } from '../../src/gateway/answers.ts';
import { Answering } from '../../src/inspect/answering.ts';
import { ConnectionInspector } from '../../src/inspect/connections/inspector.ts';
import { Inspection, ownRespondent } from '../../src/inspect/inspection.ts';
import { PendingAnswers } from '../../src/inspect/pending-answers.ts';
import { QUESTION_LIMITS } from '../../src/inspect/questions.ts';
import { inSlices } from '../../src/inspect/slices.ts';
import { Profiler } from '../../src/profile/profiler.ts';
import { LineTaps } from '../../src/tap/line-taps.ts';
import { RefusalSamples } from '../../src/tap/refusal-samples.ts';
import { recordedLog } from '../support/log.ts';

const inspector = new ConnectionInspector({ served: new Map(), arrivals: () => [], closed: () => [] });
const ANSWERS = gatewayAnswers({
  inspector,
  refusals: new RefusalSamples(),
  taps: new LineTaps(),
  profiler: new Profiler(),
});

function own(answers = ANSWERS) {
  const { log, lines } = recordedLog();
  return { inspection: new Inspection([ownRespondent(0, new Answering(answers, log))]), lines };
}

test('the only process answers itself', async () => {
  const { inspection } = own();
  const { answers, missing } = await inspection.ask('process', null);
  assert.deepEqual(missing, []);
  assert.deepEqual(
    answers.map(({ process: index, answer }) => [index, answer.pid]),
    [[0, process.pid]],
  );
});

test('only the process that is meant is asked', async () => {
  const asked: number[] = [];
  const respondent = (index: number) => ({
    index,
    ask: () => Promise.resolve(asked.push(index) === 0 ? null : '{}'),
  });
  const inspection = new Inspection([respondent(0), respondent(1)]);
  assert.deepEqual(inspection.processes, [0, 1]);
  assert.deepEqual(await inspection.ask('process', null, 1), {
    answers: [{ process: 1, answer: {} }],
    missing: [],
  });
  assert.deepEqual(await inspection.ask('process', null, 7), { answers: [], missing: [] });
  assert.deepEqual(asked, [1]);
});

for (const [what, answer] of [
  ['fails', () => Promise.reject(new Error('broken'))],
  ['throws', () => assert.fail('broken')],
  ['is too long', () => ({ pid: 'x'.repeat(QUESTION_LIMITS.maxAnswerBytes) }) as never],
] as const) {
  test(`a process whose answer ${what} is missing, and the log says why`, async () => {
    const { inspection, lines } = own({ ...ANSWERS, process: answer });
    assert.deepEqual(await inspection.ask('process', null), { answers: [], missing: [0] });
    assert.deepEqual(
      lines.map(({ event, question }) => [event, question]),
      [['question_failed', 'process']],
    );
  });
}

test('an answer after the time limit counts for nobody', async () => {
  const pending = new PendingAnswers(20);
  let first = -1;
  assert.equal(await pending.ask((request) => (first = request)), null);
  const second = pending.ask(() => {});
  pending.take(first, 'late');
  pending.take(99, 'of no question');
  assert.equal(await second, null);
});

test('a long list is read in slices, and other work has its turn between them', async () => {
  const items = new Set(Array.from({ length: 200_000 }, (_, n) => n));
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  let read = 0;
  await inSlices(items, (n) => {
    read++;
    // Work of some microseconds; and the list shrinks while it is read.
    JSON.stringify({ n, text: 'x'.repeat(200) });
    if (n % 2 === 0) items.delete(n + 1);
  });
  clearInterval(timer);
  assert.equal(read, 100_000);
  assert.ok(turns > 3, `${turns} turns`);
});
