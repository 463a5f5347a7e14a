import assert from 'node:assert/strict';
import { it } from 'node:test';
import { damagedRecords } from '../../../simulation/play/damaged-records.ts';

/** A head with these records, and so many bytes behind it. */
function batch(records: number, bytes: number): Buffer {
  const made = Buffer.alloc(61 + bytes);
  made.writeInt32BE(made.length - 12, 8);
  made.writeInt32BE(records, 57);
  return made;
}

it('a flipped bit costs the records of its batch, whichever field it meets', () => {
  const first = batch(3, 100);
  const segment = Buffer.concat([first, batch(7, 20)]);
  const costOf = (position: number) => {
    const damaged = Buffer.from(segment);
    damaged.writeUInt8(damaged.readUInt8(position) ^ 0x10, position);
    return damagedRecords(damaged, { position, bit: 4 }, 100);
  };
  assert.deepEqual([0, 9, 58, 60, 160].map(costOf), [3, 3, 3, 3, 3]);
  assert.deepEqual([161, 170, 219, 241].map(costOf), [7, 7, 7, 7]);
});

it('after an earlier flip in a length it may be any batch', () => {
  const segment = Buffer.concat([batch(3, 100), batch(7, 20)]);
  segment.writeInt32BE(-1, 8);
  assert.equal(damagedRecords(segment, { position: 200, bit: 0 }, 100), 100);
});
