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
const LONG_BYTES = 12_000;

const session = fc.nat(SESSIONS - 1);
const lines = fc.integer({ min: 1, max: 12 });
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('arrive'), session, lines, bytes: fc.nat(LONG_BYTES) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('arrive'), session, lines, bytes: fc.nat(60) }) },
  { weight: 30, arbitrary: fc.record({ do: fc.constant('take'), session, lines, bytes: fc.nat(100_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close'), session, lines, bytes: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('congestion'), session, lines, bytes: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('turn'), session, lines, bytes: fc.constant(0) }) },
);

function jobOf(from: Session, bytes: number): Job {
  return { session: from, bytes: new Uint8Array(0), start: 0, end: bytes, receivedAtMs: 0, next: undefined };
}

/** As a connection: offers its lines in their order, and waits for room with one that was turned away. */
class Sender extends NotingSession {
  readonly #queue: JobQueue;
  /** Lines in the queue, and those that are not there yet. */
  readonly queued: Job[] = [];
  readonly held: Job[] = [];
  waits = false;

  constructor(queue: JobQueue, partition: number) {
    super();
    this.#queue = queue;
    this.partition = partition;
    this.whenRoom = () => {
      assert.ok(this.waits, 'it is called only while it waits');
      this.waits = false;
      this.#offer();
    };
  }

  arrive(lines: number, bytes: number): void {
    for (let line = 0; line < lines; line++) this.held.push(jobOf(this, bytes));
    if (!this.waits) this.#offer();
  }

  close(): void {
    this.#queue.forget(this);
    this.waits = false;
    this.held.length = 0;
  }

  #offer(): void {
    for (let job = this.held[0]; job !== undefined; job = this.held[0]) {
      if (!this.#queue.offer(job)) {
        this.waits = true;
        this.#queue.awaitRoom(this);
        return;
      }
      this.held.shift();
      this.queued.push(job);
    }
  }
}

it('whatever happens, jobs are taken once, in the order of their session, and all limits hold', async () => {
  const steps = fc.array(step, { minLength: 20, maxLength: 300 });
  await fc.assert(
    fc.asyncProperty(steps, async (history) => {
      const budget = new TurnBudget(() => 0);
      const congestion = new Congestion();
      const queue = new JobQueue({ capacity: CAPACITY, capacityBytes: CAPACITY_BYTES, budget, congestion });
      const senders = Array.from({ length: SESSIONS }, (_, index) => new Sender(queue, index % PARTITIONS));
      const check = () => {
        const waiting = senders.flatMap(({ queued }) => queued);
        const { depth, bytes } = queue.stats;
        assert.equal(depth, waiting.length);
        assert.equal(
          bytes,
          waiting.reduce((sum, { end }) => sum + end, 0),
        );
        assert.ok(depth <= CAPACITY + SESSIONS, `${depth} jobs`);
        assert.ok(bytes <= CAPACITY_BYTES + LONG_BYTES + SESSIONS * SHORT_BYTES, `${bytes} bytes`);
        assert.equal(queue.waitingSources, senders.filter(({ waits }) => waits).length);
      };
      const take = () => {
        const job = queue.take();
        if (job !== undefined) {
          assert.equal(job, (job.session as Sender).queued.shift());
          assert.ok(!congestion.holds(job));
          // It must not keep later jobs in memory.
          assert.equal(job.next, undefined);
        } else {
          for (const { queued, held } of senders) {
            const [first = held[0]] = queued;
            assert.ok(first === undefined || congestion.holds(first), 'no line waits without a reason');
          }
        }
        return job;
      };
      for (const { do: action, session: index, lines: count, bytes } of history) {
        const sender = senders[index];
        assert.ok(sender);
        if (action === 'arrive') sender.arrive(count, bytes);
        else if (action === 'take') {
          const job = take();
          if (job !== undefined) chargeExtra(job, bytes);
        } else if (action === 'close') sender.close();
        else if (action === 'congestion') congestion.set(sender.partition, bytes === 1);
        else await nextTurn();
        check();
      }
      for (let partition = 0; partition < PARTITIONS; partition++) congestion.set(partition, false);
      while (take() !== undefined) check();
      assert.equal(queue.stats.depth, 0);
      assert.equal(queue.waitingSources, 0);
      for (const { held } of senders) assert.equal(held.length, 0);
    }),
    { numRuns: 300 },
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

/** A sender that has lines of this length without end, or gets some more now and then. */
class Flood extends NotingSession {
  readonly #queue: JobQueue;
  readonly #bytes: number;
  #left = 0;
  costNs = 0;
  /** Of each line, beside quickLineNs(). */
  extraNs = 0;
  /** Called when a line was taken and no other one is left. */
  whenIdle = (): void => {};

  constructor(queue: JobQueue, bytes: number, partition = -1) {
    super();
    this.#queue = queue;
    this.#bytes = bytes;
    this.partition = partition;
    this.whenRoom = () => this.#offer();
  }

  get isIdle(): boolean {
    return this.#left === 0;
  }

  send(lines = Number.POSITIVE_INFINITY): void {
    this.#left = lines;
    this.#offer();
  }

  #offer(): void {
    for (; this.#left > 0; this.#left--)
      if (!this.#queue.offer(jobOf(this, this.#bytes))) {
        this.#queue.awaitRoom(this);
        return;
      }
  }
}

/** Takes a job and charges its session. */
function takeFrom(queue: JobQueue): Session {
  const job = queue.take();
  assert.ok(job);
  const { session: from } = job;
  if (!(from instanceof Flood)) return from;
  from.costNs += quickLineNs(job.end) + from.extraNs;
  if (from.extraNs > 0) chargeExtra(job, from.extraNs);
  if (from.isIdle && from.lane?.jobs === 0) from.whenIdle();
  return from;
}

it('sessions that wait for room get the same share by cost, in a queue of any size', () => {
  for (const [capacity, floods] of [
    [10, 20],
    [2000, 20],
    [2000, 1000],
  ] as const) {
    const budget = new TurnBudget(() => 0);
    const queue = new JobQueue({ capacity, capacityBytes: 1e9, budget });
    const all = Array.from({ length: floods }, (_, index) => new Flood(queue, 20 + 100 * (index % 7)));
    for (const flood of all) flood.send();
    for (let i = 0; i < floods * 2000; i++) takeFrom(queue);
    const costs = all.map(({ costNs }) => costNs);
    const apart = Math.max(...costs) - Math.min(...costs);
    assert.ok(apart <= 2 * QUANTUM_NS, `${apart} ns apart, ${capacity}, ${floods}`);
  }
});

it('what a lane has saved does not count for lines that wait for room', () => {
  const queue = new JobQueue({ capacity: 1, capacityBytes: 1e9, budget: new TurnBudget(() => 0) });
  const floods = Array.from({ length: 10 }, () => new Flood(queue, 170));
  for (const flood of floods) flood.send();
  for (let i = 0; i < 20_000; i++) takeFrom(queue);
  const before = floods[0]?.costNs ?? 0;
  const late = new Flood(queue, 170);
  late.send();
  for (let i = 0; i < 20_000; i++) takeFrom(queue);
  const apart = late.costNs - ((floods[0]?.costNs ?? 0) - before);
  assert.ok(apart <= 3 * QUANTUM_NS && late.costNs > 10 * QUANTUM_NS, `${apart} ns more`);
});

it('a sender of five lines at a time gets the share of one that always has lines, in a queue of any size', () => {
  for (const [capacity, floods, extraNs] of [
    [1, 10, 0],
    [10, 10, 0],
    [2000, 100, 2000],
    [2000, 300, 5000],
    [2000, 1000, 5000],
  ] as const) {
    const queue = new JobQueue({ capacity, capacityBytes: 1e9, budget: new TurnBudget(() => 0) });
    const all = Array.from({ length: floods }, () => new Flood(queue, 40));
    for (const flood of all) {
      flood.extraNs = extraNs;
      flood.send();
    }
    const senders = Array.from({ length: 20 }, () => new Flood(queue, 40));
    for (const sender of senders) {
      sender.whenIdle = () => sender.send(5);
      sender.send(5);
    }
    for (let i = 0; i < 1000 * (floods + senders.length); i++) takeFrom(queue);
    const mean = (them: Flood[]) => them.reduce((sum, { costNs }) => sum + costNs, 0) / them.length;
    const share = mean(senders) / mean(all);
    assert.ok(share > 0.9 && share < 1.15, `${share} with ${capacity}, ${floods}, ${extraNs}`);
  }
});

it('floods of expensive lines leave room for all lines of others', () => {
  const queue = new JobQueue({ capacity: 2000, capacityBytes: 1e9, budget: new TurnBudget(() => 0) });
  const floods = Array.from({ length: 1000 }, () => new Flood(queue, 20));
  for (const flood of floods) {
    flood.extraNs = 2000;
    flood.send();
  }
  // The first jobs, which had room.
  for (let i = 0; i < 50_000; i++) takeFrom(queue);
  for (let i = 0; i < 50_000; i++) {
    takeFrom(queue);
    assert.ok(queue.stats.depth <= 1100, `${queue.stats.depth} jobs`);
  }
});

it('sessions that wait for a congested partition bring one line each', () => {
  for (const [capacity, floods, partitions] of [
    [10, 1000, 1],
    [2000, 1000, 2],
  ] as const) {
    const congestion = new Congestion();
    const budget = new TurnBudget(() => 0);
    const queue = new JobQueue({ capacity, capacityBytes: 1e9, budget, congestion });
    const all = Array.from({ length: floods }, (_, index) => new Flood(queue, 170, index % partitions));
    for (const flood of all) flood.send();
    for (let i = 0; i < 100_000; i++) takeFrom(queue);
    for (let partition = 0; partition < partitions; partition++) {
      congestion.set(partition, true);
      for (let i = 0; i < 20_000 && partition + 1 < partitions; i++) takeFrom(queue);
    }
    assert.equal(queue.take(), undefined);
    assert.ok(queue.stats.depth <= capacity + floods, `${queue.stats.depth} jobs`);
    const quiet = new NotingSession();
    for (let line = 0; line < 5; line++)
      assert.equal(queue.offer(jobOf(quiet, 170)), line === 0 || capacity > floods);
  }
});

for (const [what, lines, usual] of [
  ['always have lines', Number.POSITIVE_INFINITY, 1],
  ['are read again when their lines are taken, 50 a read', 50, 500],
] as const)
  it(`a line of a quiet device waits for few of those of 1,000 devices that ${what}`, () => {
    const capacity = 2000;
    const queue = new JobQueue({ capacity, capacityBytes: 1e9, budget: new TurnBudget(() => 0) });
    const quiet = new NotingSession();
    const floods: Flood[] = [];
    const waits: number[] = [];
    for (let turn = 0; turn < 1000; turn++) {
      // New ones come with all that a lane may save.
      if (turn < 500) floods.push(new Flood(queue, 170), new Flood(queue, 170));
      for (const flood of floods) if (flood.isIdle) flood.send(lines);
      let before = 0;
      if (turn % 10 === 9) {
        queue.offer(jobOf(quiet, 170));
        while (takeFrom(queue) !== quiet) before++;
        waits.push(before);
      }
      for (let i = before; i < 3000 && queue.stats.depth > 0; i++) takeFrom(queue);
    }
    assert.ok(Math.max(...waits) <= capacity + floods.length, `${waits.join(' ')}`);
    const later = waits.slice(50).sort((a, b) => a - b);
    assert.ok((later[45] ?? 0) <= usual, `${later.join(' ')}`);
  });
