// Memory for reads: a piece stays while its slab is held, and is used again afterwards.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Memory, SLAB_BYTES, type Slab, Slabs } from '../../src/server/slabs.ts';

/** A piece that lies in a slab. */
function piece(slabs: Slabs, from: Memory, length: number): { bytes: Uint8Array; slab: Slab } {
  const { bytes, slab } = slabs.copy(from, length);
  assert.ok(slab);
  return { bytes, slab };
}

function source(byte: number): Memory {
  const memory = new Memory(SLAB_BYTES);
  memory.bytes.fill(byte);
  return memory;
}

/** Fills and holds slabs until a read gets memory of its own. @param waitingBytes of each slab */
function holdAll(slabs: Slabs, waitingBytes = 0): Slab[] {
  const full = source(1);
  const held: Slab[] = [];
  for (;;) {
    const { slab } = slabs.copy(full, SLAB_BYTES);
    if (slab === undefined) return held;
    slabs.hold(slab);
    held.push(slab);
    slabs.waitingBytes += waitingBytes;
  }
}

test('pieces lie one after the other, and one that does not fit begins the next slab', () => {
  const slabs = new Slabs();
  const first = piece(slabs, source(1), SLAB_BYTES - 13);
  slabs.hold(first.slab);
  const second = slabs.copy(source(2), 10);
  const third = slabs.copy(source(3), 1);
  assert.equal(second.slab, first.slab);
  assert.notEqual(third.slab, first.slab);
  for (const [index, { bytes }] of [first, second, third].entries())
    assert.ok(bytes.every((byte) => byte === index + 1));
  assert.deepEqual([first.bytes.length, second.bytes.length, third.bytes.length], [SLAB_BYTES - 13, 10, 1]);
});

test('a piece of any length is a copy, and the next one leaves it as it is', () => {
  const slabs = new Slabs();
  const from = new Memory(1024);
  for (let i = 0; i < 1024; i++) from.bytes[i] = i % 251;
  const pieces = Array.from({ length: 1000 }, (_, length) => {
    const { bytes, slab } = piece(slabs, from, length);
    slabs.hold(slab);
    return bytes;
  });
  from.bytes.fill(255);
  for (const [length, bytes] of pieces.entries()) {
    assert.equal(bytes.length, length);
    assert.ok(bytes.every((byte, i) => byte === i % 251));
  }
});

test('a slab is used again when all holders have released it, and never before', () => {
  const slabs = new Slabs();
  const held: { bytes: Uint8Array; slab: Slab; byte: number }[] = [];
  const seen = new Set<Slab>();
  for (let round = 0; round < 2000; round++) {
    const byte = round % 256;
    const { bytes, slab } = piece(slabs, source(byte), 20_000 + (round % 7) * 10_000);
    seen.add(slab);
    slabs.hold(slab);
    held.push({ bytes, slab, byte });
    // Some are released at once, some late, and not in their order.
    while (held.length > 30) {
      const [one] = held.splice((round * 7) % held.length, 1);
      if (one === undefined) break;
      assert.ok(one.bytes.every((value) => value === one.byte));
      slabs.release(one.slab);
    }
  }
  for (const { bytes, byte } of held) assert.ok(bytes.every((value) => value === byte));
  assert.ok(seen.size < 60, `${seen.size} slabs`);
});

test('the number of slabs that are held is limited: past it a read gets memory of its own', () => {
  const slabs = new Slabs();
  const held = holdAll(slabs);
  assert.ok(held.length < 150, `${held.length} slabs`);
  const { bytes, slab } = slabs.copy(source(2), 100);
  assert.deepEqual([bytes.length, bytes.buffer.byteLength, slab], [100, 100, undefined]);
  for (const one of held.slice(0, 2)) slabs.release(one);
  assert.notEqual(slabs.copy(source(3), 100).slab, undefined);
});

test('more slabs may be held if a third of them are bytes that wait, up to 256', () => {
  const slabs = new Slabs();
  const held = holdAll(slabs, SLAB_BYTES / 2);
  // The current slab and those that were full before it.
  assert.equal(held.length, 257);
  assert.ok(slabs.areScarce);
  for (const one of held.splice(0, 50)) slabs.release(one);
  assert.ok(!slabs.areScarce);
  slabs.waitingBytes /= 3;
  assert.ok(slabs.areScarce, 'less than a third is not enough');
  for (const one of held.splice(0, 144)) slabs.release(one);
  assert.ok(!slabs.areScarce, 'few may be held whatever is in them');
});

test('bytes are written at any place, and those before them stay', () => {
  const from = new Memory(40);
  for (let i = 0; i < 40; i++) from.bytes[i] = 200 + i;
  for (let at = 0; at < 9; at++)
    for (let length = 0; length <= 36; length++) {
      const to = new Memory(64);
      to.bytes.fill(7);
      to.write(at, from, length);
      assert.ok(to.bytes.subarray(0, at).every((byte) => byte === 7));
      assert.deepEqual(to.bytes.subarray(at, at + length), from.bytes.subarray(0, length));
      assert.ok(to.bytes.subarray(at + length + 4).every((byte) => byte === 7));
    }
});
