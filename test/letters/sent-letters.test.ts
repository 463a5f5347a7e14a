// The memory of sent letters: ranges of offsets, their file, and damage to it.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { OffsetRanges } from '../../src/letters/offset-ranges.ts';
import { SentLetters, SentUnreadableError } from '../../src/letters/sent-letters.ts';
import { temporaryDirectory } from '../support/directory.ts';

const LOG = { cluster: 'c', topic: 'dead', partition: 3 };

test('ranges hold exactly the offsets that were added, and neighbours are one range', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(60)), fc.nat(60), (offsets, below) => {
      const ranges = new OffsetRanges();
      for (const offset of offsets) ranges.add(offset);
      ranges.dropBelow(below);
      const kept = new Set(offsets.filter((offset) => offset >= below));
      for (let offset = 0; offset <= 61; offset++) assert.equal(ranges.has(offset), kept.has(offset));
      assert.equal(ranges.last, Math.max(-1, ...kept));
      for (const [index, [from, end]] of ranges.all.entries()) {
        assert.ok(from < end);
        assert.ok(index === 0 || from > (ranges.all[index - 1]?.[1] ?? Infinity));
      }
    }),
  );
});

test('a million letters in a row take the room of one range', async (t) => {
  const path = join(temporaryDirectory(t), 'sent');
  const sent = await SentLetters.read(path);
  for (let offset = 0; offset < 1_000_000; offset++) sent.add(LOG, offset, Buffer.of(offset % 256));
  sent.setEnd('readings~unplaced', 7);
  await sent.write();
  assert.ok(readFileSync(path).length < 300);
  const again = await SentLetters.read(path);
  assert.deepEqual([again.has(LOG, 999_999), again.has(LOG, 1_000_000)], [true, false]);
  assert.equal(again.has({ ...LOG, cluster: 'other' }, 5), false);
  assert.equal(again.endOf('readings~unplaced'), 7);
  assert.equal(again.lastOf(LOG)?.offset, 999_999);
});

test('a file with any wrong byte is refused, because letters would be sent twice', async (t) => {
  const path = join(temporaryDirectory(t), 'sent');
  const sent = await SentLetters.read(path);
  sent.add(LOG, 5, Buffer.of(1));
  await sent.write();
  const whole = readFileSync(path);
  for (let at = 0; at < whole.length - 1; at++) {
    const damaged = Buffer.from(whole);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    writeFileSync(path, damaged);
    await assert.rejects(SentLetters.read(path), SentUnreadableError, `byte ${at}`);
  }
  for (const bytes of [0, 1, whole.length - 2]) {
    writeFileSync(path, whole.subarray(0, bytes));
    await assert.rejects(SentLetters.read(path), SentUnreadableError);
  }
});
