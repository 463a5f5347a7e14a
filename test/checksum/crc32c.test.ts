import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { test } from 'node:test';
import { crc32c, nativeCrc32c, portableCrc32c } from '../../src/checksum/crc32c.ts';

// RFC 3720, appendix B.4.
const ascending = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
const scsiRead = Buffer.from(
  '01c00000000000000000000000000000140000000000040000000014000000182800000000000000' + '0200000000000000',
  'hex',
);
const VECTORS: readonly (readonly [name: string, bytes: Buffer, crc: number])[] = [
  ['nothing', Buffer.alloc(0), 0],
  ['32 bytes of zeroes', Buffer.alloc(32), 0x8a9136aa],
  ['32 bytes of ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['32 ascending bytes', ascending, 0x46dd794e],
  ['32 descending bytes', Buffer.from(ascending).reverse(), 0x113fdb5c],
  ['an iSCSI SCSI Read (10) command', scsiRead, 0xd9963a56],
  ['the check value of the CRC catalogue', Buffer.from('123456789'), 0xe3069283],
];

for (const [name, bytes, expected] of VECTORS) {
  test(`the CRC-32C of ${name} is the one of RFC 3720`, () => {
    assert.equal(portableCrc32c(bytes), expected);
    assert.equal(crc32c(bytes), expected);
  });
}

test('the native and the portable CRC-32C agree on random input of every length and alignment', (t) => {
  const native = nativeCrc32c();
  if (native === undefined) return t.skip('no prebuilt native CRC-32C for this platform');
  const pool = randomBytes(70_000);
  for (let i = 0; i < 1000; i++) {
    const start = randomInt(0, 64);
    const bytes = pool.subarray(start, start + (i < 300 ? i : randomInt(0, 65_000)));
    assert.equal(native(bytes), portableCrc32c(bytes), `${bytes.length} bytes from ${start}`);
  }
});
