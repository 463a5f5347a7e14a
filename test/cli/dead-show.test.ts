// The letters that `sluice dead show` keeps in memory until it prints them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newestOf } from '../../src/cli/dead/show.ts';
import { encodeBody } from '../../src/kafka/batches/record-body.ts';
import { type Letter, readLetter } from '../../src/letters/letter.ts';

const SMALL = encodeBody(Buffer.from('v'), { reason: 'X' });

const letterAt = (timestampMs: number, bytes = 1): Letter => {
  const place = { kind: 'topic', topic: 'dead', partition: 0, offset: timestampMs } as const;
  const letter = readLetter({ place, timestampMs, body: SMALL }, 'metrics');
  return { ...letter, value: { length: bytes } as Buffer };
};
const timesOf = (letters: readonly Letter[]) => letters.map(({ timeMs }) => timeMs);

test('the newest are kept, fewer if they are large, and always one', () => {
  const times = [5, 1, 4, 2, 3];
  const small = times.map((time) => letterAt(time));
  assert.deepEqual(timesOf(newestOf([], small, 3)), [3, 4, 5]);
  assert.deepEqual(timesOf(newestOf(small, [letterAt(6)], 2)), [5, 6]);
  const large = times.map((time) => letterAt(time, 100 * 2 ** 20));
  assert.deepEqual(timesOf(newestOf([], large, 5)), [4, 5]);
  assert.deepEqual(timesOf(newestOf(small, [letterAt(6, 300 * 2 ** 20)], 5)), [6]);
  assert.deepEqual(newestOf([], [], 5), []);
});
