// The buffer pool: no buffer has two users, the free buffers stay within the limit, and lately used sizes are kept.
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

test('a buffer given back is taken again, once, also for a somewhat smaller size', () => {
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

test('free buffers stay within the limit, and the sizes used last are kept', () => {
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
  for (let i = 0; i < 4; i++) assert.ok(large.includes(pool.take(MIB / 4)), 'a size in use was dropped');
  assert.equal(pool.freeBytes, 0);
  // Small buffers made room for four large ones; the fifth had no room.
  assert.ok(!large.includes(pool.take(MIB / 4)));
  pool.give(one);
  assert.equal(pool.take(16_384), one);
});

test('a buffer larger than the limit is not kept', () => {
  const pool = new BufferPool(MIB);
  const kept = pool.take(MIB / 2);
  pool.give(kept);
  pool.give(pool.take(2 * MIB));
  assert.ok(pool.freeBytes <= MIB);
});
