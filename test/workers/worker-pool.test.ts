import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Session } from '../../src/queue/job.ts';
import { JobQueue } from '../../src/queue/job-queue.ts';
import { TURN_BUDGET_MS, TurnBudget } from '../../src/queue/turn-budget.ts';
import type { BatchTicket, Reading, RecordSink } from '../../src/workers/record-sink.ts';
import { WorkerPool } from '../../src/workers/worker-pool.ts';
import { NotingSession } from '../support/session.ts';
import { waitFor } from '../support/wait.ts';

/** Takes records while it has room, and confirms them when the test says so. */
class ControlledSink implements RecordSink {
  readonly maxReadingBytes = 1_000_000;
  readonly appended: { session: Session; seq: number }[] = [];
  roomLeft = Number.POSITIVE_INFINITY;
  closed = false;
  confirming = true;
  #waiters: (() => void)[] = [];
  #tickets: (() => void)[] = [];

  hasRoom(): boolean {
    return this.roomLeft > 0;
  }

  async room(): Promise<boolean> {
    if (!this.closed && !this.hasRoom()) await new Promise<void>((resolve) => this.#waiters.push(resolve));
    return !this.closed;
  }

  append(session: Session, { seq }: Reading): BatchTicket {
    this.roomLeft--;
    this.appended.push({ session, seq });
    return {
      settled: () =>
        this.confirming ? Promise.resolve() : new Promise((resolve) => this.#tickets.push(resolve)),
    };
  }

  giveRoom(records: number): void {
    this.roomLeft = records;
    for (const wake of this.#waiters.splice(0)) wake();
  }

  close(): void {
    this.closed = true;
    for (const wake of this.#waiters.splice(0)) wake();
  }

  confirm(): void {
    for (const settle of this.#tickets.splice(0)) settle();
  }
}

function start(options: { count?: number; awaitConfirmation?: boolean } = {}) {
  const budget = new TurnBudget();
  const queue = new JobQueue({ capacity: 100_000, capacityBytes: 1e9, budget });
  const sink = new ControlledSink();
  const pool = new WorkerPool(queue, sink, { count: 4, awaitConfirmation: false, budget, ...options });
  return { queue, sink, pool };
}

const metrics = (session: NotingSession, seq: number) =>
  session.job(`{"type":"metrics","seq":${seq},"data":{"a":1}}`);

for (const awaitConfirmation of [false, true]) {
  it(`handles every job once, each connection’s in order (awaitConfirmation ${awaitConfirmation})`, async () => {
    const { queue, sink, pool } = start({ count: 8, awaitConfirmation });
    const sessions = Array.from({ length: 20 }, () => new NotingSession());
    pool.start();
    assert.equal(pool.count, 8);
    for (let seq = 0; seq < 500; seq++) {
      for (const session of sessions) assert.ok(queue.offer(metrics(session, seq)));
      if (seq % 50 === 0) await nextTurn();
    }
    queue.close();
    await pool.finished();
    assert.equal(sink.appended.length, 20 * 500);
    // seq has to rise, so a line out of order would be refused.
    for (const session of sessions) {
      assert.deepEqual([session.accepted, session.finished, session.refused.length], [500, 500, 0]);
    }
  });
}

it('takes no job while there is no room for records, and goes on when there is', async () => {
  const { queue, sink, pool } = start();
  const session = new NotingSession();
  sink.roomLeft = 0;
  pool.start();
  for (let seq = 0; seq < 10; seq++) queue.offer(metrics(session, seq));
  await nextTurn();
  assert.deepEqual([sink.appended.length, queue.stats.depth], [0, 10]);
  sink.giveRoom(4);
  await waitFor('four records', () => sink.appended.length === 4);
  await nextTurn();
  assert.deepEqual([sink.appended.length, queue.stats.depth], [4, 6]);
  sink.giveRoom(100);
  queue.close();
  await pool.finished();
  assert.equal(session.accepted, 10);
});

it('with awaitConfirmation takes one slice for each worker until its records are confirmed', async () => {
  const { queue, sink, pool } = start({ count: 3, awaitConfirmation: true });
  const session = new NotingSession();
  sink.confirming = false;
  pool.start();
  for (let seq = 0; seq < 1000; seq++) queue.offer(metrics(session, seq));
  await waitFor('three slices', () => sink.appended.length === 3 * 64);
  await nextTurn();
  assert.equal(sink.appended.length, 3 * 64);
  sink.confirm();
  await waitFor('three more', () => sink.appended.length === 6 * 64);
  sink.confirming = true;
  sink.confirm();
  queue.close();
  await pool.finished();
  assert.equal(session.accepted, 1000);
});

it('spends one budget of time a turn, however many workers there are', async () => {
  const LINE_MS = 0.5;
  let nowMs = 0;
  const budget = new TurnBudget(() => nowMs);
  const queue = new JobQueue({ capacity: 100_000, capacityBytes: 1e9, budget });
  const pool = new WorkerPool(queue, new ControlledSink(), { count: 64, awaitConfirmation: false, budget });
  let handled = 0;
  class CostlySession extends NotingSession {
    override alive(): void {
      nowMs += LINE_MS;
      handled++;
    }
  }
  const sessions = Array.from({ length: 10 }, () => new CostlySession());
  pool.start();
  for (let i = 0; i < 50; i++)
    for (const session of sessions) assert.ok(queue.offer(session.job('{"type":"keepalive"}')));
  // The jobs came in a turn before which nothing was handled, so that turn may have twice as much.
  let most = (2 * TURN_BUDGET_MS) / LINE_MS + 2;
  for (let before = 0; handled < 500; before = handled) {
    await nextTurn();
    assert.ok(handled - before <= most, `${handled - before} lines in one turn`);
    most = TURN_BUDGET_MS / LINE_MS + 1;
  }
  queue.close();
  await pool.finished();
});

it('takes the lines that connections hold after the queue is closed, before it finishes', async () => {
  const budget = new TurnBudget();
  const queue = new JobQueue({ capacity: 2, capacityBytes: 1e9, budget });
  const sink = new ControlledSink();
  const pool = new WorkerPool(queue, sink, { count: 2, awaitConfirmation: false, budget });
  const session = new NotingSession();
  let seq = 0;
  const push = () => {
    while (seq < 50 && queue.offer(metrics(session, seq))) seq++;
    if (seq < 50) queue.awaitRoom(session);
  };
  session.whenRoom = push;
  push();
  pool.start();
  queue.close();
  await pool.finished();
  assert.equal(sink.appended.length, 50);
});

it('ends if the buffer for records is closed, although jobs are left', async () => {
  const { queue, sink, pool } = start();
  sink.roomLeft = 0;
  pool.start();
  queue.offer(metrics(new NotingSession(), 0));
  queue.close();
  sink.close();
  await pool.finished();
  assert.deepEqual([sink.appended.length, queue.stats.depth], [0, 1]);
});
