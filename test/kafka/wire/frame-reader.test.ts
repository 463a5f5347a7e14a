// Frames from a byte stream that is cut anywhere, and frames that are too large.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameReader } from '../../../src/kafka/wire/frame-reader.ts';

const LIMIT = 1000;

const frameOf = (body: string): Buffer => {
  const size = Buffer.alloc(4);
  size.writeInt32BE(Buffer.byteLength(body));
  return Buffer.concat([size, Buffer.from(body)]);
};

function read(chunks: readonly Buffer[], maxFrames = Infinity) {
  const reader = new FrameReader(LIMIT);
  const bodies: string[] = [];
  const tooLarge = chunks.map((chunk) =>
    reader.push(chunk, (body) => {
      bodies.push(body.toString());
      return bodies.length < maxFrames;
    }),
  );
  return { bodies, tooLarge: tooLarge.filter((size) => size !== undefined) };
}

test('frames are the same wherever the byte stream is cut', () => {
  const expected = ['first', '', 'x', 'second one', 'y'.repeat(LIMIT), ''];
  const stream = Buffer.concat([...expected, 'last'].map(frameOf));
  for (const step of [1, 2, 3, 4, 5, 7, 64, stream.length]) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < stream.length; at += step) chunks.push(stream.subarray(at, at + step));
    assert.deepEqual(read(chunks), { bodies: [...expected, 'last'], tooLarge: [] }, `in steps of ${step}`);
  }
});

test('a frame that lies in one chunk is not copied', () => {
  const chunk = Buffer.concat([frameOf('a frame'), frameOf('and another')]);
  new FrameReader(LIMIT).push(chunk, (body) => {
    assert.equal(body.buffer, chunk.buffer);
    return true;
  });
});

test('a frame of the limit is read, a larger one is refused at its size', () => {
  assert.equal(read([frameOf('z'.repeat(LIMIT))]).bodies.length, 1);
  const larger = frameOf('z'.repeat(LIMIT + 1));
  assert.deepEqual(read([frameOf('good'), larger.subarray(0, 4)]), {
    bodies: ['good'],
    tooLarge: [LIMIT + 1],
  });
  const negative = Buffer.from([0xff, 0xff, 0xff, 0xfe]);
  assert.deepEqual(read([negative]), { bodies: [], tooLarge: [-2] });
});

test('nothing is read after onFrame has returned false', () => {
  assert.deepEqual(read([Buffer.concat([frameOf('bad'), frameOf('next')])], 1).bodies, ['bad']);
});
