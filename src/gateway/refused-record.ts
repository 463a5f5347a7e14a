// Answers for a record that Kafka refused after its message was accepted: tells the device why and stores the record as
// a dead letter.
import type { RefusedRecord } from '../kafka/batches/split-batch.ts';
import { type DeadLetters, letterOf } from '../kafka/pipelines/dead-letters.ts';
import type { RecordFrame } from '../protocol/record-frame.ts';
import type { Connection } from '../server/connection.ts';
import type { LineTaps } from '../tap/line-taps.ts';

export interface RefusedRecordDeps {
  readonly connections: ReadonlyMap<string, Connection>;
  readonly deadLetters: DeadLetters;
  readonly taps: LineTaps;
}

/** Tells the device at once. Resolves when the letter is durable: the record must not leave the disk before. */
export async function answerRefusedRecord(
  record: RefusedRecord,
  why: { readonly reason: string; readonly topic: string },
  { connections, deadLetters, taps }: RefusedRecordDeps,
): Promise<void> {
  const { letter: facts, seq, deviceId } = letterOf(record, why);
  // The record of a plain line names its connection in its key, if anywhere.
  const named = connections.get(facts.connectionId) ?? connections.get(`${Buffer.from(record.key)}`);
  const connection = named?.frame !== undefined && isOf(named.frame, record) ? named : undefined;
  const remoteAddress = connection?.remoteAddress ?? '';
  const letter = { ...facts, connectionId: connection?.id ?? facts.connectionId, remoteAddress };
  const { reason } = why;
  const isTooLarge = reason === 'MESSAGE_TOO_LARGE' || reason === 'RECORD_LIST_TOO_LARGE';
  const code = isTooLarge ? 'record_too_large' : 'invalid_message';
  const message = `Kafka refused the record: ${reason}`;
  connection?.refuseAccepted(code, message, seq);
  taps.recordRefused({ ...letter, deviceId, code, message });
  await deadLetters.record(letter);
}

/** A sender of plain lines may name the connection of another. Only who reads the topic could write all of this, too. */
function isOf(frame: RecordFrame, { key, value }: RefusedRecord): boolean {
  return frame.key.equals(key) && frame.begins(value);
}
