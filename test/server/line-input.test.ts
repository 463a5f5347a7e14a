// The memory under lines: they wait in their slab, or in a copy while slabs are scarce, and a slab is free once its lines are done.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Job, JobSink } from '../../src/queue/job.ts';
import { LineFramer } from '../../src/server/line-framer.ts';
import { LineInput } from '../../src/server/line-input.ts';
import { Memory, SLAB_BYTES, slabs } from '../../src/server/slabs.ts';
import { fakeSession } from '../kafka/delivery/fakes.ts';

const LINE = Buffer.from('{"a":1}\n');
const session = fakeSession();

/** The bytes as a read leaves them. */
function readOf(bytes: Uint8Array): Memory {
  const memory = new Memory(SLAB_BYTES);
  memory.bytes.set(bytes);
  return memory;
}

/** A sink that takes as many lines as `room` says. */
function sinkWithRoom(room: number): JobSink & { room: number; readonly jobs: Job[] } {
  const stats = { depth: 0, capacity: 0, bytes: 0, capacityBytes: 0 };
  const jobs: Job[] = [];
  return {
    room,
    jobs,
    stats,
    offer(job) {
      if (this.room === 0) return false;
      this.room--;
      jobs.push(job);
      return true;
    },
    awaitRoom: () => undefined,
    forget: () => undefined,
  };
}

/** Receives `lines` lines and offers them. Returns a function that takes the rest, and the slab. */
function received(lines: number, sink: JobSink, freed: () => void = () => undefined) {
  const input = new LineInput(new LineFramer(1024), { charge: freed });
  const chunk = Buffer.concat(Array.from({ length: lines }, () => LINE));
  const { bytes, slab } = slabs.copy(readOf(chunk), chunk.length);
  assert.ok(slab);
  input.push(bytes, slab);
  const offerAll = () => {
    while (input.framer.next() === 'line') if (!input.offer(sink, session, 0)) break;
    input.settle();
  };
  offerAll();
  return { input, slab, offerAll };
}

/** Fills and holds slabs until they are scarce. */
function makeScarce(t: TestContext): void {
  const full = new Memory(SLAB_BYTES);
  while (!slabs.areScarce) {
    const { slab } = slabs.copy(full, SLAB_BYTES);
    assert.ok(slab);
    slabs.hold(slab);
    t.after(() => slabs.release(slab));
  }
}

test('lines that wait stay in their slab, which is free once they are taken and done', () => {
  const sink = sinkWithRoom(3);
  const { input, slab, offerAll } = received(10, sink);
  assert.deepEqual([input.heldBytes, slabs.waitingBytes], [7 * LINE.length, 7 * LINE.length]);
  for (let job = 0; job < 3; job++) input.jobDone();
  assert.equal(slab.holders, 1);
  sink.room = 2;
  offerAll();
  assert.deepEqual([input.heldBytes, slabs.waitingBytes], [5 * LINE.length, 5 * LINE.length]);
  sink.room = 5;
  offerAll();
  assert.deepEqual([input.heldBytes, slabs.waitingBytes], [0, 0]);
  assert.equal(slab.holders, 1);
  for (let job = 0; job < 7; job++) input.jobDone();
  assert.equal(slab.holders, 0);
  assert.ok(
    sink.jobs.every(
      ({ bytes, start }) => bytes.slice(start, start + 7).toString() === LINE.subarray(0, 7).toString(),
    ),
  );
});

test('a slab with several reads is free once the lines of the last one are done', () => {
  const sink = sinkWithRoom(100);
  const { input, slab, offerAll } = received(2, sink);
  const { bytes, slab: second } = slabs.copy(readOf(LINE), LINE.length);
  assert.equal(second, slab);
  input.push(bytes, second);
  offerAll();
  for (let job = 0; job < 2; job++) input.jobDone();
  assert.ok(slab.holders > 0);
  input.jobDone();
  assert.equal(slab.holders, 0);
});

test('slabs are let go in their order, each when its lines are done', () => {
  const sink = sinkWithRoom(100);
  const { input, slab, offerAll } = received(1, sink);
  // The rest of the slab is used up, so the next read gets another one.
  slabs.copy(new Memory(SLAB_BYTES), SLAB_BYTES - slab.used);
  const { bytes, slab: second } = slabs.copy(readOf(LINE), LINE.length);
  assert.ok(second && second !== slab);
  input.push(bytes, second);
  offerAll();
  assert.deepEqual([slab.holders, second.holders], [1, 1]);
  input.jobDone();
  assert.deepEqual([slab.holders, second.holders], [0, 1]);
  input.jobDone();
  assert.deepEqual([slab.holders, second.holders], [0, 0]);
});

test('a connection that ends lets go of the slab under its lines that wait', () => {
  const { input, slab } = received(10, sinkWithRoom(0));
  assert.equal(slab.holders, 1);
  input.clear();
  assert.deepEqual([slab.holders, input.heldBytes], [0, 0]);
});

test('while slabs are scarce, lines that wait are copied, and their slab is free once the others are done', (t) => {
  makeScarce(t);
  const sink = sinkWithRoom(3);
  let freed = 0;
  const { input, slab, offerAll } = received(10, sink, () => freed++);
  assert.equal(input.heldBytes, 7 * LINE.length);
  assert.equal(slab.holders, 1);
  for (let job = 0; job < 3; job++) input.jobDone();
  assert.equal(slab.holders, 0);
  sink.room = 7;
  offerAll();
  assert.equal(input.heldBytes, 7 * LINE.length);
  for (let job = 0; job < 7; job++) input.jobDone();
  assert.deepEqual([input.heldBytes, freed], [0, 1]);
});
