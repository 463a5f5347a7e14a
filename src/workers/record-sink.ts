// The interface of the Kafka side for workers. Workers know nothing else of it.
import type { IdentifiedSession } from '../queue/job.ts';

export interface RecordSink {
  /** Largest JSON text of a reading whose record still fits the topic, less the excessBytes of its frame. */
  readonly maxReadingBytes: number;
  /** False while unconfirmed records fill the buffer. Nothing may be appended then. */
  hasRoom(): boolean;
  /** Resolves with true when there may be room, with false if the sink was closed. */
  room(): Promise<boolean>;
  /** Appends one record to the open batch of the session's partition. Copies the reading before it returns. */
  append(session: IdentifiedSession, reading: Reading): BatchTicket;
}

/** One reading: bytes[start, end) is the value of its record after the head (recordTail). */
export interface Reading {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** Bytes of white space between tokens. The record leaves them out. */
  whitespace: number;
  /** Wall clock, milliseconds since 1970. */
  receivedAtMs: number;
  /** The seq of the message, -1 if it has none. */
  seq: number;
  /** True for the last reading of a message: when its batch is durable, the message is. */
  confirms: boolean;
  /** The key of this record alone, which also chooses its partition. Undefined for the key of the session's frame. */
  key?: Buffer | undefined;
  /** The value of the header `traceparent`. Undefined if the message has none. */
  traceparent?: Uint8Array | undefined;
}

/** The batch of an appended record. */
export interface BatchTicket {
  /** Resolves when the batch is confirmed, on disk, or refused. */
  settled(): Promise<void>;
  /** Once settled: the disk has it, and Kafka perhaps not yet. */
  readonly isOnDisk?: boolean;
}
