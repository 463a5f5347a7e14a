// The two framings of plain lines: the lines that they find do not depend on how the bytes are cut into chunks.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Framer } from '../../src/server/framer.ts';
import { LineFramer } from '../../src/server/line-framer.ts';
import { OctetFramer } from '../../src/server/octet-framer.ts';

const MAX = 32;

/** The lines, and `!` or `?` for one that is too long or a frame that is bad, which is the last. */
function found(framer: Framer, text: string, chunkBytes: number): string[] {
  const all: string[] = [];
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    framer.push(Buffer.from(bytes.subarray(at, at + chunkBytes)));
    for (let result = framer.next(); result !== 'more'; result = framer.next()) {
      if (result === 'line')
        all.push(Buffer.from(framer.bytes.subarray(framer.start, framer.end)).toString());
      else all.push(result === 'too_long' ? '!' : '?');
      if (result === 'bad_frame') return all;
      if (result === 'too_long') framer.skip();
    }
    assert.ok(framer.isEmpty);
    assert.ok(framer.partialCapacity <= 512, `${framer.partialCapacity} bytes are held`);
  }
  const result = framer.finish();
  if (result === 'line') all.push(Buffer.from(framer.bytes.subarray(framer.start, framer.end)).toString());
  else if (result !== 'more') all.push(result === 'too_long' ? '!' : '?');
  return all;
}

function check(create: () => Framer, text: string, expected: string[]): void {
  for (let chunkBytes = 1; chunkBytes <= Buffer.byteLength(text) + 1; chunkBytes++)
    assert.deepEqual(found(create(), text, chunkBytes), expected, `in chunks of ${chunkBytes}`);
}

const lf = () => new LineFramer(MAX);
const counted = () => new OctetFramer(MAX);

describe('lines with a line feed', () => {
  it('of the longest length are found, and one byte more is skipped up to its end', () => {
    const longest = 'x'.repeat(MAX);
    check(lf, `a\r\n${longest}\n${longest}\r\n${longest}y\nb\n`, ['a', longest, longest, '!', 'b']);
    check(lf, `${'y'.repeat(10 * MAX)}\n\nb`, ['!', '', 'b']);
  });

  it('are under way while one is skipped, and the end of the stream ends it', () => {
    const framer = lf();
    framer.push(Buffer.from('z'.repeat(MAX + 2)));
    assert.equal(framer.next(), 'too_long');
    framer.skip();
    framer.push(Buffer.from('zz'));
    assert.deepEqual([framer.next(), framer.isMidLine, framer.partialBytes], ['more', true, 0]);
    assert.equal(framer.finish(), 'more');
    framer.push(Buffer.from('\nab'));
    assert.deepEqual([framer.next(), framer.isMidLine, framer.partialBytes], ['more', true, 2]);
  });
});

describe('a long line', () => {
  const line = Array.from({ length: 1300 }, (_, at) => 'abcdefghij'[at % 10]).join('');
  const framings: readonly [string, () => Framer, string][] = [
    ['a line feed', () => new LineFramer(1300), `${line}\n`],
    ['a length', () => new OctetFramer(1300), `1300 ${line}`],
  ];

  for (const [name, create, text] of framings) {
    it(`with ${name} is found wherever it is cut in two or three, in memory of its own size at most`, () => {
      for (let first = 1; first < text.length; first += 7) {
        for (const second of [first, first + 1, first + 600]) {
          const framer = create();
          const lines: string[] = [];
          for (const [from, to] of [
            [0, first],
            [first, second],
            [second, text.length],
          ] as const) {
            framer.push(Buffer.from(text.slice(from, to)));
            while (framer.next() === 'line')
              lines.push(Buffer.from(framer.bytes.subarray(framer.start, framer.end)).toString());
            assert.ok(framer.partialCapacity <= 1301, `${framer.partialCapacity} bytes are held`);
          }
          assert.deepEqual(lines, [line], `cut at ${first} and ${second}`);
        }
      }
    });
  }
});

describe('frames with a length', () => {
  it('are found, whatever they hold', () => {
    check(counted, '2 {}7 {"a":1}4 {\n}\n10 0123456789', ['{}', '{"a":1}', '{\n}\n', '0123456789']);
    check(counted, '', []);
  });

  it('of the longest length are found, and a longer one is skipped', () => {
    const longest = 'x'.repeat(MAX);
    check(counted, `${MAX} ${longest}2 {}`, [longest, '{}']);
    check(counted, `${MAX + 1} ${longest}y2 {}`, ['!', '{}']);
    check(counted, `500 ${'y'.repeat(500)}2 {}`, ['!', '{}']);
  });

  for (const bad of [
    'x',
    ' 2 {}',
    '02 {}',
    '0 ',
    '2{}',
    '-2 {}',
    '+2 {}',
    '2\t{}',
    '\n2 {}',
    '1000000000 x',
    '{"a":1}\n',
  ])
    it(`end at what is no length: ${JSON.stringify(bad)}`, () => check(counted, `2 {}${bad}`, ['{}', '?']));

  it('have a length of nine digits at most', () => {
    check(counted, '999999999 x', ['!']);
  });

  it('that are cut off by the end of the stream are lines as far as they have come', () => {
    check(counted, '2 {}5 {"a"', ['{}', '{"a"']);
    check(counted, '2 {}5 ', ['{}']);
    check(counted, '2 {}5', ['{}']);
  });

  it('can be put back, from a chunk and from several', () => {
    const framer = counted();
    framer.push(Buffer.from('2 {}3 a'));
    for (let times = 0; times < 3; times++) {
      assert.equal(framer.next(), 'line');
      assert.equal(Buffer.from(framer.bytes.subarray(framer.start, framer.end)).toString(), '{}');
      framer.unread();
      assert.equal(framer.lines, 1);
    }
    assert.equal(framer.next(), 'line');
    assert.equal(framer.next(), 'more');
    framer.push(Buffer.from('bc2 {}'));
    for (let times = 0; times < 3; times++) {
      assert.equal(framer.next(), 'line');
      assert.equal(Buffer.from(framer.bytes.subarray(framer.start, framer.end)).toString(), 'abc');
      framer.unread();
      assert.equal(framer.lines, 2);
      assert.ok(!framer.isEmpty);
    }
    framer.copyRest();
    assert.equal(framer.next(), 'line');
    assert.equal(framer.next(), 'line');
    assert.equal(framer.next(), 'more');
  });
});
