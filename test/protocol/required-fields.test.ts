import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { lineDecoder } from '../../src/protocol/line-decoder.ts';
import type { Decoded } from '../../src/protocol/messages.ts';
import { MetricsScan } from '../../src/protocol/metrics-scan.ts';
import type { RequiredField } from '../../src/protocol/required-fields.ts';
import { isRfc3339 } from '../../src/protocol/rfc3339.ts';

const REQUIRED: readonly RequiredField[] = [
  { name: 'timestamp', type: 'time' },
  { name: 'temperature', type: 'number' },
  { name: 'station "ü"', type: 'string' },
];
const GOOD = '"timestamp":"2026-11-21T08:00:00Z","temperature":21.5,"station \\"ü\\"":""';
const scan = new MetricsScan();

/** The verdict of the complete decoder, and that of the short cut. Undefined if the line is not one for the short cut. */
function judge(line: string, required = REQUIRED): { decoded: Decoded; isTaken: boolean | undefined } {
  const decoder = lineDecoder({ compatibility: null, required });
  const bytes = Buffer.from(`xx${line}\nyy`);
  const [start, end] = [2, bytes.length - 3];
  const isScanned = scan.scan(bytes, start, end);
  const isTaken = isScanned ? decoder.takes?.(bytes, bytes.indexOf(0x7b, scan.tailStart)) : undefined;
  return { decoded: decoder.decode(bytes, start, end), isTaken };
}

const metrics = (data: string) => `{"type":"metrics","seq":5,"data":${data}}`;

function problem(data: string, required = REQUIRED): string {
  const { decoded, isTaken } = judge(metrics(data), required);
  assert.notEqual(isTaken, true, 'the short cut takes no such line');
  assert.ok(decoded.type === 'refused', data);
  assert.deepEqual([decoded.code, decoded.seq], ['invalid_message', 5]);
  return decoded.message;
}

function isAccepted(data: string, required = REQUIRED): void {
  const { decoded, isTaken } = judge(metrics(data), required);
  assert.equal(decoded.type, 'metrics', `${data}: ${JSON.stringify(decoded)}`);
  assert.notEqual(isTaken, false, 'the short cut takes it too');
}

describe('a reading', () => {
  it('with every field that TCP_REQUIRE names is taken, in any order and with others', () => {
    isAccepted(`{${GOOD}}`);
    isAccepted(
      `{ "a" : [ {"}":"]"} , 2 ] , "b" : {"temperature":"x"} , ${GOOD.replaceAll('":', '" : ')} , "c":null }`,
    );
    isAccepted('{"t\\u0065mperature":1}', [{ name: 'temperature', type: 'number' }]);
  });

  it('that lacks a field, or has it with another type, is refused with its name', () => {
    assert.match(
      problem('{"a":1}'),
      /^field 'timestamp' of 'data': .* a time such as 2026-11-21T08:00:00Z \(RFC 3339\)$/,
    );
    assert.match(
      problem(`{${GOOD.replace('21.5', '"21.5"')}}`),
      /^field 'temperature' of 'data': .* as a number$/,
    );
    assert.match(
      problem(`{${GOOD.replace(':""', ':1')}}`),
      /^field 'station "ü"' of 'data': .* as a string$/,
    );
    for (const value of ['null', 'true', '[1]', '{"temperature":1}', '"1"'])
      assert.match(problem(`{${GOOD.replace('21.5', value)}}`), /'temperature'/);
    assert.match(problem(`{"x":{${GOOD}}}`), /'timestamp'/);
    assert.match(problem(`{${GOOD.replace('"temperature"', '"Temperature"')}}`), /'temperature'/);
  });

  it('of an array is taken only with all others', () => {
    isAccepted(`[{${GOOD}},{${GOOD}}]`);
    assert.match(problem(`[{${GOOD}},{"a":1}]`), /^reading 2: field 'timestamp'/);
  });

  it('that is a string of pairs has the types of its record', () => {
    const required: RequiredField[] = [
      { name: 't', type: 'number' },
      { name: 'at', type: 'time' },
    ];
    isAccepted('"t=1.5, at = 2026-11-21T08:00:00Z"', required);
    assert.match(problem('"t=warm,at=2026-11-21T08:00:00Z"', required), /'t'/);
  });

  it('may have to have up to 32 fields', () => {
    const required = Array.from(
      { length: 32 },
      (_, index): RequiredField => ({ name: `f${index}`, type: 'number' }),
    );
    const all = required.map(({ name }) => `"${name}":1`);
    isAccepted(`{${all.join()}}`, required);
    for (const index of [0, 30, 31])
      assert.match(problem(`{${all.toSpliced(index, 1).join()}}`, required), new RegExp(`'f${index}'`));
  });

  it('is judged alike by the short cut and the complete decoder', () => {
    const name = fc.constantFrom('timestamp', 'temperature', 'station', 'a', 'timestam', 'timestamps');
    const value = fc.constantFrom(
      '1',
      '-1.5e3',
      '"x"',
      '""',
      'null',
      'true',
      '"2026-02-28T23:59:59Z"',
      '"2026-02-29T00:00:00Z"',
      '[1,{"a":"]"}]',
      '{"timestamp":1}',
    );
    const fields = fc.uniqueArray(fc.tuple(name, value), {
      selector: ([one]) => one,
      minLength: 1,
      maxLength: 6,
    });
    const required = fc.uniqueArray(
      fc.record({ name, type: fc.constantFrom('number', 'string', 'time') }) as fc.Arbitrary<RequiredField>,
      { selector: (one) => one.name, minLength: 1 },
    );
    fc.assert(
      fc.property(fields, required, fc.constantFrom('', ' ', '\t'), (list, wanted, space) => {
        const data = `{${list.map(([n, v]) => `${space}"${n}"${space}:${space}${v}${space}`).join()}}`;
        const { decoded, isTaken } = judge(metrics(data), wanted);
        assert.notEqual(isTaken, undefined);
        assert.equal(isTaken, decoded.type === 'metrics', data);
      }),
      { numRuns: 1000 },
    );
  });
});

it('without TCP_REQUIRE there is nothing to ask on the short cut', () => {
  assert.equal(lineDecoder({ compatibility: null, required: [] }).takes, undefined);
});

it('TCP_REQUIRE finds fields that TCP_COMPATIBILITY=go has translated', () => {
  const decoder = lineDecoder({ compatibility: 'go', required: [{ name: 'temperature', type: 'number' }] });
  const bytes = Buffer.from('{"Type":"metrics","data":{"Temperature":1}}');
  assert.equal(decoder.decode(bytes, 0, bytes.length).type, 'metrics');
  assert.equal(decoder.takes?.(bytes, bytes.indexOf('{"Temp')), false);
});

describe('a time of RFC 3339', () => {
  const good =
    '2026-11-21T08:00:00Z 2026-11-21T08:00:00.5Z 2026-11-21T08:00:00.123456789+23:59 2024-02-29T00:00:00Z 2000-02-29T23:59:59-00:00 0000-01-01T00:00:00Z 9999-12-31T23:59:59Z';
  const bad =
    '2026-11-21 2026-11-21T08:00Z 2026-11-21T08:00:00 2026-11-21T08:00:00z 2026-11-21t08:00:00Z 2026-11-21_08:00:00Z 2026-11-21T08:00:00.Z 2026-11-21T08:00:00,5Z ' +
    '2026-11-21T08:00:00+0100 2026-11-21T08:00:00+01 2026-11-21T08:00:00+24:00 2026-11-21T08:00:00+01:60 2026-11-21T08:00:00Zx 2026-11-21T08:00:60Z 2026-11-21T24:00:00Z 2026-11-21T08:60:00Z ' +
    '2026-13-01T00:00:00Z 2026-00-01T00:00:00Z 2026-11-31T00:00:00Z 2026-11-00T00:00:00Z 2026-02-29T00:00:00Z 1900-02-29T00:00:00Z 26-11-21T08:00:00Z 02026-11-21T08:00:00Z 2026-1-21T08:00:00Z +026-11-21T08:00:00Z ' +
    '2026-11-21T08:00:00.5 2026-11-21T08:00:00.5+1:00 x';
  const is = (text: string) => {
    const bytes = Buffer.from(`"${text}"Z`);
    return isRfc3339(bytes, 1, 1 + Buffer.byteLength(text));
  };
  for (const text of good.split(' ')) it(`is ${text}`, () => assert.ok(is(text)));
  for (const text of ['', ...bad.split(' ')])
    it(`is not ${JSON.stringify(text)}`, () => assert.ok(!is(text)));

  it('is every time of Date, and no day that its month does not have', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }), (date) => {
        assert.ok(is(date.toISOString()));
      }),
    );
    for (let month = 1; month <= 12; month++)
      for (let day = 28; day <= 32; day++) {
        const text = `2026-${String(month).padStart(2, '0')}-${day}`;
        const date = new Date(`${text}T00:00:00Z`);
        const isDay = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
        assert.equal(is(`${text}T00:00:00Z`), isDay, text);
      }
  });
});
