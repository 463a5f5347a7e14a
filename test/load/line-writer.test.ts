// The lines of the load, checked with the gateway's decoder and with the reader of their records.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BAD_LINES } from '../../load/devices/bad-lines.ts';
import { largestLine, type Shape, smallestLine } from '../../load/plan.ts';
import { deviceTags, RecordReader } from '../../load/verification/record.ts';
import { decodeLine } from '../../src/protocol/messages.ts';
import { DUE_US, lineOf, lineWriter, RUN, recordsOf } from './records.ts';

const SHAPES: readonly Shape[] = [
  { kind: 'flat' },
  { kind: 'nested' },
  { kind: 'pairs' },
  { kind: 'batch', readings: 2 },
  { kind: 'batch', readings: 30 },
];
// Numbers around each additional digit.
const NUMBERS = [0, 1, 9, 10, 11, 99, 100, 101, 3333, 99_999, 100_000, 12_345_678];
const reader = new RecordReader(RUN);

for (const shape of SHAPES) {
  const readings = shape.kind === 'batch' ? shape.readings : 1;
  describe(`a line of shape ${shape.kind} with ${readings} readings`, () => {
    const sizeBytes = 200 * readings;

    it('is accepted, and its records have device, number, time and the right checksum', () => {
      const writer = lineWriter({ shape, sizeBytes });
      for (const number of NUMBERS) {
        const { values, seq } = recordsOf(lineOf(writer, number));
        assert.equal(seq, number);
        assert.equal(values.length, readings);
        for (const [index, value] of values.entries()) {
          const n = number * readings + index;
          const expected = { kind: 'reading', device: 17, connection: 1, n, dueUs: DUE_US };
          assert.deepEqual(reader.read(value), expected, String(value));
        }
      }
    });

    it('has no seq without --seq', () => {
      const writer = lineWriter({ shape, sizeBytes, seq: false });
      assert.equal(recordsOf(lineOf(writer, 41)).seq, undefined);
    });

    it('has the planned size, from the smallest to the largest', () => {
      for (const size of [
        smallestLine(shape) + 9 * readings,
        sizeBytes,
        1000 * readings,
        largestLine(shape),
      ]) {
        const line = lineOf(lineWriter({ shape, sizeBytes: size }), 123_456);
        recordsOf(line);
        assert.equal(line.length, size);
      }
    });
  });
}

describe('a plain line', () => {
  const expected = (n: number) => ({ kind: 'reading', device: 17, connection: 1, n, dueUs: DUE_US });

  it('is the reading itself, which is found in a record as sent and in a wrapped one', () => {
    for (const shape of [{ kind: 'flat' }, { kind: 'nested' }] as const) {
      const writer = lineWriter({ shape, seq: false, lines: 'lf' });
      for (const number of NUMBERS) {
        const line = lineOf(writer, number);
        assert.equal(line.at(-1), 0x0a);
        const value = line.subarray(0, -1);
        JSON.parse(String(value));
        assert.deepEqual(reader.read(value), expected(number));
        const wrapped = Buffer.from(`{"received_at":"t","remote_address":"::1","data":${value}}`);
        assert.deepEqual(reader.read(wrapped), expected(number));
      }
    }
  });

  it('begins with its length if that is the framing', () => {
    const writer = lineWriter({ seq: false, lines: 'octet-counted' });
    for (const number of NUMBERS) {
      const [, digits = '', value = ''] = /^([1-9]\d*) (.*\})$/.exec(String(lineOf(writer, number))) ?? [];
      assert.equal(Number(digits), value.length);
      assert.deepEqual(reader.read(Buffer.from(value)), expected(number));
    }
  });

  it('that was changed is corrupted', () => {
    const value = lineOf(lineWriter({ seq: false, lines: 'lf' }), 41).subarray(0, -1);
    assert.equal(reader.read(Buffer.from(String(value).replace('"n":41', '"n":42'))).kind, 'corrupted');
    assert.equal(reader.read(Buffer.concat([value, Buffer.from('}')])).kind, 'corrupted');
  });
});

describe('the reader of records with tags', () => {
  const tagged = new RecordReader(RUN, 3);
  const [value = Buffer.alloc(0)] = recordsOf(lineOf(lineWriter(), 41)).values;
  const withTags = (tags: object) =>
    Buffer.from(String(value).replace(',"data":', `,"tags":${JSON.stringify(tags)},"data":`));

  it('takes a record with the tags of its device', () =>
    assert.equal(tagged.read(withTags(deviceTags(17, 3))).kind, 'reading'));

  it('finds tags that are missing, of another device, or fewer', () => {
    assert.equal(tagged.read(value).kind, 'corrupted');
    assert.equal(tagged.read(withTags(deviceTags(18, 3))).kind, 'corrupted');
    assert.equal(tagged.read(withTags(deviceTags(17, 2))).kind, 'corrupted');
  });
});

describe('lines', () => {
  it('of one device have different values', () => {
    const writer = lineWriter();
    const temperatures = new Set(
      Array.from(
        { length: 200 },
        (_, number) => /"temperature":[\d.]+/.exec(String(lineOf(writer, number)))?.[0],
      ),
    );
    assert.ok(temperatures.size > 150);
  });

  it('carry the number of their connection', () => {
    const writer = lineWriter();
    writer.connected(12);
    const [value] = recordsOf(lineOf(writer, 5)).values;
    const seen = reader.read(value as Buffer);
    assert.equal(seen.kind === 'reading' && seen.connection, 12);
  });
});

it('every bad line is refused with its code and keeps the connection', () => {
  for (const { code, bytes } of BAD_LINES) {
    const decoded = decodeLine(bytes, 0, bytes.length - 1);
    // The decoder accepts a second identify; the connection refuses it.
    const actual = decoded.type === 'refused' ? decoded.code : decoded.type;
    assert.equal(actual, code === 'already_identified' ? 'identify' : code);
  }
});
