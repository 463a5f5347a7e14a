// What a worker needs of Kafka, and all it knows of it.
import type { Session } from '../queue/job.ts';

export interface RecordSink {
  /** Bytes a reading's JSON text may have so that its record fits the topic. */
  readonly maxReadingBytes: number;
  /** False while the unconfirmed records fill their buffer; then nothing may be appended. */
  hasRoom(): boolean;
  /** Resolves with true when there may be room again, with false when the sink was closed. */
  room(): Promise<boolean>;
  /** Appends one record to the open batch of the session's partition; the reading is copied before it returns. */
  append(session: Session, reading: Reading): BatchTicket;
}

/** One reading: bytes[start, end) is what follows the head of its record's value (recordTail). */
export interface Reading {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** Bytes of white space between the text's tokens; they are left out of the record. */
  whitespace: number;
  /** Wall clock, milliseconds since 1970. */
  receivedAtMs: number;
  /** The message's seq, -1 where it had none. */
  seq: number;
  /** True on the message's last reading: once its batch is durable, so is the message. */
  confirms: boolean;
}

/** A batch as the one who appended to it sees it. */
export interface BatchTicket {
  /** Resolves once the batch is confirmed, or its records are accounted for otherwise. */
  settled(): Promise<void>;
}
