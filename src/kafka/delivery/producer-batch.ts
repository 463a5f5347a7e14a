// A batch as it is sent to Kafka, no matter if it comes from memory (batch.ts) or from the disk (DiskBatch).
import type { ProducerStamp } from '../batches/record-batch.ts';

export interface ProducerBatch {
  /** Undefined while the batch is being compressed. */
  readonly bytes: Buffer | undefined;
  readonly count: number;
  /** Given before the batch is first sent, and kept for every retry. */
  producer: ProducerStamp | undefined;
  /** Times it was sent. */
  attempts: number;
}

/** Records read back from a partition's spool, as one batch. */
export class DiskBatch implements ProducerBatch {
  readonly bytes: Buffer;
  readonly count: number;
  /** The spool's offset of its first record. */
  readonly offset: number;
  /** It carries the sequence that it was sent with before it came to the disk. */
  readonly isStamped: boolean;
  producer: ProducerStamp | undefined;
  attempts = 0;

  constructor({ bytes, count, offset, isStamped = false }: DiskBatchParts) {
    this.bytes = bytes;
    this.count = count;
    this.offset = offset;
    this.isStamped = isStamped;
  }

  /** The spool's offset after its last record. */
  get end(): number {
    return this.offset + this.count;
  }
}

export interface DiskBatchParts {
  readonly bytes: Buffer;
  readonly count: number;
  readonly offset: number;
  readonly isStamped?: boolean;
}
