// The disk that an outage of Kafka takes on one machine, and the time until it is empty again.
import type { Constants } from '../constants.ts';

export interface SpoolNeed {
  readonly messages: number;
  readonly bytes: number;
  readonly writtenBytesPerSecond: number;
  /** After Kafka's return, while devices go on. A slower Kafka makes it longer. */
  readonly drainSeconds: number;
}

export interface Outage {
  readonly messagesPerSecond: number;
  readonly bytesPerRecord: number;
  readonly outageSeconds: number;
  readonly processes: number;
}

export function spoolOf(
  { drainPerSecond }: Constants,
  { messagesPerSecond, bytesPerRecord, outageSeconds, processes }: Outage,
): SpoolNeed {
  const messages = messagesPerSecond * outageSeconds;
  const fasterBy = processes * drainPerSecond - messagesPerSecond;
  return {
    messages,
    bytes: messages * bytesPerRecord,
    writtenBytesPerSecond: messagesPerSecond * bytesPerRecord,
    drainSeconds: fasterBy > 0 ? messages / fasterBy : Number.POSITIVE_INFINITY,
  };
}
