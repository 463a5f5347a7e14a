// Answers for a record that Kafka refused after its message was accepted: tells the device why and stores the record as
// a dead letter.
import type { RefusedRecord } from '../kafka/batches/split-batch.ts';
import { type DeadLetters, letterOf } from '../kafka/pipelines/dead-letters.ts';
import type { Connection } from '../server/connection.ts';

/** Tells the device at once. Resolves when the letter is durable: the record must not leave the disk before. */
export async function answerRefusedRecord(
  record: RefusedRecord,
  reason: string,
  { connections, deadLetters }: { connections: ReadonlyMap<string, Connection>; deadLetters: DeadLetters },
): Promise<void> {
  const { letter, seq } = letterOf(record, reason);
  const connection = connections.get(letter.connectionId);
  const isTooLarge = reason === 'MESSAGE_TOO_LARGE' || reason === 'RECORD_LIST_TOO_LARGE';
  const code = isTooLarge ? 'record_too_large' : 'invalid_message';
  connection?.refuseAccepted(code, `Kafka refused the record: ${reason}`, seq);
  await deadLetters.record({ ...letter, remoteAddress: connection?.remoteAddress ?? '' });
}
