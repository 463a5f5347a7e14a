// Answers for a record that Kafka refused after its message was accepted: tells the device why and stores the record as
// a dead letter.
import type { RefusedRecord } from '../kafka/batches/split-batch.ts';
import { type DeadLetters, letterOf } from '../kafka/pipelines/dead-letters.ts';
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
  const { letter, seq, deviceId } = letterOf(record, why);
  const connection = connections.get(letter.connectionId);
  const { reason } = why;
  const isTooLarge = reason === 'MESSAGE_TOO_LARGE' || reason === 'RECORD_LIST_TOO_LARGE';
  const code = isTooLarge ? 'record_too_large' : 'invalid_message';
  const message = `Kafka refused the record: ${reason}`;
  connection?.refuseAccepted(code, message, seq);
  taps.recordRefused({ ...letter, deviceId, code, message, remoteAddress: connection?.remoteAddress ?? '' });
  await deadLetters.record({ ...letter, remoteAddress: connection?.remoteAddress ?? '' });
}
