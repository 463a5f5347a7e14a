// The partitions of records with keys of their own, as plain lines have them: by the key alone, whatever connection sent
// them, and the same ones while partitions are added.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Batch } from '../../src/kafka/batches/batch.ts';
import { Batcher } from '../../src/kafka/batches/batcher.ts';
import { BufferBudget } from '../../src/kafka/batches/buffer-budget.ts';
import { partitionOf } from '../../src/kafka/batches/partitioner.ts';
import { UNPLACED } from '../../src/kafka/batches/placement.ts';
import { fakeSession, reading } from '../kafka/delivery/fakes.ts';

const KEYS = Array.from({ length: 50 }, (_, n) => Buffer.from(`host-${n}`));

test('records with the same key share a partition, also after partitions were added, and move if it is gone', (t) => {
  const delivered: Batch[] = [];
  const batcher = new Batcher(
    { maxRecords: 1, maxBytes: 64 * 1024, lingerMs: 3_600_000, maxMessageBytes: 2 ** 20 },
    {
      budget: new BufferBudget(2 ** 24, 0),
      sink: {
        isBusy: () => false,
        growth: () => 1,
        compressionRatio: 1,
        deliver: (batch) => delivered.push(batch),
      },
    },
  );
  t.after(() => batcher.stop());
  const one = fakeSession('1');
  const other = fakeSession('2');
  /** The partition of each key's record. The two connections take turns. */
  const places = (): number[] =>
    KEYS.map((key, n) => {
      batcher.append(n % 2 === 0 ? one : other, { ...reading('{}'), key });
      return delivered.at(-1)?.partition ?? Number.NaN;
    });
  assert.deepEqual(new Set(places()), new Set([UNPLACED]));
  batcher.setPartitions(6);
  const first = KEYS.map((key) => partitionOf(key, 6));
  assert.deepEqual(places(), first);
  batcher.setPartitions(12);
  assert.deepEqual(places(), first);
  batcher.setPartitions(4);
  assert.deepEqual(
    places(),
    KEYS.map((key, n) => ((first[n] ?? 0) < 4 ? first[n] : partitionOf(key, 4))),
  );
  // Congestion holds the connection back by the partition of its last record.
  assert.deepEqual(
    [one.partition, other.partition],
    [delivered.at(-2)?.partition, delivered.at(-1)?.partition],
  );
});
