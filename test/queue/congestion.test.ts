// Lines of congested partitions wait in the queue. They hold up nobody else, and none is lost.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { decodeLine } from '../../src/protocol/messages.ts';
import { Congestion } from '../../src/queue/congestion.ts';
import { JobQueue } from '../../src/queue/job-queue.ts';
import { TurnBudget } from '../../src/queue/turn-budget.ts';
import { NotingSession } from '../support/session.ts';

const LARGE = 'x'.repeat(60_000);
const READING = '{"type":"metrics","data":{"a":1}}';
const KEEPALIVE = '{"type":"keepalive"}';

function setUp(options: { capacity?: number; capacityBytes?: number; dropped?: () => void } = {}) {
  const congestion = new Congestion();
  const budget = new TurnBudget(() => 0);
  const queue = new JobQueue({ capacity: 100_000, capacityBytes: 1e9, budget, congestion, ...options });
  return { congestion, queue };
}

function inPartition(partition: number): NotingSession {
  const session = new NotingSession();
  session.partition = partition;
  return session;
}

/** The sessions whose jobs may be taken now, in this order. */
function takeAll(queue: JobQueue) {
  const taken = [];
  for (let job = queue.take(); job !== undefined; job = queue.take()) taken.push(job.session);
  return taken;
}

it('lines of a congested partition wait, and those of other partitions do not', () => {
  const { congestion, queue } = setUp();
  const [slow, other] = [inPartition(3), inPartition(4)];
  congestion.set(3, true);
  for (let i = 0; i < 3; i++) for (const session of [slow, other]) queue.offer(session.job(READING));
  assert.deepEqual(takeAll(queue), [other, other, other]);
  queue.offer(slow.job(READING));
  queue.offer(other.job(READING));
  assert.deepEqual(takeAll(queue), [other]);
  assert.equal(queue.stats.depth, 4);
  congestion.set(3, false);
  assert.deepEqual(takeAll(queue), [slow, slow, slow, slow]);
});

it('a keepalive in front of readings of a congested partition does not wait', () => {
  const { congestion, queue } = setUp();
  const slow = inPartition(3);
  congestion.set(3, true);
  for (const line of [KEEPALIVE, KEEPALIVE, READING, KEEPALIVE]) queue.offer(slow.job(line));
  assert.deepEqual(takeAll(queue), [slow, slow]);
  assert.equal(queue.stats.depth, 2);
  congestion.set(3, false);
  assert.deepEqual(takeAll(queue), [slow, slow]);
});

it('the shortest line with a reading waits', () => {
  const { congestion, queue } = setUp();
  const shortest = '{"type":"metrics","data":"a="}';
  assert.equal(decodeLine(Buffer.from(shortest), 0, shortest.length).type, 'metrics');
  congestion.set(3, true);
  queue.offer(inPartition(3).job(shortest));
  assert.equal(queue.take(), undefined);
});

it('after the congestion a device with a line now and then comes before the one with many large lines', () => {
  const { congestion, queue } = setUp();
  const [noisy, quiet] = [inPartition(3), inPartition(3)];
  for (let i = 0; i < 20; i++) queue.offer(noisy.job(LARGE));
  for (let taken = 0; taken < 10; taken++) {
    assert.equal(queue.take()?.session, noisy);
    congestion.set(3, true);
    assert.equal(queue.take(), undefined);
    queue.offer(quiet.job(READING));
    assert.equal(queue.take(), undefined);
    congestion.set(3, false);
    assert.equal(queue.take()?.session, quiet);
  }
});

it('a taker sleeps while all lines are those of congested partitions, and wakes up afterwards', async () => {
  const { congestion, queue } = setUp();
  const slow = inPartition(3);
  congestion.set(3, true);
  queue.offer(slow.job(READING));
  assert.equal(queue.take(), undefined);
  let woken = 0;
  void queue.available().then(() => woken++);
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  queue.offer(slow.job(READING));
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  assert.equal(woken, 0);
  congestion.set(3, false);
  for (let turn = 0; turn < 2; turn++) await nextTurn();
  assert.equal(woken, 1);
  assert.deepEqual(takeAll(queue), [slow, slow]);
});

it('long lines of a congested partition wait in their connections once the bytes are used up', () => {
  const { congestion, queue } = setUp({ capacityBytes: LARGE.length });
  congestion.set(3, true);
  const sessions = Array.from({ length: 5 }, () => inPartition(3));
  for (const session of sessions) {
    session.whenRoom = () => {
      if (!queue.offer(session.job(LARGE))) queue.awaitRoom(session);
    };
    session.whenRoom();
  }
  assert.equal(queue.take(), undefined);
  assert.deepEqual([queue.stats.bytes, queue.waitingSources], [LARGE.length, 4]);
  const reader = inPartition(4);
  queue.offer(reader.job(READING));
  assert.deepEqual(takeAll(queue), [reader]);
  congestion.set(3, false);
  assert.deepEqual(takeAll(queue), sessions);
  assert.equal(queue.waitingSources, 0);
});

it('a closed queue is drained only when the lines of congested partitions are taken, too', () => {
  const { congestion, queue } = setUp();
  congestion.set(3, true);
  queue.offer(inPartition(3).job(READING));
  queue.close();
  assert.equal(queue.take(), undefined);
  assert.equal(queue.drained, false);
  congestion.set(3, false);
  assert.ok(queue.take());
  assert.equal(queue.drained, true);
});

it('with `drop` a device of a congested partition does not fill the queue', () => {
  let dropped = 0;
  const { congestion, queue } = setUp({ capacity: 100, dropped: () => dropped++ });
  const [slow, other] = [inPartition(3), inPartition(4)];
  congestion.set(3, true);
  queue.offer(slow.job(READING));
  assert.equal(queue.take(), undefined);
  for (let i = 0; i < 100; i++) queue.offer(slow.job(READING));
  assert.ok(queue.stats.depth <= 25, `${queue.stats.depth} jobs`);
  assert.ok(dropped > 0);
  const before = dropped;
  for (let i = 0; i < 50; i++) queue.offer(other.job(READING));
  assert.equal(dropped, before);
});
