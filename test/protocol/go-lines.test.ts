import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GoLines } from '../../src/protocol/go-lines.ts';
import { GoText } from '../../src/protocol/go-text.ts';
import { lineDecoder, STRICT } from '../../src/protocol/line-decoder.ts';
import type { Decoded } from '../../src/protocol/messages.ts';
import { copyCompact, MetricsScan } from '../../src/protocol/metrics-scan.ts';
import { recordTail } from '../../src/protocol/record-frame.ts';

const go = lineDecoder({ compatibility: 'go', required: [] });

/** Lines lie inside larger buffers, and the bytes around them must not matter. */
function decode(line: string | Uint8Array, decoder = go): Decoded {
  const bytes = Buffer.concat([Buffer.from('{"'), Buffer.from(line), Buffer.from('"}\n')]);
  return decoder.decode(bytes, 2, bytes.length - 3);
}

function readings(data: string | Uint8Array, name = 'data'): readonly string[] {
  const line = Buffer.concat([
    Buffer.from(`{"type":"metrics","${name}":`),
    Buffer.from(data),
    Buffer.from('}'),
  ]);
  const message = decode(line);
  if (message.type !== 'metrics') assert.fail(`${line} was not taken: ${JSON.stringify(message)}`);
  return message.readings;
}

const latin1 = (text: string) => Buffer.from(text, 'latin1');

describe('names that the Go server knew', () => {
  it('are found in any case in a message', () => {
    const identified = { type: 'identify', zipcode: 'c25', city: 'X' };
    assert.deepEqual(decode('{"Type":"identify","ZipCode":"c25","City":"X"}'), identified);
    assert.deepEqual(decode(' { "TYPE" : "identify" , "ZIPCODE":"c25","cItY" : "X" } '), identified);
    assert.deepEqual(decode('{"tYPE":"keepalive"}'), { type: 'keepalive' });
    assert.deepEqual(readings('{"a":1}', 'DATA'), ['{"a":1}']);
  });

  it('are written in lower case in a reading, in its order, and other names stay as sent', () => {
    const [first] = readings(
      '{"Timestamp":1,"TEMPERATURE":2,"Humidity":3,"PreCipitation":4,"wind_SPEED":5,"Wind_Direction":"N","POLLUTION_INDEX":7,"Pollen_Index":8,"Battery":9,"temperatures":1,"Temp":2}',
    );
    assert.equal(
      first,
      '{"timestamp":1,"temperature":2,"humidity":3,"precipitation":4,"wind_speed":5,"wind_direction":"N","pollution_index":7,"pollen_index":8,"Battery":9,"temperatures":1,"Temp":2}',
    );
  });

  it('are found as Go folds them: long s, escapes, and nothing else', () => {
    assert.deepEqual(readings('{"wind_ſpeed":1}'), ['{"wind_speed":1}']);
    assert.deepEqual(readings('{"\\u0054emperature":1}'), ['{"temperature":1}']);
    assert.deepEqual(readings('{"\\u017fpeed":1,"time\\u017ftamp":2}'), ['{"ſpeed":1,"timestamp":2}']);
    // A dotted capital I, a long s at a place without an s, a name that is longer.
    for (const name of ['humİdity', 'ſemperature', 'temperature ', 'ſ', '\u212a', 'temperaturſ'])
      assert.deepEqual(readings(`{"${name}":1}`), [`{"${name}":1}`]);
  });

  it('are found in each object of an array, and not inside nested values', () => {
    assert.deepEqual(readings(' [ {"Humidity" : 1 , "b":2} , "Humidity=1", {"c":{"Humidity":1}} ] '), [
      '{"humidity":1,"b":2}',
      '{"Humidity":1}',
      '{"c":{"Humidity":1}}',
    ]);
    assert.equal(decode('{"type":"metrics","DATA":[ ]}').type, 'refused');
    assert.equal(decode('{"type":"metrics","DATA":[{"Humidity":1},5]}').type, 'refused');
  });

  it('are not those of Sluice: the Go server ignored them', () => {
    const message = decode('{"Type":"metrics","Seq":7,"data":{"a":1}}');
    assert.equal(message.type === 'metrics' && message.seq, undefined);
    const identified = decode('{"Type":"identify","zipcode":"1","city":"x","Device_ID":"d","Token":5}');
    assert.deepEqual(identified, { type: 'identify', zipcode: '1', city: 'x', unknown: 'Device_ID' });
  });
});

describe('of equal names the last counts', () => {
  it('in a message', () => {
    assert.deepEqual(
      decode('{"type":"x","n":1,"zipcode":"1","Type":"identify","n":2,"city":"x","ZIPCODE":"2"}'),
      {
        type: 'identify',
        zipcode: '2',
        city: 'x',
        unknown: 'n',
      },
    );
    assert.deepEqual(readings('{"a":1},"data":{"b":2}'), ['{"b":2}']);
    assert.equal(decode('{"type":"metrics","data":{"a":1},"Data":{}}').type, 'refused');
  });

  it('in a reading, known or not, each at its own place', () => {
    assert.deepEqual(readings('{"temperature":1,"b":1,"Temperature":2,"b":{"b":3},"a":0}'), [
      '{"temperature":2,"b":{"b":3},"a":0}',
    ]);
    assert.deepEqual(readings('{"Temperature":1,"temperature":2}'), ['{"temperature":2}']);
    assert.deepEqual(readings('{"\\u0061":1,"a":2}'), ['{"a":2}']);
    assert.deepEqual(readings('{"B":1,"b":2}'), ['{"B":1,"b":2}']);
  });

  it('not inside nested objects, which are judged as ever', () => {
    const message = decode('{"type":"metrics","data":{"a":{"b":1,"b":2},"Humidity":1}}');
    assert.match(message.type === 'refused' ? message.message : '', /'a.b' of 'data' appears twice$/);
  });

  it('with thousands of names', () => {
    const many = Array.from({ length: 20_000 }, (_, index) => `"n${index % 500}":${index}`).join(',');
    const [reading = ''] = readings(`{${many}}`);
    assert.equal(Object.keys(JSON.parse(reading) as object).length, 500);
    assert.equal((JSON.parse(reading) as { n499: number }).n499, 19_999);
  });
});

describe('bytes that are not UTF-8', () => {
  it('become U+FFFD, one each, in names, values, and identify', () => {
    assert.deepEqual(readings(latin1('{"wind_direction":"N\xfc","\xe2\x82":"\xf0\x9f\x8c"}')), [
      '{"wind_direction":"N\ufffd","\ufffd\ufffd":"\ufffd\ufffd\ufffd"}',
    ]);
    assert.deepEqual(decode(latin1('{"type":"identify","zipcode":"1","city":"Z\xfcrich"}')), {
      type: 'identify',
      zipcode: '1',
      city: 'Z\ufffdrich',
    });
  });

  it('are no JSON outside of strings, and no object if they come first', () => {
    for (const line of [latin1('{"a":1\xfc}'), latin1('\xfc{}'), latin1('{\xff"type":"keepalive"}')])
      assert.notEqual(decode(line).type, 'keepalive');
  });

  it('are replaced as Go does it, whatever they are', () => {
    const text = new GoText();
    const byte = fc.oneof(
      fc.integer({ min: 0x20, max: 0xff }),
      fc.constantFrom(0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf),
    );
    fc.assert(
      fc.property(
        fc
          .uint8Array({ maxLength: 40 })
          .chain((bytes) =>
            fc
              .array(byte, { maxLength: 12 })
              .map((more) => Buffer.from([...bytes, ...more].filter((one) => one !== 0x5c))),
          ),
        (bytes) => {
          text.read(bytes);
          assert.deepEqual(text.bytes.subarray(0, text.length), goUtf8(bytes));
          assert.equal(text.hasChanged, !isUtf8(bytes));
          assert.ok(isUtf8(text.bytes.subarray(0, text.length)));
        },
      ),
    );
  });

  it('and escapes of half a pair are too', () => {
    assert.deepEqual(
      readings('{"a":"\\ud800","b":"\\udc00x","c":"\\ud83c\\udf27","d":"\\ud83c\\u0041","e":"\\\\ud800"}'),
      ['{"a":"\ufffd","b":"\ufffdx","c":"🌧","d":"\ufffdA","e":"\\\\ud800"}'],
    );
    assert.deepEqual(readings('{"a":"\\uD800\\uD83C\\uDF27"}'), ['{"a":"\ufffd🌧"}']);
    for (const broken of ['"\\ud8', '"\\ud800\\', '"\\', '"\\ud800\\ud', '"\\uZZZZ"'])
      assert.equal(decode(`{"type":"metrics","data":{"a":${broken}}}`).type, 'refused');
  });
});

/** utf8.DecodeRune again and again: a byte that begins no character is replaced alone. */
function goUtf8(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let p = 0; p < bytes.length; ) {
    const length = [1, 2, 3, 4].find((n) => p + n <= bytes.length && isUtf8(bytes.subarray(p, p + n))) ?? 0;
    parts.push(length > 0 ? bytes.subarray(p, p + length) : Buffer.from('\ufffd'));
    p += length || 1;
  }
  return Buffer.concat(parts);
}

describe('a line that the strict decoder takes', () => {
  const scan = new MetricsScan();
  const text = fc.oneof(
    fc.string({ maxLength: 6 }),
    fc.constantFrom('a', 'b', 'data', 'seq', 'größe', '__proto__'),
  );
  const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.double({ noNaN: true }), text);
  const reading = fc.dictionary(text, value, { minKeys: 1, maxKeys: 6 });
  const message = fc.record(
    { type: fc.constant('metrics'), x: value, data: fc.oneof(reading, fc.array(reading, { maxLength: 3 })) },
    { requiredKeys: ['type', 'data'] },
  );
  const known = [
    'Timestamp',
    'timestamp',
    'TEMPERATURE',
    'temperature',
    'Wind_Speed',
    'wind_ſpeed',
    'Battery',
    'a',
    'A',
  ];
  const inAnyCase = fc.dictionary(
    fc.constantFrom(...known),
    fc.oneof(fc.integer(), fc.constantFrom('x', 'ü', null)),
    { minKeys: 1 },
  );

  it('means the same with TCP_COMPATIBILITY=go', () => {
    fc.assert(
      fc.property(message, (object) => {
        const line = JSON.stringify(object);
        const strict = decode(line, STRICT);
        const hasKnown = /"(?:timestamp|temperature|humidity|type|zipcode|city|data)"/i.test(
          JSON.stringify(object.data),
        );
        if (strict.type !== 'refused' && !hasKnown) assert.deepEqual(decode(line), strict);
      }),
    );
  });

  it('takes the short cut only if the complete decoder makes the same record', () => {
    let taken = 0;
    fc.assert(
      fc.property(inAnyCase, fc.boolean(), (object, isSpaced) => {
        const json = JSON.stringify(object, null, isSpaced ? '\t' : undefined).replaceAll('\n', ' ');
        const line = `{"type":"metrics","seq":5,"data":${json}}`;
        const bytes = Buffer.from(`${line}\n`);
        const end = bytes.length - 1;
        if (!scan.scan(bytes, 0, end) || go.takes?.(bytes, bytes.indexOf(0x7b, scan.tailStart)) !== true)
          return;
        taken++;
        const decoded = go.decode(bytes, 0, end);
        assert.ok(decoded.type === 'metrics');
        const tail = Buffer.alloc(end);
        const length = copyCompact(bytes, scan.tailStart, end, tail, 0);
        assert.equal(tail.toString('utf8', 0, length), recordTail(5, decoded.readings[0] ?? ''));
      }),
      { numRuns: 500 },
    );
    assert.ok(taken > 10);
  });
});

it('no line makes it throw, and whatever is no JSON is refused as ever', () => {
  const part = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '"',
    '\\',
    '\\u',
    'd800',
    '"Data"',
    '"type"',
    '1',
    ' ',
    '\xfc',
    'null',
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 20 }), (parts) => {
      const line = latin1(`{${parts.join('')}`);
      const strict = decode(line, STRICT);
      const ours = decode(line);
      if (strict.type === 'refused' && strict.code === 'invalid_json') assert.deepEqual(ours, strict);
    }),
    { numRuns: 2000 },
  );
});

it('the error for a line that was translated names no column, that for any other does', () => {
  const message = (line: string) => (decode(line) as { message?: string }).message ?? '';
  assert.match(message('{"type":"metrics","data":{"a":"\\ud800","b":[]},"data":5}'), /array of those$/);
  assert.match(message('{"type":"metrics","data":5}'), /: column 26$/);
});

describe('a batch', () => {
  const batch = (count: number) =>
    `{"type":"metrics","data":[${Array(count).fill('{"Temperature":1}').join()}]}`;

  it('of 1000 readings is translated, and a larger one is refused', () => {
    const message = decode(batch(1000));
    if (message.type !== 'metrics') assert.fail(JSON.stringify(message));
    assert.deepEqual([...new Set(message.readings)], ['{"temperature":1}']);
    assert.match(String((decode(batch(1001)) as { message?: string }).message), /holds 1-1000 readings/);
  });

  it('costs no translation of more readings than it may have', () => {
    const line = Buffer.from(batch(60_000));
    const translated = Buffer.from(new GoLines().translate(line, 0, line.length) ?? []).toString();
    assert.equal(translated.split('"temperature"').length - 1, 1001);
  });
});
