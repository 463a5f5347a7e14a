// The check of plain lines against JSON.parse, and the fields that it finds.
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import {
  MAX_PLAIN_KEY_BYTES,
  PlainScan,
  type PlainScanOptions,
  plainKey,
  scalarBytes,
} from '../../src/protocol/plain-line.ts';

const OPTIONS: PlainScanOptions = { key: null, topic: null, allowsLf: false };

/** The object that the scan found. The bytes behind the line in memory look like more of it. */
function scanned(
  line: string | Buffer,
  options: Partial<PlainScanOptions> = {},
  behind = '\n}]"1,',
): string | undefined {
  const scan = new PlainScan({ ...OPTIONS, ...options });
  const before = Buffer.from('}{"');
  const bytes = Buffer.concat([before, Buffer.from(line), Buffer.from(behind)]);
  const end = before.length + Buffer.byteLength(line);
  if (!scan.scan(bytes, before.length, end)) return undefined;
  return bytes.toString('utf8', scan.start, scan.end);
}

function problemOf(line: string | Buffer): string {
  const bytes = Buffer.from(line);
  const scan = new PlainScan(OPTIONS);
  assert.equal(scan.scan(bytes, 0, bytes.length), false);
  return scan.problem(bytes, 0, bytes.length).code;
}

function keyOf(line: string, key = 'host'): string | undefined {
  const bytes = Buffer.from(line);
  const scan = new PlainScan({ ...OPTIONS, key });
  assert.ok(scan.scan(bytes, 0, bytes.length));
  return plainKey(bytes, scan.key)?.toString();
}

describe('a plain line', () => {
  for (const line of [
    '{}',
    '{"a":1}',
    '{ "a" : [ 1 , -2.5e+3 , true , false , null , "x" , { } , [ ] ] , "b" : { "c" : { } } }',
    '{"a":"\\u00e4\\"\\\\\\/\\b\\f\\n\\r\\t"}',
    '{"a":"ä€😀","ü":1}',
    '{"a":1,"a":2}',
    '{"":""}',
    `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
  ])
    it(`is one object, byte for byte: ${line.slice(0, 60)}`, () => assert.equal(scanned(line), line));

  it('has white space around it, which is not part of the object', () => {
    assert.equal(scanned(' \t{"a": 1} \r'), '{"a": 1}');
  });

  for (const line of [
    '',
    '[]',
    '1',
    '"a"',
    'null',
    'a=1',
    '<13>text',
    '{',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
  ])
    it(`is no other JSON, and not cut off: ${line}`, () => {
      for (const behind of ['\n', '}', '":1}\n', '1}', '"}', '"b":2}', ''])
        assert.equal(scanned(line, {}, behind), undefined, behind);
    });

  for (const line of [
    '{a:1}',
    "{'a':1}",
    '{"a":01}',
    '{"a":1.}',
    '{"a":.5}',
    '{"a":+1}',
    '{"a":NaN}',
    '{"a":tru}',
    '{"a":"\\x"}',
    '{"a":"\\u12g4"}',
    '{"a":1}{"b":2}',
    '{"a":1} x',
    '{"a" 1}',
    '{"a":[1 2]}',
    '{"a":[1}]',
    '{"a":"\t"}',
    '{,}',
    '{"a":1,,"b":2}',
  ])
    it(`is valid JSON: ${line}`, () => {
      assert.equal(scanned(line), undefined);
      assert.equal(problemOf(line), 'invalid_json');
    });

  it('is UTF-8 in each string', () => {
    for (const text of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]]) {
      const line = Buffer.concat([Buffer.from('{"a":[{"b":"'), Buffer.from(text), Buffer.from('"}]}')]);
      assert.equal(scanned(line), undefined);
      assert.equal(problemOf(line), 'invalid_utf8');
    }
  });

  it('holds an LF between tokens only in frames with a length', () => {
    const line = '\n{\n"a"\n:\n[\n1\n,\n2\n]\n,\n"b":{}\n}\n';
    assert.equal(scanned(line, { allowsLf: true }), line.trim());
    assert.equal(scanned(line), undefined);
    assert.equal(scanned('{"a":"x\ny"}', { allowsLf: true }), undefined);
  });
});

test('the scan agrees with JSON.parse on lines with a changed byte', () => {
  const good = '{"a":[1,-2.5e3,{"b":"x\\u00e4\\n"}],"c":{"d":[],"e":{}},"f":true,"g":null}';
  for (let at = 0; at < good.length; at++)
    for (const byte of ' {}[]",:\\0-+.eu1n') {
      const line = good.slice(0, at) + byte + good.slice(at + 1);
      assert.equal(scanned(line) !== undefined, isObject(line), line);
      assert.equal(scanned(good.slice(0, at)), undefined);
    }
});

function isObject(line: string): boolean {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

describe('the key of a plain line', () => {
  it('is a string without its escapes, or a number or boolean as it is written', () => {
    assert.equal(keyOf('{"host":"box-7"}'), 'box-7');
    assert.equal(keyOf('{"a":{"host":"no"},"host":"b\\u006fx\\n"}'), 'box\n');
    assert.equal(keyOf('{"host":1.50}'), '1.50');
    assert.equal(keyOf('{"host":true}'), 'true');
    assert.equal(keyOf('{"host":"ä"}'), 'ä');
  });

  it('is that of the last field with the name, and of no field inside', () => {
    assert.equal(keyOf('{"host":"a","host":"b"}'), 'b');
    assert.equal(keyOf('{"a":[{"host":"no"}]}'), undefined);
    assert.equal(keyOf('{"hosts":"no","hos":"no"}'), undefined);
  });

  it('has a name in UTF-8 or in escapes', () => {
    assert.equal(keyOf('{"größe":"m"}', 'größe'), 'm');
    assert.equal(keyOf('{"gr\\u00f6\\u00dfe":"m"}', 'größe'), 'm');
    assert.equal(keyOf('{"a\\"b":"m"}', 'a"b'), 'm');
    assert.equal(keyOf('{"@timestamp":7}', '@timestamp'), '7');
  });

  it('is missing if the value is null, an object, an array, empty or too long', () => {
    for (const value of ['null', '{"host":"a"}', '["a"]', '""'])
      assert.equal(keyOf(`{"host":${value}}`), undefined);
    assert.equal(keyOf('{}'), undefined);
    const longest = 'x'.repeat(MAX_PLAIN_KEY_BYTES);
    assert.equal(keyOf(`{"host":"${longest}"}`), longest);
    assert.equal(keyOf(`{"host":"${longest}x"}`), undefined);
  });

  it('is found again if it is that of the line before, and not if it only has its length', () => {
    for (const key of ['aa', 'aa', 'ab', 'aa']) assert.equal(keyOf(`{"host":"${key}"}`), key);
    assert.equal(keyOf('{"host":"\\n"}'), '\n');
    assert.equal(keyOf('{"host":1234}'), '1234');
  });

  it('is not that of the line before', () => {
    const scan = new PlainScan({ ...OPTIONS, key: 'host', topic: 'topic' });
    const first = Buffer.from('{"host":"a","topic":"t"}');
    assert.ok(scan.scan(first, 0, first.length));
    assert.deepEqual([scan.key.start > 0, scalarBytes(first, scan.topic)?.toString()], [true, 't']);
    const second = Buffer.from('{"x":"a"}');
    assert.ok(scan.scan(second, 0, second.length));
    assert.deepEqual([scan.key.start, scan.topic.start], [-1, -1]);
  });
});
