// The time that the framer takes for lines in many chunks.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { LineFramer } from '../../src/server/line-framer.ts';

/** Milliseconds for each byte of a line that arrives byte by byte. The fastest of five tries. */
function costOf(size: number): number {
  const line = Buffer.alloc(size + 1, 'x');
  line[size] = 0x0a;
  const tries = Array.from({ length: 5 }, () => {
    const framer = new LineFramer(1 << 20);
    const beganMs = performance.now();
    for (let at = 0; at <= size; at++) {
      framer.push(line.subarray(at, at + 1));
      if (framer.next() === 'line') assert.equal(framer.end - framer.start, size);
    }
    return performance.now() - beganMs;
  });
  return Math.min(...tries) / size;
}

it('takes time in proportion to the bytes, not to their square', () => {
  costOf(64 * 1024);
  const small = costOf(64 * 1024);
  const large = costOf(512 * 1024);
  // With quadratic work each byte would cost eight times as much.
  assert.ok(large < 4 * small, `a byte costs ${large} ms in a line of 512 KiB, ${small} ms in one of 64 KiB`);
});
