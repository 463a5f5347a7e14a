// Random histories of the queue against a simple model: one list of jobs for each session.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { Congestion } from '../../src/queue/congestion.ts';
import type { Job, Session } from '../../src/queue/job.ts';
import { JobQueue } from '../../src/queue/job-queue.ts';
import { chargeExtra, Lanes, laneOf, MAX_SAVED_NS, QUANTUM_NS, quickLineNs } from '../../src/queue/lanes.ts';
import { TurnBudget } from '../../src/queue/turn-budget.ts';
import { NotingSession } from '../support/session.ts';

const SESSIONS = 6;
const PARTITIONS = 2;
const CAPACITY = 20;
const CAPACITY_BYTES = 10_000;
const SHORT_BYTES = 4096;

const session = fc.nat(SESSIONS - 1);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('offer'), session, bytes: fc.nat(6000) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('offer'), session, bytes: fc.nat(60) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('take'), session, bytes: fc.nat(100_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget'), session, bytes: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('congestion'), session, bytes: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('turn'), session, bytes: fc.constant(0) }) },
);

function jobOf(from: Session, bytes: number): Job {
  return { session: from, bytes: new Uint8Array(0), start: 0, end: bytes, receivedAtMs: 0, next: undefined };
}

it('whatever happens, jobs are taken once, in the order of their session, and all limits hold', async () => {
  const steps = fc.array(step, { minLength: 20, maxLength: 300 });
  await fc.assert(
    fc.asyncProperty(steps, async (history) => {
      const budget = new TurnBudget(() => 0);
      const congestion = new Congestion();
      const queue = new JobQueue({ capacity: CAPACITY, capacityBytes: CAPACITY_BYTES, budget, congestion });
      const model = Array.from({ length: SESSIONS }, (): Job[] => []);
      const sessions = model.map(() => new NotingSession());
      for (const [index, from] of sessions.entries()) from.partition = index % PARTITIONS;
      const places: Session[] = sessions;
      const awaited = sessions.map(() => 0);
      const check = () => {
        const waiting = model.flat();
        const { depth, bytes } = queue.stats;
        assert.equal(depth, waiting.length);
        assert.equal(
          bytes,
          waiting.reduce((sum, { end }) => sum + end, 0),
        );
        assert.ok(depth <= CAPACITY + SESSIONS);
        assert.ok(bytes <= CAPACITY_BYTES + 6000 + SESSIONS * SHORT_BYTES);
        for (const lane of model) assert.ok(lane.length <= Math.max(16, CAPACITY / 4));
      };
      const take = () => {
        const job = queue.take();
        const lane = model[job === undefined ? -1 : places.indexOf(job.session)];
        assert.equal(job, lane?.shift());
        if (job !== undefined) assert.ok(!congestion.holds(job));
        if (job === undefined) for (const [first] of model) assert.ok(!first || congestion.holds(first));
        // It must not keep later jobs in memory.
        else assert.equal(job.next, undefined);
        return job;
      };
      for (const { do: action, session: index, bytes } of history) {
        const [from, lane] = [sessions[index], model[index]];
        assert.ok(from && lane);
        if (action === 'offer') {
          const job = jobOf(from, bytes);
          if (queue.offer(job)) lane.push(job);
          else {
            assert.ok(lane.length > 0 || (bytes > SHORT_BYTES && queue.stats.bytes >= CAPACITY_BYTES));
            if (!from.lane?.waits) awaited[index] = from.rooms + 1;
            queue.awaitRoom(from);
          }
        } else if (action === 'take') {
          const job = take();
          if (job !== undefined) chargeExtra(job, bytes);
        } else if (action === 'forget') {
          if (from.lane?.waits) awaited[index] = from.rooms;
          queue.forget(from);
        } else if (action === 'congestion') congestion.set(from.partition, bytes === 1);
        else await nextTurn();
        check();
      }
      for (let partition = 0; partition < PARTITIONS; partition++) congestion.set(partition, false);
      while (take() !== undefined) check();
      assert.equal(queue.stats.depth, 0);
      for (let turns = 0; queue.waitingSources > 0 && turns < 5; turns++) await nextTurn();
      // Each call of awaitRoom() is answered once.
      assert.deepEqual(
        sessions.map(({ rooms }) => rooms),
        awaited,
      );
    }),
    { numRuns: 200 },
  );
});

it('lanes that always have jobs cost the same, but for one quantum and one line', () => {
  const costs = fc.array(fc.nat(3_000_000), { minLength: 2, maxLength: 8 });
  fc.assert(
    fc.property(costs, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (most, part) => {
      const lanes = new Lanes();
      const sessions: Session[] = most.map(() => new NotingSession());
      const spent = most.map(() => 0);
      const BYTES = 60_000;
      const maxCost = Math.max(...most) + quickLineNs(BYTES);
      const refill = (from: Session) => lanes.put(laneOf(from), jobOf(from, 0));
      for (const from of sessions) for (let i = 0; i < 3; i++) refill(from);
      for (let i = 0; i < 2000; i++) {
        const job = lanes.take();
        assert.ok(job);
        const index = sessions.indexOf(job.session);
        const from = sessions[index];
        const extra = Math.round((most[index] ?? 0) * (part.next().value ?? 0));
        const charged = Math.min(extra, 20_000);
        chargeExtra(job, extra);
        spent[index] = (spent[index] ?? 0) + quickLineNs(0) + charged;
        assert.ok(from);
        refill(from);
      }
      const apart = Math.max(...spent) - Math.min(...spent);
      assert.ok(apart <= 2 * QUANTUM_NS + maxCost, `${apart} ns apart`);
    }),
    { numRuns: 50 },
  );
});

it('a lane that spends its credit line by line gets no more than one that is always busy', () => {
  const lanes = new Lanes();
  const [greedy, stepwise] = [new NotingSession(), new NotingSession()];
  const taken = new Map([
    [greedy, 0],
    [stepwise, 0],
  ]);
  const put = (from: NotingSession) => lanes.put(laneOf(from), jobOf(from, 0));
  for (let i = 0; i < 100; i++) put(greedy);
  put(stepwise);
  for (let i = 0; i < 20_000; i++) {
    const job = lanes.take();
    assert.ok(job);
    const from = job.session as NotingSession;
    chargeExtra(job, 10_000);
    taken.set(from, (taken.get(from) ?? 0) + 1);
    put(from);
  }
  const [most = 0, least = 0] = [...taken.values()];
  assert.ok(Math.abs(most - least) <= 10, `${most} and ${least}`);
});

it('the rounds that passed pay the debt of an idle lane, and it saves up no more than the limit', () => {
  const lanes = new Lanes();
  const [busy, idle] = [new NotingSession(), new NotingSession()];
  const put = (from: NotingSession) => lanes.put(laneOf(from), jobOf(from, 0));
  put(idle);
  const costly = lanes.take();
  assert.ok(costly);
  chargeExtra(costly, 10 * QUANTUM_NS);
  for (let i = 0; i < 10_000; i++) put(busy);
  for (let i = 0; i < 9000; i++) lanes.take();
  // Many rounds of a single lane have passed.
  put(idle);
  assert.equal(lanes.take()?.session, idle);
  assert.ok((idle.lane?.credit ?? 0) <= MAX_SAVED_NS);
});
