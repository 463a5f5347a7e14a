// The states of partitions as runs.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mergeRuns, type PartitionState, runsOf } from '../../src/admin/partition-runs.ts';

const well: PartitionState = { state: 'memory', failing: false };
const failing: PartitionState = { state: 'disk', failing: true };
const held: PartitionState = { state: 'held', failing: true };

describe('runs of partitions', () => {
  it('are one while all are equal, and none without a partition', () => {
    assert.deepEqual(runsOf([well, well, well]), [{ first: 0, last: 2, ...well }]);
    assert.deepEqual(runsOf([]), []);
  });

  it('begin again with each other state', () => {
    assert.deepEqual(runsOf([well, failing, failing, well]), [
      { first: 0, last: 0, ...well },
      { first: 1, last: 2, ...failing },
      { first: 3, last: 3, ...well },
    ]);
  });

  it('of several processes tell the worse state of each partition', () => {
    const one = runsOf([well, failing, well]);
    assert.deepEqual(mergeRuns(one, runsOf([well, held])), [
      { first: 0, last: 0, ...well },
      { first: 1, last: 1, ...held },
      { first: 2, last: 2, ...well },
    ]);
    assert.deepEqual(mergeRuns(one, []), one);
  });

  it('are at most 200', () => {
    const states = Array.from({ length: 1000 }, (_, at) => (at % 2 === 0 ? well : failing));
    assert.equal(runsOf(states).length, 200);
  });
});
