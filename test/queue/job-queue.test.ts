import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Job } from '../../src/queue/job.ts';
import { JobQueue } from '../../src/queue/job-queue.ts';
import { QUANTUM_NS, quickLineNs } from '../../src/queue/lanes.ts';
import { TURN_BUDGET_MS, TurnBudget } from '../../src/queue/turn-budget.ts';
import { NotingSession } from '../support/session.ts';
import { waitFor } from '../support/wait.ts';

const MANY = 1_000_000;

function queueOf(options: { capacity?: number; capacityBytes?: number }): JobQueue {
  return new JobQueue({ capacity: MANY, capacityBytes: MANY, ...options });
}

/** A source that offers lines until one is refused and then waits for room, as a connection does. */
class Source extends NotingSession {
  readonly #queue: JobQueue;
  readonly #name: string;
  #left: number;
  #next: Job;
  offered = 0;

  constructor(queue: JobQueue, name: string, lines: number) {
    super();
    this.#queue = queue;
    this.#name = name;
    this.#left = lines;
    this.#next = this.job(`${name} 0`);
    this.whenRoom = () => this.push();
  }

  push(): void {
    while (this.#left > 0) {
      if (!this.#queue.offer(this.#next)) {
        this.#queue.awaitRoom(this);
        return;
      }
      this.#left--;
      this.offered++;
      this.#next = this.job(`${this.#name} ${this.offered}`);
    }
  }
}

const text = ({ bytes, start, end }: Job) => Buffer.from(bytes.subarray(start, end)).toString();

function takeAll(queue: JobQueue): string[] {
  const taken: string[] = [];
  for (let job = queue.take(); job !== undefined; job = queue.take()) taken.push(text(job));
  return taken;
}

it('gives a lone session a fifth of its room, and counts jobs and bytes', () => {
  const queue = queueOf({ capacity: 100 });
  const session = new NotingSession();
  const lines = Array.from({ length: 20 }, (_, index) => 'x'.repeat(index));
  for (const line of lines) assert.equal(queue.offer(session.job(line)), true);
  assert.equal(queue.offer(session.job('y')), false);
  assert.deepEqual(queue.stats, { depth: 20, capacity: 100, bytes: 190, capacityBytes: MANY });
  assert.deepEqual(takeAll(queue), lines);
  assert.deepEqual([queue.stats.depth, queue.stats.bytes], [0, 0]);
});

it('gives a session 16 jobs of a small queue if they are free', () => {
  for (const [capacity, held] of [
    [10, 10],
    [40, 16],
  ] as const) {
    const source = new Source(queueOf({ capacity }), 's', 1000);
    source.push();
    assert.equal(source.offered, held);
  }
});

it('a session that waits brings its next lines when its lane has its turn and no job, as many as its credit pays for', () => {
  const queue = queueOf({ capacity: 100 });
  const source = new Source(queue, 's', 1000);
  source.push();
  for (let i = 0; i < 20; i++) queue.take();
  assert.deepEqual([queue.stats.depth, source.offered], [0, 20]);
  queue.take();
  const most = 2 * Math.ceil(QUANTUM_NS / quickLineNs('s 20'.length));
  assert.ok(source.offered > 30 && source.offered <= 20 + most, `${source.offered} offered`);
  for (let i = 21; i < 1000; i++) assert.equal(text(queue.take() as Job), `s ${i}`);
  assert.equal(queue.take(), undefined);
  assert.equal(queue.waitingSources, 0);
});

it('leaves room for others however many sessions send what they can', async () => {
  for (const sessions of [1, 3, 30]) {
    const queue = queueOf({ capacity: 2000 });
    for (let i = 0; i < sessions; i++) new Source(queue, `s${i}`, 100_000).push();
    for (let i = 0; i < 20_000; i++) {
      queue.take();
      if (i % 20 === 0) await nextTurn();
    }
    const free = 2000 - queue.stats.depth;
    assert.ok(free >= (0.9 * 4 * 2000) / (sessions + 4), `${free} free with ${sessions} sessions`);
  }
});

it('takes one job of each session beyond its capacity, and no second one', () => {
  const queue = queueOf({ capacity: 10 });
  const sessions = Array.from({ length: 25 }, () => new NotingSession());
  for (const session of sessions) assert.equal(queue.offer(session.job('x')), true);
  for (const session of sessions) assert.equal(queue.offer(session.job('y')), false);
  assert.equal(queue.stats.depth, 25);
});

it('with `drop` refuses what does not fit, with the seq of the line, and counts it', () => {
  let dropped = 0;
  const queue = new JobQueue({
    capacity: 1,
    capacityBytes: MANY,
    budget: new TurnBudget(() => 0),
    dropped: () => dropped++,
  });
  const session = new NotingSession();
  for (const line of ['a', '{"type":"metrics","seq":7,"data":"a=1"}', 'nonsense'])
    assert.equal(queue.offer(session.job(line)), true);
  assert.deepEqual(
    session.refused.map(({ code, seq }) => [code, seq]),
    [
      ['queue_full', 7],
      ['queue_full', undefined],
    ],
  );
  assert.deepEqual([dropped, session.finished, queue.stats.depth], [2, 2, 1]);
});

it('gives a lone session a fifth of its bytes', () => {
  const queue = queueOf({ capacityBytes: 50 });
  const session = new NotingSession();
  assert.deepEqual(
    ['aaaaa', 'bbb', 'ccc', 'cc', 'd'].map((line) => queue.offer(session.job(line))),
    [true, true, false, true, false],
  );
  assert.equal(queue.stats.bytes, 10);
  assert.ok(queue.offer(session.job('')), 'a line without bytes');
});

it('takes a long line of a session without jobs while bytes are left, and short ones always', () => {
  const queue = queueOf({ capacityBytes: 10_000 });
  const [first, second, third, fourth] = Array.from({ length: 4 }, () => new NotingSession()) as [
    NotingSession,
    NotingSession,
    NotingSession,
    NotingSession,
  ];
  assert.equal(queue.offer(first.job('x'.repeat(9000))), true);
  assert.equal(queue.offer(second.job('x'.repeat(9000))), true, 'the last one may be of any length');
  assert.equal(queue.offer(third.job('x'.repeat(5000))), false);
  assert.equal(queue.offer(fourth.job('x'.repeat(4096))), true);
  queue.awaitRoom(third);
  third.whenRoom = () => assert.equal(queue.offer(third.job('x'.repeat(5000))), true);
  for (const next of [first, second, fourth, third]) assert.equal(queue.take()?.session, next);
});

it('takes a long line in the first round although the floods of others keep the queue more than half full', async () => {
  const queue = queueOf({ capacityBytes: 100_000 });
  const floods = Array.from({ length: 30 }, () => new NotingSession());
  const flood = () => {
    for (const session of floods) while (queue.offer(session.job('x'.repeat(1000))));
  };
  flood();
  const longs = Array.from({ length: 3 }, () => new NotingSession());
  for (const session of longs)
    if (!queue.offer(session.job('y'.repeat(60_000)))) {
      session.whenRoom = () => queue.offer(session.job('y'.repeat(60_000)));
      queue.awaitRoom(session);
    }
  // The credit of 30 new lanes, which come first.
  const first = 30 * Math.ceil(QUANTUM_NS / quickLineNs(1000));
  for (let i = 0; i < first + longs.length; i++) {
    queue.take();
    flood();
    assert.ok(i < 100 || queue.stats.bytes > 50_000);
    if (i % 10 === 0) await nextTurn();
  }
  assert.deepEqual(
    longs.map(({ lane }) => lane?.waits),
    [false, false, false],
  );
});

it('gives out the jobs of a session in their order', () => {
  const queue = queueOf({ capacity: 100 });
  const session = new NotingSession();
  let given = 0;
  let taken = 0;
  for (let round = 0; round < 200; round++) {
    for (let i = 0; i < 1 + (round % 7); i++) if (queue.offer(session.job(String(given)))) given++;
    for (let i = 0; i < 1 + ((round * 3) % 7); i++) {
      const job = queue.take();
      if (job !== undefined) assert.equal(text(job), String(taken++));
    }
  }
  assert.ok(given > 500);
  assert.deepEqual(
    takeAll(queue),
    Array.from({ length: given - taken }, (_, index) => String(taken + index)),
  );
});

it('tells a waiting source once that there is room', async () => {
  const queue = queueOf({ capacity: 200 });
  const session = new NotingSession();
  for (let i = 0; i < 40; i++) queue.offer(session.job('x'));
  queue.awaitRoom(session);
  queue.awaitRoom(session);
  for (let i = 0; i < 40; i++) queue.take();
  await nextTurn();
  assert.deepEqual([session.rooms, queue.waitingSources], [0, 1]);
  assert.equal(queue.take(), undefined);
  assert.deepEqual([session.rooms, queue.waitingSources], [1, 0]);
});

it('wakes a taker for a source that asks for room and has no job', async () => {
  const queue = queueOf({ capacity: 1 });
  const session = new NotingSession();
  let woken = 0;
  void queue.available().then(() => woken++);
  queue.awaitRoom(session);
  await nextTurn();
  await nextTurn();
  assert.equal(woken, 1);
});

it('never calls a source that it was told to forget', async () => {
  for (const dropped of [undefined, () => {}]) {
    const queue = new JobQueue({ capacity: 1, capacityBytes: MANY, ...(dropped && { dropped }) });
    const [session, other] = [new NotingSession(), new NotingSession()];
    queue.awaitRoom(session);
    queue.awaitRoom(other);
    queue.forget(session);
    await nextTurn();
    assert.equal(queue.take(), undefined);
    assert.deepEqual([session.rooms, other.rooms, queue.waitingSources], [0, 1, 0]);
  }
});

it('takes jobs of a quiet source after a bounded cost of a noisy one', async () => {
  const queue = queueOf({ capacity: 1000 });
  const noisy = new Source(queue, 'noisy', 100_000);
  const quiet = new Source(queue, 'quiet', 3);
  noisy.push();
  quiet.push();
  const taken: string[] = [];
  for (let last: string | undefined; last !== 'quiet 2'; taken.push(last)) {
    const job = queue.take();
    last = job === undefined ? 'none' : text(job);
    if (taken.length % 100 === 0) await nextTurn();
  }
  assert.ok(taken.length <= QUANTUM_NS / quickLineNs(7) + 4, `after ${taken.length} jobs`);
});

it('takes the job of a source that was idle before those of sources that have used up their credit', () => {
  const queue = queueOf({ capacity: 100_000 });
  const noisy = Array.from({ length: 30 }, (_, index) => new Source(queue, `noisy${index}`, 1000));
  for (const source of noisy) source.push();
  for (let i = 0; i < 30 * (QUANTUM_NS / quickLineNs(0)); i++) queue.take();
  new Source(queue, 'quiet', 1).push();
  const job = queue.take();
  assert.equal(job && text(job), 'quiet 0');
});

it('lets each of many waiting sources in', async () => {
  const queue = queueOf({ capacity: 4 });
  const sources = Array.from({ length: 600 }, (_, index) => new Source(queue, `s${index}`, 20));
  for (const source of sources) source.push();
  let taken = 0;
  await waitFor('a job of every source', async () => {
    for (let i = 0; i < 4; i++) if (queue.take() !== undefined) taken++;
    await nextTurn();
    return sources.every(({ offered }) => offered > 0);
  });
  assert.ok(taken <= 600 * 6, `${taken} jobs were taken before the last source’s first`);
});

it('wakes a taker for a new job, and another one after passOn()', async () => {
  const queue = queueOf({});
  const session = new NotingSession();
  const woken: number[] = [];
  for (const taker of [1, 2]) void queue.available().then(() => woken.push(taker));
  queue.offer(session.job('a'));
  queue.offer(session.job('b'));
  await nextTurn();
  assert.equal(woken.length, 1);
  queue.passOn();
  await nextTurn();
  assert.equal(woken.length, 2);
  await queue.available();
});

it('wakes all takers once it is closed, empty, and nobody waits to bring more', async () => {
  const queue = queueOf({ capacity: 2 });
  const source = new Source(queue, 'held', 3);
  source.push();
  const ends = [false, false];
  const takers = ends.map((_, index) =>
    queue.available().then(() => {
      ends[index] = true;
    }),
  );
  void takers;
  queue.close();
  const taken: string[] = [];
  while (!queue.drained) {
    const job = queue.take();
    if (job !== undefined) taken.push(text(job));
    await nextTurn();
  }
  assert.deepEqual(taken, ['held 0', 'held 1', 'held 2']);
  await Promise.all([queue.available(), ...takers]);
});

it('ends its takers when the last session that waits for room is gone', async () => {
  const queue = queueOf({ capacityBytes: 1 });
  const [busy, gone] = [new NotingSession(), new NotingSession()];
  queue.offer(busy.job('xx'));
  queue.awaitRoom(gone);
  queue.take();
  queue.close();
  queue.forget(gone);
  assert.equal(queue.drained, true);
  await queue.available();
});

it('gives no job once the turn has no time left, and wakes a taker in the next turn', async () => {
  let nowMs = 0;
  const budget = new TurnBudget(() => nowMs);
  const queue = new JobQueue({ capacity: MANY, capacityBytes: MANY, budget });
  const session = new NotingSession();
  for (let i = 0; i < 3; i++) queue.offer(session.job(String(i)));
  budget.begin();
  assert.ok(queue.take());
  nowMs += TURN_BUDGET_MS;
  budget.end();
  assert.equal(queue.take(), undefined);
  assert.equal(queue.stats.depth, 2);
  await queue.available();
  assert.deepEqual(takeAll(queue), ['1', '2']);
});

it('with `drop` refuses no more lines in a turn than there is time for, and loses none of them', async () => {
  let nowMs = 0;
  const budget = new TurnBudget(() => nowMs);
  const queue = new JobQueue({ capacity: 1, capacityBytes: MANY, budget, dropped: () => {} });
  const session = new NotingSession();
  queue.offer(session.job('first'));
  budget.begin();
  nowMs += TURN_BUDGET_MS;
  budget.end();
  assert.equal(queue.offer(session.job('second')), false);
  queue.awaitRoom(session);
  assert.equal(session.refused.length, 0);
  await waitFor('the next turn', () => session.rooms === 1);
  assert.equal(queue.offer(session.job('second')), true);
  assert.equal(session.refused.length, 1);
});

it('with `drop` lets more of many sources try again in a turn if the rest of the turns is long, and 256 otherwise', async () => {
  for (const [restMs, woken] of [
    [0, 256],
    [80, 384],
  ] as const) {
    let nowMs = 0;
    const budget = new TurnBudget(() => nowMs);
    const queue = new JobQueue({ capacity: MANY, capacityBytes: MANY, budget, dropped: () => {} });
    const sources = Array.from({ length: 3000 }, () => new NotingSession());
    for (const source of sources) queue.awaitRoom(source);
    await nextTurn();
    const before = queue.waitingSources;
    nowMs += restMs;
    await nextTurn();
    assert.equal(before - queue.waitingSources, woken);
  }
});
