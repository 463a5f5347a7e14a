import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Job } from '../../src/queue/job.ts';
import { SerialSink } from '../../src/queue/serial-sink.ts';
import { TURN_BUDGET_MS, TurnBudget } from '../../src/queue/turn-budget.ts';
import { NotingSession } from '../support/session.ts';

function controlled() {
  const handling: { job: Job; finish: () => void }[] = [];
  const sink = new SerialSink((job) => new Promise((resolve) => handling.push({ job, finish: resolve })), {
    capacity: 10,
  });
  return { sink, handling };
}

it('handles one job of each connection at a time', () => {
  const { sink, handling } = controlled();
  const [one, other] = [new NotingSession(), new NotingSession()];
  assert.equal(sink.offer(one.job('abc')), true);
  assert.equal(sink.offer(one.job('d')), false);
  assert.equal(sink.offer(other.job('ef')), true);
  assert.equal(handling.length, 2);
  assert.deepEqual([sink.stats.depth, sink.stats.bytes, sink.stats.capacity], [2, 5, 10]);
});

it('tells a waiting connection when its job is done, and takes the next one', async () => {
  const { sink, handling } = controlled();
  const session = new NotingSession();
  sink.offer(session.job('a'));
  sink.awaitRoom(session);
  await nextTurn();
  assert.equal(session.rooms, 0);
  handling[0]?.finish();
  await nextTurn();
  assert.equal(session.rooms, 1);
  assert.equal(sink.offer(session.job('b')), true);
});

it('does not call a connection that it was told to forget, and calls one without a job at once', async () => {
  const { sink, handling } = controlled();
  const [gone, free] = [new NotingSession(), new NotingSession()];
  sink.offer(gone.job('a'));
  sink.awaitRoom(gone);
  sink.forget(gone);
  handling[0]?.finish();
  sink.awaitRoom(free);
  await nextTurn();
  assert.deepEqual([gone.rooms, free.rooms], [0, 1]);
});

it('is idle when it handles no job', async () => {
  const { sink, handling } = controlled();
  await sink.idle();
  let idle = false;
  sink.offer(new NotingSession().job('a'));
  sink.offer(new NotingSession().job('b'));
  void sink.idle().then(() => {
    idle = true;
  });
  handling[0]?.finish();
  await nextTurn();
  assert.equal(idle, false);
  handling[1]?.finish();
  await nextTurn();
  assert.equal(idle, true);
  assert.deepEqual([sink.stats.depth, sink.stats.bytes], [0, 0]);
});

it('handles no more jobs in a turn than there is time for, and the others in their order', async () => {
  let nowMs = 0;
  const budget = new TurnBudget(() => nowMs);
  const handled: string[] = [];
  const handle = ({ bytes, start, end }: Job) => {
    budget.begin();
    nowMs += TURN_BUDGET_MS / 2;
    budget.end();
    handled.push(Buffer.from(bytes.subarray(start, end)).toString());
    return Promise.resolve();
  };
  const sink = new SerialSink(handle, { capacity: 10, budget });
  for (const line of ['a', 'b', 'c', 'd', 'e']) sink.offer(new NotingSession().job(line));
  const seen = [handled.join('')];
  for (let turn = 0; turn < 3; turn++) {
    await nextTurn();
    seen.push(handled.join(''));
  }
  assert.deepEqual(seen, ['ab', 'abcd', 'abcde', 'abcde']);
  await sink.idle();
});
