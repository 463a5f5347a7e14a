// One partition's batch, from its first record until the devices hear that it is stored. It never sends itself.
import { AgeRuns } from '../../measure/age-runs.ts';
import type { Histogram } from '../../measure/histogram.ts';
import type { IdentifiedSession } from '../../queue/job.ts';
import type { BatchTicket } from '../../workers/record-sink.ts';
import { batchBuffers } from './buffer-pool.ts';
import type { Codec } from './compression.ts';
import type { ProducerBatch } from './producer-batch.ts';
import { type ProducerStamp, RecordBatchWriter, type SealedBatch } from './record-batch.ts';

export interface BatchRoom {
  /** Bytes of memory to begin with. */
  readonly initialBytes: number;
  readonly records: number;
  readonly bytes: number;
}

const NOBODY: ReadonlyMap<IdentifiedSession, number> = new Map();

export class Batch implements BatchTicket, ProducerBatch {
  readonly partition: number;
  readonly openedAtMs: number;
  /** Bytes of the buffer budget that the batch holds now. */
  heldBytes = 0;
  /** When the lines of its records were received. */
  readonly received = new AgeRuns();
  /** When the lines that wait for a `stored` were received. */
  readonly awaited = new AgeRuns();
  /** Below these two limits the batcher appends without asking whether the batch may grow. */
  allowedRecords: number;
  allowedBytes: number;
  bytes: Buffer | undefined;
  producer: ProducerStamp | undefined;
  attempts = 0;

  // The pooled buffer behind `bytes`. Undefined if it must not be used again.
  #memory: Buffer | undefined;
  // Dropped once sealed: the uncompressed records take several times the memory of the sealed bytes.
  #writer: RecordBatchWriter | undefined;
  #count = 0;
  // Made for the second connection: most small batches have one or none that asked.
  #confirmations: Map<IdentifiedSession, number> | undefined;
  // The latest confirmation. Lines of a connection come in runs, so the map is written once for each run.
  #lastSession: IdentifiedSession | undefined;
  #lastSeq = -1;
  #closed = false;
  // Only while an async codec compresses.
  #sealing: Promise<void> | undefined;
  #settled = false;
  #isOnDisk = false;
  #waiters: (() => void)[] | undefined;

  constructor(partition: number, openedAtMs: number, { initialBytes, records, bytes }: BatchRoom) {
    this.partition = partition;
    this.openedAtMs = openedAtMs;
    this.allowedRecords = records;
    this.allowedBytes = bytes;
    this.#writer = new RecordBatchWriter(initialBytes);
  }

  get mayBeThere(): boolean {
    return this.attempts > 1;
  }

  /** For each connection that waits for a `stored`, the highest seq whose message ends in this batch. */
  get confirmations(): ReadonlyMap<IdentifiedSession, number> {
    this.#noteLast();
    return this.#confirmations ?? NOBODY;
  }

  /** Tells the connection `stored` up to `seq` when the batch is durable. A connection's seq only rises. */
  confirm(session: IdentifiedSession, seq: number): void {
    if (session !== this.#lastSession) {
      this.#noteLast();
      this.#lastSession = session;
    }
    this.#lastSeq = seq;
  }

  #noteLast(): void {
    if (this.#lastSession === undefined) return;
    this.#confirmations ??= new Map();
    this.#confirmations.set(this.#lastSession, this.#lastSeq);
  }

  get count(): number {
    return this.#writer?.count ?? this.#count;
  }

  /** Sealing has begun. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Takes records. @throws Error if the batch is sealed */
  get writer(): RecordBatchWriter {
    if (this.#writer === undefined) throw new Error('a sealed batch takes no records');
    return this.#writer;
  }

  /** How long its records took until now, in seconds. */
  recordAges(ages: Histogram, nowMs: number): void {
    this.received.recordTo(ages, nowMs);
  }

  /** Compresses the records and sets `bytes`, at once unless the codec is async. Further calls wait for the first. */
  seal(codec: Codec): Promise<void> | undefined {
    if (this.#closed) return this.#sealing;
    this.#closed = true;
    const { writer } = this;
    const sealed = writer.seal(codec);
    if (sealed instanceof Promise) this.#sealing = sealed.then((batch) => this.#sealed(writer, batch));
    else this.#sealed(writer, sealed);
    return this.#sealing;
  }

  /** Kafka does not have the batch for certain, so the next sending may give it a new sequence. */
  unsend(): void {
    this.producer = undefined;
    this.attempts = 0;
    this.#memory = undefined;
  }

  get isOnDisk(): boolean {
    return this.#isOnDisk;
  }

  /** Drops the bytes, which are on disk. The devices are still to be told. */
  leaveMemory(): void {
    this.#isOnDisk = true;
    this.bytes = undefined;
    this.#memory = undefined;
  }

  /**
   * Gives the memory back to the pool after Kafka's answer. A batch that was sent several times keeps its memory: a
   * connection may still be writing an earlier sending.
   */
  reuse(): void {
    if (this.#memory === undefined || this.attempts !== 1) return;
    batchBuffers.give(this.#memory);
    this.#memory = undefined;
    this.bytes = undefined;
  }

  settled(): Promise<void> {
    if (this.#settled) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters ??= [];
      this.#waiters.push(resolve);
    });
  }

  /** The records are durable: tells the waiting connections `stored` and resolves settled(). */
  settle(): void {
    if (this.#confirmations !== undefined)
      for (const [session, seq] of this.confirmations) session.stored(seq);
    else this.#lastSession?.stored(this.#lastSeq);
    this.release();
  }

  /** Other batches have its records: resolves settled() when they are settled. */
  async follow(parts: readonly Batch[]): Promise<void> {
    await Promise.all(parts.map((part) => part.settled()));
    this.#isOnDisk = parts.some((part) => part.isOnDisk);
    this.release();
  }

  /** Resolves settled() without telling the connections anything. */
  release(): void {
    this.#settled = true;
    const waiters = this.#waiters;
    this.#waiters = undefined;
    if (waiters !== undefined) for (const waiter of waiters) waiter();
  }

  #sealed(writer: RecordBatchWriter, { bytes, memory }: SealedBatch): void {
    this.#sealing = undefined;
    this.#count = writer.count;
    this.#writer = undefined;
    this.bytes = bytes;
    this.#memory = memory;
  }
}
