// The column that a refusal names: characters of the line, counted from 1.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { columnAt, invalidUtf8At } from '../../src/protocol/line-column.ts';
import { decodeLine } from '../../src/protocol/messages.ts';

/** The message without its column, and the column. */
function refusal(line: string | Buffer): [message: string, column: number | undefined] {
  const bytes = Buffer.from(line);
  const around = Buffer.concat([Buffer.from('{"ü'), bytes, Buffer.from('"}\n')]);
  const decoded = decodeLine(around, 4, 4 + bytes.length);
  if (decoded.type !== 'refused') assert.fail(`${line} was taken`);
  const [, message = '', column] = /^(.*?)(?:: column (\d+))?$/.exec(decoded.message) ?? [];
  return [message, column === undefined ? undefined : Number(column)];
}

/** The character ^ marks the place, and is not part of the line. */
function assertColumn(marked: string, message: RegExp): void {
  const line = marked.replace('^', '');
  const [text, column] = refusal(line);
  assert.match(text, message);
  assert.equal(column, [...marked.slice(0, marked.indexOf('^'))].length + 1, `${marked}: column ${column}`);
}

describe('the column of a refused line', () => {
  const NO_OBJECT = /^the line is not a JSON object$/;
  const NO_JSON = /^the line is not valid JSON$/;
  const data = (text: string) => `{"type":"metrics","seq":1,"data":${text}}`;
  const cases: [marked: string, message: RegExp][] = [
    ['^', NO_OBJECT],
    [' \t^x', NO_OBJECT],
    ['^[1]', NO_OBJECT],
    ['{^', NO_JSON],
    ['{"type":"keepalive"^', NO_JSON],
    ['{"type":"keepalive",^}', NO_JSON],
    ["{^'type':1}", NO_JSON],
    ['{"type" ^1}', NO_JSON],
    ['{"a":1}^x', NO_JSON],
    ['{"a":1} ^{}', NO_JSON],
    ['{"a":1 ^"b":2}', NO_JSON],
    ['{"größe🌧":tru^}', NO_JSON],
    ['{"a":^hello}', NO_JSON],
    // Lines that end too early.
    ['{"a":nu^', NO_JSON],
    ['{"a":-^', NO_JSON],
    ['{"a":"\\u00^', NO_JSON],
    ['{"a":0^1}', NO_JSON],
    ['{"a":-^x}', NO_JSON],
    ['{"a":1.^}', NO_JSON],
    ['{"a":1e^}', NO_JSON],
    ['{"a":"\\^x"}', NO_JSON],
    ['{"a":"\\u12^g4"}', NO_JSON],
    ['{"ab^\u0001":1}', NO_JSON],
    ['{"\\u0061\\^x":1}', NO_JSON],
    ['{"\\u0061\\u0061":1,"b":[1,{"c":[]^]}]}', NO_JSON],
    ['{"a":[1,^]}', NO_JSON],
    ['{"a":[1^}}', NO_JSON],
    ['{"a":{"b":1^]}', NO_JSON],
    ['{"a":{^1}}', NO_JSON],
    [data('^5'), /^field 'data': an object/],
    [data('^{}'), /^field 'data': a reading holds/],
    [data('^[]'), /^field 'data': a batch holds/],
    [data('{"ü":1,"a":{"b":[1, {^"":1}]}}'), /^field 'a\.b\[1\]' of 'data': names have/],
    [data('{"🌧":1,"a":{"b":1,^"b":2}}'), /^field 'a\.b' of 'data' appears twice/],
    [data(`{"a":[1,^${'9'.repeat(1025)}]}`), /^field 'a\[1\]' of 'data': a number/],
    [data('[{"a":1},{"ü":^"\\ud800"}]'), /^reading 2: field 'ü' of 'data': a string/],
    [data('[{"a":1},^"a=1,b"]'), /^reading 2: field 'data': each part/],
    [data(`{"a":${'['.repeat(15)}^[]${']'.repeat(15)}}`), /nested up to 16 deep/],
    [data(`{"a":[${'1,'.repeat(1023)}^1]}`), /a reading holds/],
    [data(`[${'"a=1",'.repeat(1000)}^"a=1"]`), /a batch holds/],
  ];
  for (const [marked, message] of cases) {
    it(`of ${marked.slice(0, 60)}`, () => {
      assertColumn(marked, message);
    });
  }

  it('is that of the first byte that is not UTF-8, with each good character counted once', () => {
    for (const bad of [
      [0x80],
      [0xe2, 0x82],
      [0xc0, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xff],
    ]) {
      const line = Buffer.concat([Buffer.from('{"ü🌧":"'), Buffer.from(bad), Buffer.from('"}')]);
      assert.deepEqual(refusal(line), ['the line is not valid UTF-8', 8]);
    }
    // The line ends within a character.
    assert.deepEqual(refusal(Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xf0, 0x9f, 0x8c])])), [
      'the line is not valid UTF-8',
      7,
    ]);
  });

  it('is left out if a field is missing', () => {
    assert.deepEqual(refusal('{"type":"metrics"}'), ["field 'data': missing", undefined]);
  });
});

describe('invalidUtf8At', () => {
  it('finds the first byte that Node’s own check refuses', () => {
    const byte = fc.oneof(
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf),
    );
    const piece = fc.oneof(
      fc.constantFrom('a', 'ü', '€', '🌧', '\u0000').map((text) => Buffer.from(text)),
      fc.array(byte, { maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
        const bytes = Buffer.concat(pieces);
        const at = invalidUtf8At(bytes);
        assert.ok(isUtf8(bytes.subarray(0, at)));
        assert.equal(at === bytes.length, isUtf8(bytes));
        // No longer part is UTF-8, and the column counts the characters before it.
        for (let end = at + 1; end <= bytes.length; end++)
          assert.equal(isUtf8(bytes.subarray(0, end)), false);
        assert.equal(columnAt(bytes, at), [...bytes.subarray(0, at).toString()].length + 1);
      }),
      { numRuns: 5000 },
    );
  });
});
