import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Job } from '../../src/queue/job.ts';
import { JobQueue } from '../../src/queue/job-queue.ts';
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

it('takes as many jobs as its capacity, not one more, and counts them', () => {
  const queue = queueOf({ capacity: 3 });
  const session = new NotingSession();
  assert.deepEqual(
    ['a', 'bb', 'ccc', 'dddd'].map((line) => queue.offer(session.job(line))),
    [true, true, true, false],
  );
  assert.deepEqual(queue.stats, { depth: 3, capacity: 3, bytes: 6, capacityBytes: MANY });
  assert.deepEqual(takeAll(queue), ['a', 'bb', 'ccc']);
  assert.deepEqual([queue.stats.depth, queue.stats.bytes], [0, 0]);
});

it('takes as many bytes as its capacity and not one more', () => {
  const queue = queueOf({ capacityBytes: 10 });
  const session = new NotingSession();
  assert.deepEqual(
    ['aaaaa', 'bbbb', 'cc', 'c', 'd'].map((line) => queue.offer(session.job(line))),
    [true, true, false, true, false],
  );
  assert.equal(queue.stats.bytes, 10);
  assert.ok(queue.offer(session.job('')), 'a line without bytes');
});

it('takes a line larger than its limit in bytes only if it is empty', () => {
  const queue = queueOf({ capacityBytes: 10 });
  const session = new NotingSession();
  assert.equal(queue.offer(session.job('x'.repeat(11))), true);
  assert.equal(queue.offer(session.job('y')), false);
  queue.take();
  assert.equal(queue.offer(session.job('y')), true);
  assert.equal(queue.offer(session.job('x'.repeat(11))), false);
});

it('gives jobs out in their order, many times around its ring', () => {
  const queue = queueOf({ capacity: 7 });
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

it('tells a waiting source once that there is room, when half of the queue is free', async () => {
  const queue = queueOf({ capacity: 10 });
  const session = new NotingSession();
  for (let i = 0; i < 10; i++) queue.offer(session.job('x'));
  queue.awaitRoom(session);
  queue.awaitRoom(session);
  for (let i = 0; i < 4; i++) queue.take();
  await nextTurn();
  assert.equal(session.rooms, 0);
  queue.take();
  await nextTurn();
  await nextTurn();
  assert.equal(session.rooms, 1);
  assert.equal(queue.waitingSources, 0);
});

it('tells a source at once if there is room when it asks', async () => {
  const queue = queueOf({ capacity: 1 });
  const session = new NotingSession();
  queue.awaitRoom(session);
  await nextTurn();
  assert.equal(session.rooms, 1);
});

it('never calls a source that it was told to forget', async () => {
  const queue = queueOf({ capacity: 1 });
  const session = new NotingSession();
  queue.awaitRoom(session);
  queue.forget(session);
  await nextTurn();
  assert.equal(session.rooms, 0);
});

it('gives free room to waiting sources before a new one', async () => {
  const queue = queueOf({ capacity: 4 });
  const waiting = new Source(queue, 'waiting', 6);
  waiting.push();
  const newcomer = new NotingSession();
  queue.take();
  queue.take();
  queue.take();
  assert.equal(queue.offer(newcomer.job('new')), false);
  await nextTurn();
  assert.equal(waiting.offered, 6);
  assert.equal(queue.offer(newcomer.job('new')), true);
});

it('takes jobs of a quiet source after a bounded number of jobs of a noisy one', async () => {
  const capacity = 10;
  const queue = queueOf({ capacity });
  const noisy = new Source(queue, 'noisy', 10_000);
  const quiet = new Source(queue, 'quiet', 3);
  noisy.push();
  quiet.push();
  const taken: string[] = [];
  await waitFor('the quiet source’s jobs', async () => {
    const job = queue.take();
    if (job !== undefined) taken.push(text(job));
    await nextTurn();
    return taken.includes('quiet 2');
  });
  // The jobs that were there, and one more filling by the noisy source, which waited first.
  assert.ok(taken.indexOf('quiet 0') <= 2 * capacity, `after ${taken.indexOf('quiet 0')} others`);
  assert.ok(taken.length <= 4 * capacity);
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

it('wakes all takers when it is closed, and keeps its jobs', async () => {
  const queue = queueOf({});
  const waiting = Promise.all([queue.available(), queue.available()]);
  queue.close();
  await waiting;
  await queue.available();
  assert.equal(queue.closed, true);
  assert.ok(queue.offer(new NotingSession().job('late')), 'lines that were held back still come in');
  assert.deepEqual(takeAll(queue), ['late']);
});
