// Memory that is used again: never by two at once, never more than allowed, and of the sizes asked for lately.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BufferPool } from '../../../src/kafka/batches/buffer-pool.ts';

const MIB = 2 ** 20;

test('a buffer has at least the size asked for, and at most a quarter more or 4 KiB', () => {
  const pool = new BufferPool(MIB);
  for (const bytes of [0, 1, 61, 4096, 4097, 5000, 65_535, 65_536, 65_537, 1_000_000, 5_000_001]) {
    const { length } = pool.take(bytes);
    assert.ok(length >= bytes && length <= Math.max(4096, bytes * 1.25), `${length} for ${bytes}`);
  }
});

test('what was given back is taken again, once, also for somewhat less', () => {
  const pool = new BufferPool(MIB);
  const buffer = pool.take(100_000);
  pool.give(buffer);
  assert.equal(pool.freeBytes, buffer.length);
  assert.equal(pool.take(60_000), buffer);
  assert.equal(pool.freeBytes, 0);
  assert.notEqual(pool.take(60_000), buffer);
});

test('a buffer is not wasted on half its size or less', () => {
  const pool = new BufferPool(MIB);
  const buffer = pool.take(65_536);
  pool.give(buffer);
  assert.notEqual(pool.take(32_768), buffer);
  assert.equal(pool.take(32_769), buffer);
});

test('no more is kept than allowed, and what was used last is kept', () => {
  const pool = new BufferPool(MIB);
  const small = Array.from({ length: 64 }, () => pool.take(16_384));
  for (const buffer of small) pool.give(buffer);
  assert.equal(pool.freeBytes, MIB);
  const one = pool.take(16_384);

  const large = Array.from({ length: 5 }, () => pool.take(MIB / 4));
  for (const buffer of large) {
    pool.give(buffer);
    assert.ok(pool.freeBytes <= MIB);
  }
  for (let i = 0; i < 4; i++) assert.ok(large.includes(pool.take(MIB / 4)), 'a size in use was given up');
  assert.equal(pool.freeBytes, 0);
  // The fifth had no room, and the small ones made room for the others.
  assert.ok(!large.includes(pool.take(MIB / 4)));
  pool.give(one);
  assert.equal(pool.take(16_384), one);
});

test('what is larger than everything that is kept is not kept', () => {
  const pool = new BufferPool(MIB);
  const kept = pool.take(MIB / 2);
  pool.give(kept);
  pool.give(pool.take(2 * MIB));
  assert.ok(pool.freeBytes <= MIB);
});
