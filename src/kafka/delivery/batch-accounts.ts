// Accounts for one topic's batches: the memory that they hold, their charge on the buffer budget, and the counts of
// records confirmed, refused and spooled. It never sends or writes a batch.
import { BATCH_BYTES, BATCH_RECORDS, LINE_SECONDS } from '../../measure/buckets.ts';
import { Histogram } from '../../measure/histogram.ts';
import type { Batch } from '../batches/batch.ts';
import type { BufferBudget } from '../batches/buffer-budget.ts';
import type { Codec } from '../batches/compression.ts';
import { CompressionRatio } from '../batches/compression-ratio.ts';
import type { ProducerBatch } from '../batches/producer-batch.ts';

export class DeliveryCounters {
  confirmed = 0;
  deadLettered = 0;
  batchesConfirmed = 0;
  batchesSpooled = 0;
  retries = 0;
  lastError: string | null = null;
}

/** Several deliveries of a process may share them. */
export class DeliveryHistograms {
  /** Seconds from the reception of a line to its `stored`. */
  readonly lineToStored = new Histogram(LINE_SECONDS);
  /** Seconds from the reception of a record's line to Kafka's acknowledgement. */
  readonly lineToKafka = new Histogram(LINE_SECONDS);
  /** Of acknowledged batches. */
  readonly batchRecords = new Histogram(BATCH_RECORDS);
  readonly batchBytes = new Histogram(BATCH_BYTES);
}

export class BatchAccounts {
  readonly counters = new DeliveryCounters();
  readonly #codec: Codec;
  readonly #budget: BufferBudget;
  readonly #ratio = new CompressionRatio();
  readonly #histograms: DeliveryHistograms;
  #inFlightRecords = 0;
  #emptyWaiters: (() => void)[] = [];

  constructor(codec: Codec, budget: BufferBudget, histograms = new DeliveryHistograms()) {
    this.#codec = codec;
    this.#budget = budget;
    this.#histograms = histograms;
  }

  /** Records of batches that are neither confirmed nor on disk. */
  get inFlightRecords(): number {
    return this.#inFlightRecords;
  }

  get compressionRatio(): number {
    return this.#ratio.least;
  }

  delivered(batch: Batch): void {
    this.#inFlightRecords += batch.count;
  }

  /** Compresses the batch, once, at once unless the codec is async. From then on the budget is charged the compressed bytes. */
  seal(batch: Batch): Promise<void> | undefined {
    if (batch.bytes !== undefined) return undefined;
    const { heldBytes } = batch;
    const sealing = batch.seal(this.#codec);
    if (sealing !== undefined) return sealing.then(() => this.#sealed(batch, heldBytes));
    this.#sealed(batch, heldBytes);
    return undefined;
  }

  #sealed(batch: Batch, heldBytes: number): void {
    const bytes = batch.bytes?.length ?? 0;
    this.#ratio.note(heldBytes, bytes);
    this.#budget.release(batch.heldBytes - bytes);
    batch.heldBytes = bytes;
  }

  /** The parts hold the batch's records, and the batch leaves memory. */
  replaced(batch: Batch, parts: readonly Batch[]): void {
    this.#budget.release(batch.heldBytes);
    for (const { heldBytes } of parts) this.#budget.take(heldBytes);
  }

  /** Kafka has the batch, which leaves memory. */
  confirmed(batch: Batch): void {
    this.passed({ stored: batch.count, refused: 0 });
    this.#leaveMemory(batch);
    this.settle(batch);
  }

  /** The batch is durable: tells its devices. */
  settle(batch: Batch): void {
    batch.settle();
    batch.awaited.recordTo(this.#histograms.lineToStored, Date.now());
  }

  /** Kafka has acknowledged a batch, from memory or from the disk, whose bytes are still there. */
  acknowledged(batch: ProducerBatch): void {
    const { lineToKafka, batchRecords, batchBytes } = this.#histograms;
    batchRecords.record(batch.count);
    batchBytes.record(batch.bytes?.length ?? 0);
    batch.recordAges(lineToKafka, Date.now());
  }

  /** Kafka has the stored records, and the refused ones are durable as dead letters. */
  passed({ stored, refused }: { readonly stored: number; readonly refused: number }): void {
    this.counters.confirmed += stored;
    this.counters.deadLettered += refused;
    if (stored === 0) return;
    this.counters.batchesConfirmed++;
    this.counters.lastError = null;
  }

  /** The disk has the batches, which leave memory. The caller tells their devices. */
  spooled(batches: readonly Batch[]): void {
    for (const batch of batches) {
      this.counters.batchesSpooled++;
      this.#leaveMemory(batch);
      batch.leaveMemory();
    }
  }

  /** Resolves when memory holds no batch: all are confirmed or on disk. Also resolves on releaseWaiters(). */
  empty(): Promise<void> {
    if (this.#inFlightRecords === 0) return Promise.resolve();
    return new Promise((resolve) => this.#emptyWaiters.push(resolve));
  }

  releaseWaiters(): void {
    for (const wake of this.#emptyWaiters.splice(0)) wake();
  }

  #leaveMemory(batch: Batch): void {
    this.#budget.release(batch.heldBytes);
    this.#inFlightRecords -= batch.count;
    if (this.#inFlightRecords === 0) this.releaseWaiters();
  }
}
