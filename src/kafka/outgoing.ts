// What a partition sends next, wherever it comes from: a batch from memory, one read back from the spool, or a
// part of either that was split because of a record Kafka refused.
import type { ProducerStamp } from './record-batch.ts';

export interface Outgoing {
  /** Undefined while it is being compressed. */
  readonly bytes: Buffer | undefined;
  readonly count: number;
  /** Monotonic milliseconds since when it waits. */
  readonly openedAtMs: number;
  /** Given before it is first sent, and kept for every retry. */
  producer: ProducerStamp | undefined;
  /** Times it was sent. */
  attempts: number;
}

/** Bytes that are ready to be sent as they are. */
export class ReadyBatch implements Outgoing {
  readonly bytes: Buffer;
  readonly count: number;
  readonly openedAtMs: number;
  producer: ProducerStamp | undefined;
  attempts = 0;
  /** The spool's offset of its first record, undefined where it does not come from there. */
  readonly offset: number | undefined;

  constructor(bytes: Buffer, count: number, openedAtMs: number, offset?: number) {
    this.bytes = bytes;
    this.count = count;
    this.openedAtMs = openedAtMs;
    this.offset = offset;
  }
}
