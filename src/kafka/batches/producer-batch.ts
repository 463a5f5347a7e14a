// A batch as the sender sees it, whether it comes from memory (batch.ts) or from the disk (DiskBatch).
import type { Histogram } from '../../measure/histogram.ts';
import { type ProducerStamp, readTimes } from './record-batch.ts';

export interface ProducerBatch {
  /** Undefined while the batch is being compressed. */
  readonly bytes: Buffer | undefined;
  readonly count: number;
  /** Set before the batch is first sent, and kept for every retry. */
  producer: ProducerStamp | undefined;
  /** How many times the batch was sent. */
  attempts: number;
  /** Kafka may have the batch from an earlier sending. */
  readonly mayBeThere: boolean;
  /** Adds the time that each of its records took since its reception, in seconds. */
  recordAges(ages: Histogram, nowMs: number): void;
}

type DiskBatchParts = Pick<DiskBatch, 'bytes' | 'count' | 'offset'> & { readonly isStamped?: boolean };

/** Records read back from a partition's spool, as one batch. */
export class DiskBatch implements ProducerBatch {
  readonly bytes: Buffer;
  readonly count: number;
  /** Offset of its first record in the spool. */
  readonly offset: number;
  /** It was sent before it was written to the disk, and carries that sequence. */
  readonly isStamped: boolean;
  producer: ProducerStamp | undefined;
  attempts = 0;
  /** A former process, or this one before an outage, may have sent it under the same sequence. */
  readonly mayBeThere = true;

  constructor({ bytes, count, offset, isStamped = false }: DiskBatchParts) {
    this.bytes = bytes;
    this.count = count;
    this.offset = offset;
    this.isStamped = isStamped;
  }

  /** Offset after its last record in the spool. */
  get end(): number {
    return this.offset + this.count;
  }

  /** Only the times of the first and the last are in the header, so each record counts with the middle. */
  recordAges(ages: Histogram, nowMs: number): void {
    const { firstMs, lastMs } = readTimes(this.bytes);
    ages.record(Math.max(0, nowMs - (firstMs + lastMs) / 2) / 1000, this.count);
  }
}
