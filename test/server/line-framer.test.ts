import assert from 'node:assert/strict';
import { it } from 'node:test';
import { LineFramer } from '../../src/server/line-framer.ts';

const LIMIT = 16;
const FULL = 'x'.repeat(LIMIT);

const TOO_LONG = Symbol('too long');
type Line = string | typeof TOO_LONG;

/** The lines of `chunks` with the rest at the end. The last entry is TOO_LONG if the framer said so. */
function linesOf(chunks: Iterable<Uint8Array>, limit = LIMIT): Line[] {
  const framer = new LineFramer(limit);
  const lines: Line[] = [];
  const text = () => Buffer.from(framer.bytes.subarray(framer.start, framer.end)).toString('latin1');
  for (const chunk of chunks) {
    framer.push(chunk);
    for (;;) {
      const result = framer.next();
      if (result === 'more') break;
      if (result === 'too_long') return [...lines, TOO_LONG];
      lines.push(text());
    }
    assert.ok(framer.partialBytes <= limit + 1, 'keeps at most a line and its CR');
  }
  if (framer.finish() === 'line') lines.push(text());
  return lines;
}

function* bytes(data: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < data.length; at++) yield data.subarray(at, at + 1);
}

const stream = [
  { raw: 'a\n', line: 'a' },
  { raw: 'bc\r\n', line: 'bc' },
  { raw: '\n', line: '' },
  { raw: '\r\n', line: '' },
  { raw: `${FULL}\n`, line: FULL },
  { raw: `${FULL}\r\n`, line: FULL },
  { raw: 'a CR\rwithin\n', line: 'a CR\rwithin' },
  { raw: 'two\r\r\n', line: 'two\r' },
  { raw: `${'y'.repeat(LIMIT - 1)}\r\r\n`, line: `${'y'.repeat(LIMIT - 1)}\r` },
  { raw: '\xc3\xa9\n', line: '\xc3\xa9' },
  { raw: 'last', line: 'last' },
];
const data = Buffer.from(stream.map(({ raw }) => raw).join(''), 'latin1');
const expected = stream.map(({ line }) => line);

it('gives the same lines wherever the stream is cut in two', () => {
  for (let cut = 0; cut <= data.length; cut++) {
    assert.deepEqual(linesOf([data.subarray(0, cut), data.subarray(cut)]), expected, `cut at ${cut}`);
  }
});

it('gives the same lines wherever the stream is cut in three', () => {
  for (let first = 0; first <= data.length; first++) {
    for (let second = first; second <= data.length; second++) {
      const chunks = [data.subarray(0, first), data.subarray(first, second), data.subarray(second)];
      assert.deepEqual(linesOf(chunks), expected, `cut at ${first} and ${second}`);
    }
  }
});

it('gives the same lines byte by byte', () => {
  assert.deepEqual(linesOf(bytes(data)), expected);
});

it('takes a line as long as the limit and refuses one byte more, wherever the stream is cut', () => {
  const cases = [
    { raw: `a\n${FULL}\n`, lines: ['a', FULL] },
    { raw: `a\n${FULL}x\n`, lines: ['a', TOO_LONG] },
    { raw: `a\n${FULL}\r\n`, lines: ['a', FULL] },
    { raw: `a\n${FULL}x\r\n`, lines: ['a', TOO_LONG] },
    { raw: `a\n${FULL}\r\r\n`, lines: ['a', TOO_LONG] },
    { raw: `a\n${FULL}\rx\n`, lines: ['a', TOO_LONG] },
    { raw: `a\n${FULL}`, lines: ['a', FULL] },
    { raw: `a\n${FULL}\r`, lines: ['a', FULL] },
    { raw: `a\n${FULL}x`, lines: ['a', TOO_LONG] },
  ];
  for (const { raw, lines } of cases) {
    const whole = Buffer.from(raw);
    for (let cut = 0; cut <= whole.length; cut++) {
      const chunks = [whole.subarray(0, cut), whole.subarray(cut)];
      assert.deepEqual(linesOf(chunks), lines, `${JSON.stringify(raw)} cut at ${cut}`);
    }
    assert.deepEqual(linesOf(bytes(whole)), lines, `${JSON.stringify(raw)} byte by byte`);
  }
});

it('refuses a stream without a line feed when the limit is passed, and never keeps more', () => {
  const framer = new LineFramer(65_536);
  const chunk = Buffer.alloc(1000, 'x');
  let pushed = 0;
  let result = 'more';
  while (result === 'more') {
    framer.push(chunk);
    pushed += chunk.length;
    result = framer.next();
    assert.ok(framer.partialBytes <= 65_537);
  }
  assert.equal(result, 'too_long');
  assert.equal(pushed, 66_000);
});

it('finish() gives the rest once, and nothing if there is none', () => {
  const framer = new LineFramer(LIMIT);
  assert.equal(framer.finish(), 'more');
  framer.push(Buffer.from('a\nrest\r'));
  assert.equal(framer.next(), 'line');
  assert.equal(framer.next(), 'more');
  assert.equal(framer.partialBytes, 5);
  assert.equal(framer.finish(), 'line');
  assert.equal(Buffer.from(framer.bytes).toString('latin1', framer.start, framer.end), 'rest');
  assert.equal(framer.finish(), 'more');
});

it('unread() gives the same line again, from one chunk or two', () => {
  for (const chunks of [['one\ntwo\n'], ['o', 'ne\ntwo\n']]) {
    const framer = new LineFramer(LIMIT);
    for (const chunk of chunks) {
      framer.push(Buffer.from(chunk));
      if (chunk.length === 1) assert.equal(framer.next(), 'more');
    }
    const line = () => Buffer.from(framer.bytes.subarray(framer.start, framer.end)).toString();
    for (let again = 0; again < 3; again++) {
      assert.equal(framer.next(), 'line');
      assert.equal(line(), 'one');
      framer.unread();
    }
    assert.deepEqual([framer.next(), line()], ['line', 'one']);
    assert.deepEqual([framer.next(), line()], ['line', 'two']);
    assert.equal(framer.next(), 'more');
  }
});

it('never writes to the bytes of a line that it gave out', () => {
  const framer = new LineFramer(LIMIT);
  const given: { bytes: Uint8Array; start: number; end: number; text: string }[] = [];
  for (let i = 0; i < 100; i++) {
    const text = `line ${i}`;
    for (const chunk of bytes(Buffer.from(`${text}\n`))) {
      framer.push(chunk);
      while (framer.next() === 'line') {
        given.push({ bytes: framer.bytes, start: framer.start, end: framer.end, text });
      }
    }
  }
  assert.equal(given.length, 100);
  for (const { bytes: kept, start, end, text } of given) {
    assert.equal(Buffer.from(kept.subarray(start, end)).toString(), text);
  }
});
