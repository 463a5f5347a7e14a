// One partition's batch from its first record to its confirmation, and what has to happen then.
import type { Session } from '../../queue/job.ts';
import type { BatchTicket } from '../../workers/record-sink.ts';
import type { ProducerBatch } from '../delivery/producer-batch.ts';
import { batchBuffers } from './buffer-pool.ts';
import type { Codec } from './compression.ts';
import { type ProducerStamp, RecordBatchWriter } from './record-batch.ts';

export interface BatchRoom {
  /** Bytes to have memory for at first. */
  readonly initialBytes: number;
  readonly records: number;
  readonly bytes: number;
}

export class Batch implements BatchTicket, ProducerBatch {
  readonly partition: number;
  readonly openedAtMs: number;
  /** What it takes of the budget now. */
  heldBytes = 0;
  /** It takes records without further questions as long as it has fewer records and not more bytes than that. */
  allowedRecords: number;
  allowedBytes: number;
  bytes: Buffer | undefined;
  producer: ProducerStamp | undefined;
  attempts = 0;

  // What the bytes lie in, where it may be used again.
  #memory: Buffer | undefined;
  // Dropped once sealed: the uncompressed records would weigh several times what is sent.
  #writer: RecordBatchWriter | undefined;
  #count = 0;
  readonly #confirmations = new Map<Session, number>();
  // Lines of a connection come in runs: a lookup for each run, not for each line.
  #asked: Session | undefined;
  #askedSeq = -1;
  #sealing: Promise<void> | undefined;
  #settled = false;
  #waiters: (() => void)[] = [];

  constructor(partition: number, openedAtMs: number, { initialBytes, records, bytes }: BatchRoom) {
    this.partition = partition;
    this.openedAtMs = openedAtMs;
    this.allowedRecords = records;
    this.allowedBytes = bytes;
    this.#writer = new RecordBatchWriter(initialBytes);
  }

  /** For each connection that asked, the highest seq whose message ends in this batch. */
  get confirmations(): ReadonlyMap<Session, number> {
    if (this.#asked !== undefined) this.#confirmations.set(this.#asked, this.#askedSeq);
    return this.#confirmations;
  }

  /** The connection is told so when the batch is durable. A connection's seq rises. */
  confirm(session: Session, seq: number): void {
    if (session !== this.#asked) {
      if (this.#asked !== undefined) this.#confirmations.set(this.#asked, this.#askedSeq);
      this.#asked = session;
    }
    this.#askedSeq = seq;
  }

  get count(): number {
    return this.#writer?.count ?? this.#count;
  }

  /** Sealing has begun. */
  get closed(): boolean {
    return this.#sealing !== undefined;
  }

  /** For appending; gone once it is sealed. */
  get writer(): RecordBatchWriter {
    if (this.#writer === undefined) throw new Error('a sealed batch takes no records');
    return this.#writer;
  }

  /** Compresses the records, once; afterwards `bytes` is set. */
  seal(codec: Codec): Promise<void> {
    this.#sealing ??= this.#seal(codec);
    return this.#sealing;
  }

  /** Kafka certainly does not have it: it is given a sequence when it is sent again. */
  unsend(): void {
    this.producer = undefined;
    this.attempts = 0;
    this.#memory = undefined;
  }

  /** The disk has the bytes. Who waits for the batch is still to be told. */
  leaveMemory(): void {
    this.bytes = undefined;
    this.#memory = undefined;
  }

  /**
   * Kafka has answered for it: the memory of its bytes may be used again. Not where it was sent several times, since
   * a connection may still hold a former sending.
   */
  reuse(): void {
    if (this.#memory === undefined || this.attempts !== 1) return;
    batchBuffers.give(this.#memory);
    this.#memory = undefined;
    this.bytes = undefined;
  }

  settled(): Promise<void> {
    return this.#settled ? Promise.resolve() : new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Its records are durable: tells the connections that asked, and whoever waits. */
  settle(): void {
    for (const [session, seq] of this.confirmations) session.stored(seq);
    this.release();
  }

  /** Lets waiters go without telling the connections anything. */
  release(): void {
    this.#settled = true;
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  async #seal(codec: Codec): Promise<void> {
    const writer = this.writer;
    const { bytes, memory } = await writer.seal(codec);
    this.#count = writer.count;
    this.#writer = undefined;
    this.bytes = bytes;
    this.#memory = memory;
  }
}
