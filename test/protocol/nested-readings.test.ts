// Nested values in readings, through both decoders: their limits from both sides, their text, and the cost of bad ones.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeLine } from '../../src/protocol/messages.ts';
import { MetricsScan } from '../../src/protocol/metrics-scan.ts';

const PLAIN = '{"type":"metrics","data":';
/** The escape keeps the line from the short cut. */
const ESCAPED = '{"t\\u0079pe":"metrics","data":';
const scan = new MetricsScan();

function isTakenByScan(reading: string): boolean {
  const line = Buffer.from(`${PLAIN}${reading}}\n`);
  return scan.scan(line, 0, line.length - 1);
}

function decode(data: string) {
  const bytes = Buffer.from(`${ESCAPED}${data}}`);
  return decodeLine(bytes, 0, bytes.length);
}

/** Both decoders take the reading as it is. */
function assertTaken(reading: string): void {
  assert.deepEqual(decode(reading), { type: 'metrics', seq: undefined, readings: [reading] });
  assert.ok(isTakenByScan(reading), 'the short cut takes it');
}

/** Both decoders refuse the reading. Returns why. */
function refusalOf(data: string): string {
  const decoded = decode(data);
  if (decoded.type !== 'refused') assert.fail(`${data.slice(0, 200)} was taken`);
  assert.equal(decoded.code, 'invalid_message');
  assert.equal(isTakenByScan(data), false);
  return decoded.message;
}

const elements = (count: number) => Array(count).fill('0').join(',');
const members = (count: number) => Array.from({ length: count }, (_, i) => `"f${i}":0`).join(',');
const wrapped = (open: string, inner: string, close: string, levels: number) =>
  `${open.repeat(levels)}${inner}${close.repeat(levels)}`;

describe('a nested reading', () => {
  it('arrives digit for digit, in its order, without white space', () => {
    const [text, expected] = [
      ' { "p" : { "lat" : 48.13720 , "lon":-0.0e-07 } ,\t"axles":[ 7200 ,8100.50, [ ] , { } , true ,"\\u0061" ] } ',
      '{"p":{"lat":48.13720,"lon":-0.0e-07},"axles":[7200,8100.50,[],{},true,"a"]}',
    ];
    assert.deepEqual(decode(text), { type: 'metrics', seq: undefined, readings: [expected] });
  });

  it('may hold empty objects and arrays, and is itself not empty', () => {
    assertTaken('{"a":{},"b":[],"c":[[],{}],"d":{"e":{}}}');
    assert.match(refusalOf('{}'), /1-1024 fields/);
    assert.match(refusalOf('{ }'), /1-1024 fields/);
  });

  it('is 16 objects or arrays deep at most', () => {
    for (const [open, inner, close] of [
      ['[', '', ']'],
      ['[', '1', ']'],
      ['{"a":', '1', '}'],
      ['{"a":', '{}', '}'],
    ] as const) {
      const levels = inner === '{}' ? 14 : 15;
      assertTaken(`{"x":${wrapped(open, inner, close, levels)},"y":1}`);
      const problem = refusalOf(`{"x":${wrapped(open, inner, close, levels + 1)},"y":1}`);
      assert.match(problem, /^field 'x[.a[0\]]+' of 'data': objects and arrays are nested up to 16 deep/);
    }
    assertTaken(`{"x":${wrapped('[{"a":', '[]', '}]', 7)}}`);
    refusalOf(`{"x":${wrapped('[{"a":', '[[]]', '}]', 7)}}`);
  });

  it('may be as deep again after a deep value has ended', () => {
    const deep = wrapped('[', '', ']', 15);
    assertTaken(
      `{"x":${deep},"y":${deep},"z":[${wrapped('[', '', ']', 14)},${wrapped('{"a":', '1', '}', 14)}]}`,
    );
  });

  it('has 1,024 members at most, those of all objects and the elements of all arrays', () => {
    const objects = (count: number) =>
      Array.from({ length: count }, (_, i) => `"o${i}":{${members(31)}}`).join(',');
    for (const [most, more] of [
      [`{"a":[${elements(1023)}]}`, `{"a":[${elements(1024)}]}`],
      [`{"a":[${elements(511)}],"b":[${elements(511)}]}`, `{"a":[${elements(511)}],"b":[${elements(512)}]}`],
      [`{"a":[${elements(1022)}],"b":0}`, `{"a":[${elements(1022)}],"b":0,"c":0}`],
      [`{${objects(32)}}`, `{${objects(32)},"z":{}}`],
      [`{"a":[[],${elements(1020)},[0]]}`, `{"a":[[],${elements(1020)},[0,0]]}`],
      [`{"a":[{},${elements(1020)},{"b":0}]}`, `{"a":[{},${elements(1020)},{"b":0,"c":0}]}`],
    ] as const) {
      assertTaken(most);
      assert.match(refusalOf(more), /^field 'data': a reading holds 1-1024 fields/);
    }
    // The short cut leaves objects of more than 64 fields to the decoder.
    assert.equal(decode(`{"a":{${members(1023)}}}`).type, 'metrics');
    assert.match(refusalOf(`{"a":{${members(1024)}}}`), /1-1024 fields/);
  });

  it('begins to count again in each reading of a batch', () => {
    const reading = `{"a":[${elements(1000)}],"b":{"a":0}}`;
    const decoded = decode(`[${reading},${reading},${reading}]`);
    assert.deepEqual(decoded, { type: 'metrics', seq: undefined, readings: [reading, reading, reading] });
    assert.match(refusalOf(`[${reading},{"a":{"b":[0,{"c":0,"c":1}]}}]`), /^reading 2: field 'a\.b\[1\]\.c'/);
  });

  it('has names of 1 to 64 characters in every object', () => {
    const named = (name: string) => [`{"a":{"${name}":0}}`, `{"a":[{"b":{"c":0,"${name}":0}}]}`];
    for (const reading of named('n'.repeat(64))) assertTaken(reading);
    for (const name of ['', 'n'.repeat(65), '\\u0000', 'a\\n', '\\ud800', '\u0085'])
      for (const reading of named(name)) assert.match(refusalOf(reading), /names have 1-64 characters/);
    for (const reading of named('🌧'.repeat(64))) assert.equal(decode(reading).type, 'metrics');
    for (const reading of named('🌧'.repeat(65))) refusalOf(reading);
  });

  it('has no name twice in one object, and may have it in several', () => {
    assertTaken('{"a":{"a":{"a":0},"b":0},"b":[{"a":0},{"a":0,"b":0}]}');
    assertTaken('{"x":{"p":{"q":{"r":0}},"q":0,"r":[{"p":0}]}}');
    assertTaken(`{"x":{"p":{${members(62)}},"a":0,"b":0,"c":0}}`);
    assertTaken(`{"x":{"p":{${members(64)}},"q":{${members(64)}},"r":[{${members(64)}}],"f0":0,"f1":0}}`);
    for (const [reading, field] of [
      ['{"a":{"b":0,"b":0}}', 'a.b'],
      ['{"a":{"b":{"b":0},"c":0,"\\u0062":0}}', 'a.b'],
      ['{"x":[0,[{"b":{}},{"b":{"c":0},"b":0}]]}', 'x[1][1].b'],
      ['{"a":{"b":0},"b":0,"a":0}', 'a'],
    ] as const)
      assert.match(
        refusalOf(reading),
        new RegExp(`^field '${field.replaceAll(/[[\].]/g, '\\$&')}' of 'data' appears twice`),
      );
    for (const count of [2, 31, 64, 65, 1000]) {
      assert.equal(decode(`{"a":{${members(count)}}}`).type, 'metrics');
      assert.match(refusalOf(`{"a":{${members(count)},"f0":0}}`), /'a\.f0' of 'data' appears twice/);
    }
  });

  it('has numbers of up to 1,024 characters and strings as long as a line', () => {
    for (const at of [(text: string) => `{"a":[${text}]}`, (text: string) => `{"a":{"b":${text}}}`]) {
      assertTaken(at('9'.repeat(1024)));
      assertTaken(at(`"${'x'.repeat(60_000)}"`));
      assert.match(
        refusalOf(at('9'.repeat(1025))),
        /^field 'a(\[0\]|\.b)' of 'data': a number has up to 1024/,
      );
      assert.match(refusalOf(at('"\\ud800"')), /: a string holds no half of a surrogate pair/);
    }
  });

  it('is refused with a short text, however long its path is', () => {
    const name = 'n'.repeat(64);
    const message = refusalOf(`{"a":${wrapped(`{"${name}":`, '{"":0}', '}', 14)}}`);
    assert.ok(message.length < 200, message);
    assert.match(message, /^field 'a\.n+\.\.\.' of 'data': names have/);
  });

  it('is written as JSON.stringify would write it, whatever it holds and however it is spelt', (t) => {
    const space = fc.constantFrom('', '', '', ' ', '\t', ' \r');
    /** A value as a device may write it, and as the record has it. */
    type Text = readonly [spelt: string, expected: string];
    const string = fc
      .tuple(fc.string({ unit: 'binary', maxLength: 6 }), fc.boolean())
      .map(([text, isSpelt]): Text => {
        const units = Array.from({ length: text.length }, (_, i) =>
          text.charCodeAt(i).toString(16).padStart(4, '0'),
        );
        const json = JSON.stringify(text);
        return [isSpelt ? `"${units.map((unit) => `\\u${unit}`).join('')}"` : json, json];
      });
    const number = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.constantFrom('-0', '1.50', '1e400'),
    );
    const scalar = fc.oneof(
      string,
      number.map((text): Text => [text, text]),
      fc.constantFrom('true', 'false', 'null').map((text): Text => [text, text]),
    );
    const list = (parts: readonly (readonly [string, Text, string])[], index: 0 | 1) =>
      parts.map(([before, text, after]) => (index === 0 ? before + text[0] + after : text[1])).join(',');
    const spaced = (text: fc.Arbitrary<Text>) => fc.tuple(space, text, space);
    const { object } = fc.letrec<{ value: Text; object: Text; array: Text }>((tie) => ({
      value: fc.oneof({ depthSize: 'medium' }, scalar, tie('object'), tie('array')),
      object: fc
        .uniqueArray(fc.tuple(fc.stringMatching(/^[a-z"\\ü🌧]{1,3}$/u), space, spaced(tie('value'))), {
          maxLength: 4,
          selector: ([name]) => name,
        })
        .map((fields): Text => {
          const named = fields.map(([name, between, [before, text, after]]) => {
            const key = JSON.stringify(name);
            return [
              '',
              [`${key}${between}:${before}${text[0]}${after}`, `${key}:${text[1]}`],
              between,
            ] as const;
          });
          return [`{${list(named, 0)}}`, `{${list(named, 1)}}`];
        }),
      array: fc
        .array(spaced(tie('value')), { maxLength: 4 })
        .map((items): Text => [`[${list(items, 0)}]`, `[${list(items, 1)}]`]),
    }));
    let deepest = 0;
    fc.assert(
      fc.property(object, ([spelt, expected]) => {
        // The limits have their own tests.
        const depth = depthOf(expected);
        if (depth > 15 || expected.length > 2000) return;
        deepest = Math.max(deepest, depth);
        const decoded = decode(`{"x":${spelt}}`);
        assert.deepEqual(decoded, { type: 'metrics', seq: undefined, readings: [`{"x":${expected}}`] });
      }),
      { numRuns: 2000 },
    );
    t.diagnostic(`up to ${deepest} deep`);
    assert.ok(deepest >= 4);
  });
});

/** @param text without brackets in strings */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const character of text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '')) {
    if (character === '{' || character === '[') deepest = Math.max(deepest, ++depth);
    if (character === '}' || character === ']') depth--;
  }
  return deepest;
}
