// What happens when Kafka refuses a record after its message was accepted: it goes to the dead letters, and its
// device hears why. Belongs to the wiring, as it joins delivery, the dead letters and the connections.
import type { Kafka } from './kafka/kafka.ts';
import type { RefusedRecord } from './kafka/split-batch.ts';
import type { Code } from './protocol/codes.ts';
import type { TcpServer } from './server/tcp-server.ts';

export async function answerRefusedRecord(
  { value, timestampMs }: RefusedRecord,
  reason: string,
  { server, kafka }: { server: TcpServer; kafka: Kafka },
): Promise<void> {
  // Our own encoding (protocol/record-frame.ts), so the shape is known.
  const {
    connection_id: connectionId,
    zipcode,
    seq,
  } = JSON.parse(value.toString()) as {
    connection_id: string;
    zipcode: string;
    seq?: number;
  };
  const connection = server.connection(connectionId);
  const remoteAddress = connection?.remoteAddress ?? '';
  kafka.deadLetters?.record({
    value,
    reason,
    connectionId,
    zipcode,
    remoteAddress,
    receivedAtMs: timestampMs,
  });
  const code: Code =
    reason === 'MESSAGE_TOO_LARGE' || reason === 'RECORD_LIST_TOO_LARGE'
      ? 'record_too_large'
      : 'invalid_message';
  connection?.refuseAccepted(code, `Kafka refused the record: ${reason}`, seq);
}
