// Makes the records that the gateway would write for the load's lines, with the gateway's own decoder.
import assert from 'node:assert/strict';
import { type LineFormat, LineTexts, LineWriter } from '../../load/devices/line-writer.ts';
import { deviceName } from '../../load/verification/record.ts';
import type { Verdict } from '../../load/verification/verifier.ts';
import { decodeLine } from '../../src/protocol/messages.ts';

export const RUN = 'r0badcafe';
/** A verdict that finds nothing wrong. */
export const FAULTLESS: Omit<Verdict, 'delivered' | 'examples'> = {
  lost: 0,
  duplicated: 0,
  reordered: 0,
  corrupted: 0,
  invented: 0,
  unansweredMissing: 0,
  foreign: 0,
};
export const DUE_US = 1_763_712_000_123_456;

export function lineWriter(format: Partial<LineFormat> = {}, device = 17): LineWriter {
  const texts = new LineTexts({ shape: { kind: 'flat' }, seq: true, sizeBytes: 170, ...format }, 1);
  const writer = new LineWriter(texts, deviceName(RUN, device));
  writer.connected(1);
  return writer;
}

/** Message `number` as a line with its LF. */
export function lineOf(writer: LineWriter, number: number, dueUs = DUE_US): Buffer {
  const out = Buffer.alloc(writer.maxBytes);
  return out.subarray(0, writer.write(out, 0, number, dueUs));
}

/** The values of a line's records, and its `seq`. */
export function recordsOf(line: Buffer): { values: Buffer[]; seq: number | undefined } {
  const decoded = decodeLine(line, 0, line.length - 1);
  assert.equal(decoded.type, 'metrics', `${line}: ${JSON.stringify(decoded)}`);
  if (decoded.type !== 'metrics') throw new Error('unreachable');
  const values = decoded.readings.map((reading) =>
    Buffer.from(
      `{"connection_id":"c","zipcode":"10000","city":"Loadville","received_at":"t","data":${reading}}`,
    ),
  );
  return { values, seq: decoded.seq };
}
