// What happens when Kafka refuses a record after its message was accepted: its device hears why, and the record
// becomes a dead letter. Belongs to the wiring, as it joins delivery, the dead letters and the connections.

import type { RefusedRecord } from '../kafka/batches/split-batch.ts';
import type { Kafka } from '../kafka/kafka.ts';
import { letterOf } from '../kafka/pipelines/dead-letters.ts';
import type { Code } from '../protocol/codes.ts';
import type { TcpServer } from '../server/tcp-server.ts';

/** Tells the device at once. Resolves when the letter is durable; until then the record must not leave the disk. */
export async function answerRefusedRecord(
  record: RefusedRecord,
  reason: string,
  { server, kafka }: { server: TcpServer; kafka: Kafka },
): Promise<void> {
  const { letter, seq } = letterOf(record, reason);
  const connection = server.connection(letter.connectionId);
  const code: Code =
    reason === 'MESSAGE_TOO_LARGE' || reason === 'RECORD_LIST_TOO_LARGE'
      ? 'record_too_large'
      : 'invalid_message';
  connection?.refuseAccepted(code, `Kafka refused the record: ${reason}`, seq);
  await kafka.deadLetters.record({ ...letter, remoteAddress: connection?.remoteAddress ?? '' });
}
