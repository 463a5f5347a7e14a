// The checks that a leader makes of a batch before it looks at its sequence, in the order of Kafka 4.1: UnifiedLog, then
// LogValidator. A refused batch changes nothing.
import { ZSTD } from './codecs.ts';
import { CODE } from './error-codes.ts';
import { type ReceivedBatch, receive, recordsOf, type StoredRecord } from './stored-batch.ts';
import type { TopicRules } from './topic-config.ts';

const FIRST_VERSION_WITH_ZSTD = 7;
const MAGIC = 2;
const CONTROL = 32;

export interface CheckedBatch {
  readonly batch: ReceivedBatch;
  readonly records: readonly StoredRecord[];
}

export interface RuleContext {
  readonly rules: TopicRules;
  readonly nowMs: number;
  /** A rule of the test's own: the error code for a record, 0 if it is taken. */
  readonly refuse: (record: StoredRecord) => number;
}

/** The checks that a broker makes before it looks for the partition. @returns an error code, 0 if it is fine */
export function checkForm(bytes: Buffer, version: number): number {
  if (bytes.length < 61) return CODE.invalidRecord;
  if (bytes.readInt8(16) !== MAGIC) return CODE.invalidRecord;
  const codec = bytes.readInt16BE(21) & 7;
  return codec === ZSTD && version < FIRST_VERSION_WITH_ZSTD ? CODE.unsupportedCompression : CODE.none;
}

/** @returns the batch and its records, or an error code */
export function checkBatch(bytes: Buffer, { rules, nowMs, refuse }: RuleContext): CheckedBatch | number {
  const batch = receive(bytes);
  if (batch === undefined) return CODE.corruptMessage;
  if (batch.baseOffset !== 0) return CODE.invalidRecord;
  if (bytes.length > rules.maxMessageBytes) return CODE.messageTooLarge;
  if (!batch.isWhole) return CODE.corruptMessage;
  if (batch.count <= 0 || batch.span !== batch.count || (batch.attributes & CONTROL) !== 0)
    return CODE.invalidRecord;
  if (batch.producerId >= 0n && batch.firstSequence < 0) return CODE.invalidRecord;
  let records: StoredRecord[];
  try {
    records = recordsOf(batch);
  } catch {
    return batch.codec === 0 ? CODE.invalidRecord : CODE.unknownServerError;
  }
  const code = codeOf(records, { rules, nowMs, refuse });
  if (code !== CODE.none) return code;
  return bytes.length > rules.segmentBytes ? CODE.recordListTooLarge : { batch, records };
}

/** A wrong time counts before any other fault of a record, if several records are refused. */
function codeOf(records: readonly StoredRecord[], { rules, nowMs, refuse }: RuleContext): number {
  const codes = records.map((record) => {
    if (rules.isCompacted && record.key === null) return CODE.invalidRecord;
    const aheadMs = record.timestampMs - nowMs;
    const isWrongTime = aheadMs > rules.afterMaxMs || -aheadMs > rules.beforeMaxMs;
    return !rules.isLogAppendTime && isWrongTime ? CODE.invalidTimestamp : refuse(record);
  });
  if (codes.includes(CODE.invalidTimestamp)) return CODE.invalidTimestamp;
  return codes.find((code) => code !== CODE.none) ?? CODE.none;
}
