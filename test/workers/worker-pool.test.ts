import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Congestion } from '../../src/queue/congestion.ts';
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
  const congestion = new Congestion();
  const queue = new JobQueue({ capacity: 100_000, capacityBytes: 1e9, budget, congestion });
  const sink = new ControlledSink();
  const pool = new WorkerPool(queue, sink, { count: 4, awaitConfirmation: false, budget, ...options });
  return { queue, congestion, sink, pool };
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

/** 64 workers on a clock that only keepalives move, by as much as their session says. */
function startWithClock() {
  let nowMs = 0;
  const budget = new TurnBudget(() => nowMs);
  const queue = new JobQueue({ capacity: 2000, capacityBytes: 1e9, budget });
  const pool = new WorkerPool(queue, new ControlledSink(), { count: 64, awaitConfirmation: false, budget });
  class CostlySession extends NotingSession {
    readonly #lineMs: number;

    constructor(lineMs: number) {
      super();
      this.#lineMs = lineMs;
    }

    override alive(): void {
      super.alive();
      nowMs += this.#lineMs;
    }

    offer(lines = 1): void {
      // As long as a line that costs so much.
      const line = '{"type":"keepalive"}'.padEnd(this.#lineMs * 10_000);
      while (lines-- > 0 && queue.offer(this.job(line)));
    }
  }
  return { queue, pool, CostlySession };
}

it('spends one budget of time a turn, however many workers there are', async () => {
  const LINE_MS = 0.5;
  const { queue, pool, CostlySession } = startWithClock();
  const sessions = Array.from({ length: 10 }, () => new CostlySession(LINE_MS));
  pool.start();
  for (const session of sessions) session.offer(50);
  // The jobs came in a turn before which nothing was handled, so that turn may have twice as much.
  let most = (2 * TURN_BUDGET_MS) / LINE_MS + 2;
  for (let before = 0, handled = 0; handled < 500; before = handled) {
    await nextTurn();
    handled = sessions.reduce((sum, { alives }) => sum + alives, 0);
    assert.ok(handled - before <= most, `${handled - before} lines in one turn`);
    most = TURN_BUDGET_MS / LINE_MS + 1;
  }
  queue.close();
  await pool.finished();
});

it('answers a quiet device in the next turn or the one after, whatever thirty others send', async () => {
  for (const { lineMs, lines } of [
    { lineMs: 3, lines: 1000 },
    { lineMs: 0.005, lines: 1000 },
    { lineMs: 3, lines: 1 },
  ]) {
    const { queue, pool, CostlySession } = startWithClock();
    const noisy = Array.from({ length: 30 }, () => new CostlySession(lineMs));
    const quiet = new CostlySession(0.002);
    pool.start();
    let [offered, offeredAt] = [0, 0];
    for (let turn = 0; turn < 400; turn++) {
      for (const session of noisy) if ((session.lane?.jobs ?? 0) < lines / 2) session.offer(lines);
      // Nobody knows yet what the lines of a new device cost, so each has one handled first.
      if (turn >= 30 && quiet.alives === offered) {
        quiet.offer();
        offered++;
        offeredAt = turn;
      }
      assert.ok(offered === 0 || turn - offeredAt <= 2, `${turn - offeredAt} turns without an answer`);
      await nextTurn();
    }
    assert.ok(offered > 120, `${offered} answers`);
    queue.close();
    await pool.finished();
  }
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

for (const awaitConfirmation of [false, true]) {
  it(`waits for lines of congested partitions before it finishes (awaitConfirmation ${awaitConfirmation})`, async () => {
    const { queue, congestion, sink, pool } = start({ awaitConfirmation });
    const [slow, other] = [new NotingSession(), new NotingSession()];
    slow.partition = 3;
    other.partition = 4;
    congestion.set(3, true);
    pool.start();
    for (let seq = 0; seq < 200; seq++)
      for (const session of [slow, other]) queue.offer(metrics(session, seq));
    queue.close();
    let finished = false;
    const done = pool.finished().then(() => {
      finished = true;
    });
    await waitFor('the lines of the other partition', () => other.accepted === 200);
    for (let turn = 0; turn < 5; turn++) await nextTurn();
    assert.deepEqual([slow.accepted, finished], [0, false]);
    congestion.set(3, false);
    await done;
    assert.deepEqual([slow.accepted, slow.refused.length, sink.appended.length], [200, 0, 400]);
  });
}
