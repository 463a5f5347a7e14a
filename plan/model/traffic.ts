// The traffic of a fleet: messages, batches, and the bytes of both on their ways.
import type { Constants } from '../constants.ts';
import type { Fleet } from './input.ts';

/** docs/protocol.md: a device that has nothing to say for a minute sends a keepalive. */
const KEEPALIVE_SECONDS = 60;

/** In the average second. */
export interface Traffic {
  readonly messages: number;
  readonly keepalives: number;
  /** From devices, with all headers up to IP. */
  readonly inBytes: number;
  /** To devices: replies and TCP acknowledgements. */
  readonly outBytes: number;
}

/** IPv4 and TCP with the time stamps that Linux uses. */
const PACKET_BYTES = 20 + 20 + 12;
/** TLS 1.3: header of a record, type of its content, tag. */
const RECORD_BYTES = 5 + 1 + 16;
const KEEPALIVE_BYTES = '{"type":"keepalive"}\n'.length;
const STORED_BYTES = '{"type":"ack","status":"stored","seq":1234567}\n'.length;
const ALIVE_BYTES = '{"type":"ack","status":"alive"}\n'.length;

export function trafficOf({ devices, intervalSeconds, lineBytes, tls }: Fleet): Traffic {
  const messages = devices / intervalSeconds;
  const keepalives = intervalSeconds > KEEPALIVE_SECONDS ? devices / KEEPALIVE_SECONDS - messages : 0;
  const around = PACKET_BYTES + (tls ? RECORD_BYTES : 0);
  // Each side acknowledges the other's line; the gateway does so with its reply.
  const inBytes =
    messages * (lineBytes + around + PACKET_BYTES) + keepalives * (KEEPALIVE_BYTES + around + PACKET_BYTES);
  const outBytes = messages * (STORED_BYTES + around) + keepalives * (ALIVE_BYTES + around);
  return { messages, keepalives, inBytes, outBytes };
}

export interface Batching {
  readonly messagesPerSecond: number;
  /** That make batches of their own: server processes, of all gateways. */
  readonly processes: number;
  readonly partitions: number;
  readonly lingerSeconds: number;
}

/**
 * Batches a second. A batch begins with a record that finds none open for its partition and leaves after the linger, so
 * with k such records a second there are k / (1 + k * linger).
 */
export function batchesPerSecond({
  messagesPerSecond,
  processes,
  partitions,
  lingerSeconds,
}: Batching): number {
  const producers = processes * partitions;
  return messagesPerSecond / (1 + (messagesPerSecond * lingerSeconds) / producers);
}

/**
 * Produce requests a second to a single broker. The batches of a process that are due together share one, so all of a
 * linger do, whatever their partitions.
 */
export function requestsPerSecond(batching: Omit<Batching, 'partitions'>): number {
  return batchesPerSecond({ ...batching, partitions: 1 });
}

/**
 * Bytes of a record in Kafka and in the spool, with its part of the batch. The fewer records share a batch, the less a
 * codec finds. That this falls with the square root of their number was measured, not derived.
 */
export function storedBytes(
  constants: Constants,
  { lineBytes, recordsPerBatch }: { readonly lineBytes: number; readonly recordsPerBatch: number },
): number {
  const { storedShare, storedRecordBytes, storedBatchBytes, storedBatchShare } = constants;
  return (
    storedRecordBytes +
    storedShare * lineBytes +
    (storedBatchBytes + storedBatchShare * lineBytes) / Math.sqrt(recordsPerBatch)
  );
}
