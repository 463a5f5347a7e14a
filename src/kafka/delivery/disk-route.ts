// One partition's way through the disk: batches from memory into its spool, and from there back as batches to send,
// stamped so that Kafka recognises a second sending. It knows the disk and the stamps, not when to send.
import { PartitionSpool } from '../../spool/partition-spool.ts';
import type { SpooledBatch } from '../../spool/segment-reader.ts';
import type { SpoolLog } from '../../spool/spool-log.ts';
import type { Batch } from '../batches/batch.ts';
import { type BatchLimits, BatchMerger } from '../batches/batch-merger.ts';
import type { Codec } from '../batches/compression.ts';
import { NO_PRODUCER, nextSequence, readStamp, stamp } from '../batches/record-batch.ts';
import { split } from '../batches/split-batch.ts';
import { DiskBatch } from './producer-batch.ts';
import type { ProducerIdentity, ProducerSequence } from './producer-sequence.ts';

export interface DiskRouteOptions {
  readonly codec: Codec;
  /** Limits of a merged batch; undefined until the topic's are known, and then each batch is sent as it lies. */
  readonly limits: () => BatchLimits | undefined;
  /** Merged records get the time of the merging, because their batch is stamped with the time of sending. */
  readonly isStampedWhenSent: boolean;
  readonly signal: AbortSignal;
}

export interface DiskRouteEvents {
  /** These batches are synced to the disk, in order. @param end the spool's offset after the last of them */
  durable(batches: readonly Batch[], end: number): void;
  /** The disk refuses a write (the reason) or takes writes again (null). */
  trouble(reason: string | null): void;
}

/** An offset that is never the acknowledged one. */
const UNKNOWN = -1;

export class DiskRoute {
  readonly #log: SpoolLog;
  readonly #options: DiskRouteOptions;
  readonly #spool: PartitionSpool<Batch>;
  // Batches that the spool has not written yet.
  #unwritten: Batch[] = [];
  // The end of the last batch that was read. If it is not acknowledged when the next one is asked for, it is read again.
  #readEnd: number | undefined;
  // The rest of a batch of which next() gave a part.
  #rest: DiskBatch | undefined;

  constructor(log: SpoolLog, options: DiskRouteOptions, events: DiskRouteEvents) {
    this.#log = log;
    this.#options = options;
    this.#spool = new PartitionSpool<Batch>(
      log,
      {
        durable: (batches) => {
          this.#unwritten.splice(0, batches.length);
          events.durable(batches, log.nextOffset);
        },
        trouble: (reason) => events.trouble(reason),
      },
      options.signal,
    );
  }

  /** Batches that were given to write() and are not durable yet. */
  get waiting(): number {
    return this.#spool.waiting;
  }

  /** The disk refused the latest write. */
  get isFailing(): boolean {
    return this.#spool.failing;
  }

  /** Everything on disk has been read. */
  get isFullyRead(): boolean {
    return this.#log.caughtUp && this.#rest === undefined;
  }

  /** Writes a sealed batch, behind all others. */
  write(batch: Batch): void {
    // A batch that was sent keeps its stamp, because Kafka may have it. All others are stamped when they are sent.
    if (batch.bytes !== undefined && batch.attempts === 0) {
      batch.producer = NO_PRODUCER;
      stamp(batch.bytes, NO_PRODUCER);
    }
    this.#unwritten.push(batch);
    this.#spool.add(batch);
  }

  /** Gives back the batches that the disk does not take. They follow all that is on disk. */
  takeBack(): Batch[] {
    const batches = this.#spool.takeBack();
    this.#unwritten.splice(this.#unwritten.length - batches.length);
    for (const batch of batches) if (batch.attempts === 0) batch.producer = undefined;
    return batches;
  }

  /** What is on its way to the disk counts as not sent: the stamps belong to another cluster. */
  forgetProducer(): void {
    for (const batch of this.#unwritten) batch.unsend();
  }

  /** Stamps of another cluster become void, on disk and in what is on its way there. @throws the system's error */
  async bindTo(cluster: bigint): Promise<void> {
    const onItsWay = this.#unwritten.reduce((sum, { count }) => sum + count, 0);
    await this.#log.bindTo(cluster, this.#log.nextOffset + onItsWay);
  }

  /**
   * The next batch to send, not stamped yet; undefined if everything on disk was read.
   * @throws the system's error if the disk does not give it back
   */
  async next(): Promise<DiskBatch | undefined> {
    if (this.#readEnd !== undefined && this.#readEnd !== this.#log.acknowledged) await this.rewind();
    // If the disk fails in the middle of this, the next call begins again.
    this.#readEnd = UNKNOWN;
    const batch = this.#rest ?? (await this.#read());
    this.#rest = undefined;
    if (batch === undefined) {
      this.#readEnd = undefined;
      return undefined;
    }
    const [unsent = batch] = await this.#from(this.#log.acknowledged, batch);
    const next = await this.#upToPlanned(unsent);
    this.#readEnd = next.end;
    return next;
  }

  /** The batch behind the one that next() or following() gave last, although that is not acknowledged. */
  async following(): Promise<DiskBatch | undefined> {
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) {
      this.#readEnd = rest.end;
      return rest;
    }
    const next = await this.#log.next();
    if (next === undefined) return undefined;
    const { bytes, count, offset } = this.#asDiskBatch(next);
    this.#readEnd = offset + count;
    return new DiskBatch({ bytes, count, offset });
  }

  /**
   * Stamps the batch and remembers, durably, as which producer and up to where it is sent, so that a later process
   * sends the same again. @throws the system's error; then the batch must not be sent
   */
  async prepare(
    batch: DiskBatch,
    sequence: ProducerSequence,
    identity: ProducerIdentity | undefined,
  ): Promise<void> {
    const log = this.#log;
    if (batch.isStamped && (identity === undefined || log.assignment?.fromOffset !== batch.offset)) {
      batch.producer = readStamp(batch.bytes);
      if (identity !== undefined && log.assignment !== undefined) await log.assign(undefined);
      return;
    }
    if (identity === undefined) {
      // A merged batch has no checksum before it is stamped, and the bytes of its producer are not set.
      batch.producer = NO_PRODUCER;
      stamp(batch.bytes, NO_PRODUCER);
      return;
    }
    if (log.assignment === undefined) {
      const { producerId, producerEpoch, baseSequence } = sequence.take(identity, 0);
      await log.assign({ fromOffset: batch.offset, producerId, producerEpoch, firstSequence: baseSequence });
    }
    if (log.sendingEnd !== batch.end) await log.plan(batch.end);
    const { assignment } = log;
    if (assignment === undefined) return;
    const { fromOffset, producerId, producerEpoch, firstSequence } = assignment;
    const baseSequence = nextSequence(firstSequence, batch.offset - fromOffset);
    batch.producer = { producerId, producerEpoch, baseSequence };
    stamp(batch.bytes, batch.producer);
    // The assignment is this process's own: memory goes on at the sequence where the disk ends.
    if (sequence.identity?.producerId === producerId) {
      sequence.restart({ producerId, producerEpoch }, nextSequence(baseSequence, batch.count));
    }
  }

  /**
   * The same for a part of a batch, which is stamped when it is sent. A part that others have to be acknowledged before
   * is sent without being remembered: after a crash it is sent again.
   * @throws the system's error; then the part must not be sent
   */
  async preparePart(
    part: DiskBatch,
    sequence: ProducerSequence,
    identity: ProducerIdentity | undefined,
  ): Promise<void> {
    if (identity === undefined) return;
    if (part.offset === this.#log.acknowledged) {
      const { producerId, producerEpoch, baseSequence: firstSequence } = sequence.take(identity, 0);
      await this.#log.assign({ fromOffset: part.offset, producerId, producerEpoch, firstSequence });
      await this.#log.plan(part.end);
      return;
    }
    // The part takes a sequence that may be remembered for a record before it, which a start would then take for stored.
    if (this.isAssigned) await this.unassign();
  }

  /** Whether a producer is assigned to what is sent next, or the file may say so: by this process or an earlier one. */
  get isAssigned(): boolean {
    return this.#log.assignment !== undefined || this.#log.isCursorStale;
  }

  /** From `fromOffset` on batches are sent as this producer, whose sequence begins at 0. @throws the system's error */
  assign(fromOffset: number, { producerId, producerEpoch }: ProducerIdentity): Promise<void> {
    return this.#log.assign({ fromOffset, producerId, producerEpoch, firstSequence: 0 });
  }

  /** The producer is chosen when the next batch is prepared. @throws the system's error */
  unassign(): Promise<void> {
    return this.#log.assign(undefined);
  }

  /** Everything below `end` is in Kafka or durable elsewhere. @throws the system's error if the cursor cannot be written */
  acknowledge(end: number): Promise<void> {
    return this.#log.acknowledge(end);
  }

  /** Reads again from the last acknowledged record. */
  async rewind(): Promise<void> {
    this.#readEnd = UNKNOWN;
    this.#rest = undefined;
    await this.#log.rewind();
    this.#readEnd = undefined;
  }

  #asDiskBatch({ bytes, count, offset, stamped }: SpooledBatch): DiskBatch {
    return new DiskBatch({ bytes, count, offset, isStamped: stamped && offset >= this.#log.foreignEnd });
  }

  /** The batch and those that follow it, as long as they fit into one batch for Kafka. */
  async #gather(first: SpooledBatch): Promise<SpooledBatch> {
    const limits = this.#options.limits();
    const log = this.#log;
    const isAlone = ({ stamped, offset }: SpooledBatch) => stamped && offset >= log.foreignEnd;
    if (limits === undefined || isAlone(first)) return first;
    // A batch that may have reached Kafka before is cut at the same place again.
    const planned = (log.sendingEnd ?? 0) > first.offset ? log.sendingEnd : undefined;
    const merger = new BatchMerger(first, limits);
    while (merger.end < (planned ?? Infinity)) {
      const next = await log.peekAdjoining(merger.end);
      if (next === undefined || isAlone(next) || next.offset + next.count > (planned ?? Infinity)) break;
      if (!(await merger.add(next, { force: planned !== undefined }))) break;
      await log.next();
    }
    return merger.merged(this.#options.codec, this.#options.isStampedWhenSent ? Date.now() : undefined);
  }

  async #read(): Promise<DiskBatch | undefined> {
    const first = await this.#log.next();
    return first && this.#asDiskBatch(await this.#gather(first));
  }

  /** A part of a batch that may have reached Kafka before is cut at the same place again. */
  async #upToPlanned(batch: DiskBatch): Promise<DiskBatch> {
    const end = this.#log.sendingEnd ?? 0;
    if (end <= batch.offset || end >= batch.end) return batch;
    const [part = batch, rest] = await split(batch, [end - batch.offset, batch.count], this.#options.codec);
    this.#rest = rest;
    return part;
  }

  /** Without the records that are acknowledged already: a search acknowledges parts of a batch. */
  async #from(acknowledged: number, batch: DiskBatch): Promise<DiskBatch[]> {
    const passed = acknowledged - batch.offset;
    if (passed <= 0) return [batch];
    return (await split(batch, [passed, batch.count], this.#options.codec)).slice(1);
  }
}
