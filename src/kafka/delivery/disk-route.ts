// One partition's way through the disk: writes batches to its log and reads them back as batches to send, stamped so
// that Kafka recognises a repetition. It does not decide when a batch is sent.
import { type DiskTrouble, PartitionSpool } from '../../spool/partition-spool.ts';
import type { SpooledBatch } from '../../spool/segment-reader.ts';
import type { SpoolLog } from '../../spool/spool-log.ts';
import type { Batch } from '../batches/batch.ts';
import { type BatchLimits, BatchMerger } from '../batches/batch-merger.ts';
import type { Codec } from '../batches/compression.ts';
import { DiskBatch } from '../batches/producer-batch.ts';
import {
  NO_PRODUCER,
  nextSequence,
  type ProducerIdentity,
  readStamp,
  stamp,
} from '../batches/record-batch.ts';
import { codecOf, recode, splitBatch } from '../batches/split-batch.ts';
import type { ProducerSequence } from './producer-sequence.ts';

export interface DiskRouteOptions {
  readonly codec: Codec;
  /** Limits of a merged batch. Undefined until the topic's limits are known; until then batches are not merged. */
  readonly limits: () => BatchLimits | undefined;
  /** Batches carry the time of sending, so merged records get the time of the merge. */
  readonly isStampedWhenSent: boolean;
  readonly signal: AbortSignal;
}

export interface DiskRouteEvents {
  /** These batches are synced to the disk, in order. @param end the log's offset after the last of them */
  durable(batches: readonly Batch[], end: number): void;
  /** A write failed, or writes succeed again (null). */
  trouble(trouble: DiskTrouble | null): void;
}

/** An offset that is never the acknowledged one. */
const UNKNOWN = -1;

export class DiskRoute {
  readonly #log: SpoolLog;
  readonly #options: DiskRouteOptions;
  readonly #spool: PartitionSpool<Batch>;
  // Batches given to write() that are not durable yet.
  #unwritten: Batch[] = [];
  // End of the batch that was read last. If it is not acknowledged when next() is called, it is read again.
  #readEnd: number | undefined;
  // The rest of a batch that next() gave in part.
  #rest: DiskBatch | undefined;
  // Ids of the codecs that Kafka has refused.
  readonly #refusedCodecs = new Set<number>();

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
        trouble: (trouble) => events.trouble(trouble),
      },
      options.signal,
    );
  }

  /** How many batches given to write() are not durable yet. */
  get waiting(): number {
    return this.#spool.waiting;
  }

  /** The latest write failed. */
  get isFailing(): boolean {
    return this.#spool.isFailing;
  }

  /** Every batch on disk has been read. */
  get isFullyRead(): boolean {
    return this.#log.isFullyRead && this.#rest === undefined;
  }

  /** Writes a sealed batch behind all others. */
  write(batch: Batch): void {
    // A batch that was sent keeps its stamp, because Kafka may have it. Other batches are stamped when they are sent.
    if (batch.bytes !== undefined && batch.attempts === 0) {
      batch.producer = NO_PRODUCER;
      stamp(batch.bytes, NO_PRODUCER);
    }
    this.#unwritten.push(batch);
    this.#spool.add(batch);
  }

  /** Gives back the batches that could not be written. They follow all batches on disk. */
  takeBack(): Batch[] {
    const batches = this.#spool.takeBack();
    this.#unwritten.splice(this.#unwritten.length - batches.length);
    for (const batch of batches) if (batch.attempts === 0) batch.producer = undefined;
    return batches;
  }

  /** Batches on their way to the disk count as not sent, because their stamps belong to another cluster. */
  forgetProducer(): void {
    for (const batch of this.#unwritten) batch.unsend();
  }

  /** Voids stamps of another cluster, on disk and in batches on their way there. @throws the system's error */
  async bindTo(cluster: bigint): Promise<void> {
    const unwritten = this.#unwritten.reduce((sum, { count }) => sum + count, 0);
    await this.#log.bindTo(cluster, this.#log.nextOffset + unwritten);
  }

  /**
   * The next batch to send, not stamped yet. Undefined if every batch on disk was read.
   * @throws the system's error if the disk cannot be read
   */
  async next(): Promise<DiskBatch | undefined> {
    if (this.#readEnd !== undefined && this.#readEnd !== this.#log.acknowledged) await this.rewind();
    // If the disk fails before this call ends, the next call begins again.
    this.#readEnd = UNKNOWN;
    const batch = this.#rest ?? (await this.#read());
    this.#rest = undefined;
    if (batch === undefined) {
      this.#readEnd = undefined;
      return undefined;
    }
    const [unsent = batch] = await this.#from(this.#log.acknowledged, batch);
    const next = await this.#recoded(await this.#upToPlanned(unsent));
    this.#readEnd = next.end;
    return next;
  }

  /**
   * Kafka does not take this batch's codec. From now on batches in that codec are read in that of KAFKA_COMPRESSION: they
   * may be of an earlier process that had another setting.
   */
  codecRefused(batch: DiskBatch): void {
    this.#refusedCodecs.add(codecOf(batch));
  }

  /** The batch behind the one that next() or following() gave last, which need not be acknowledged yet. */
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
   * Stamps the batch, and makes durable under which producer it is sent and where it ends, so that a later process
   * repeats exactly this batch. @throws the system's error; then the batch must not be sent
   */
  async prepare(
    batch: DiskBatch,
    sequence: ProducerSequence,
    identity: ProducerIdentity | undefined,
  ): Promise<void> {
    const log = this.#log;
    if (batch.isStamped && (identity === undefined || log.assignment?.fromOffset !== batch.offset)) {
      batch.producer = readStamp(batch.bytes);
      if (identity !== undefined && (log.assignment !== undefined || log.owesCursor))
        await log.assign(undefined);
      return;
    }
    if (identity === undefined) {
      // A merged batch has neither a checksum nor a producer before it is stamped.
      batch.producer = NO_PRODUCER;
      stamp(batch.bytes, NO_PRODUCER);
      return;
    }
    if (log.assignment === undefined) {
      const { producerId, producerEpoch, baseSequence } = sequence.take(identity, 0);
      await log.assign({ fromOffset: batch.offset, producerId, producerEpoch, firstSequence: baseSequence });
    }
    // Memory has what the file may lack if an earlier try has failed to write it.
    if (log.sendingEnd !== batch.end || log.owesCursor) await log.setSendingEnd(batch.end);
    const { assignment } = log;
    if (assignment === undefined) return;
    const { fromOffset, producerId, producerEpoch, firstSequence } = assignment;
    const baseSequence = nextSequence(firstSequence, batch.offset - fromOffset);
    batch.producer = { producerId, producerEpoch, baseSequence };
    stamp(batch.bytes, batch.producer);
    // This process made the assignment itself, so memory continues the sequence behind the disk's last batch.
    if (sequence.identity?.producerId === producerId) {
      sequence.restart({ producerId, producerEpoch }, nextSequence(baseSequence, batch.count));
    }
  }

  /**
   * Does what prepare() does for a part of a batch; the partition stamps the part when it sends it. A part behind
   * unacknowledged ones is not made durable: after a crash it is sent again.
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
      await this.#log.setSendingEnd(part.end);
      return;
    }
    // The part takes a sequence that may be assigned on disk to an earlier record. A start would take that for stored.
    if (this.isAssigned) await this.unassign();
  }

  /** A producer is assigned to the next batch, or may be according to the file, by this process or an earlier one. */
  get isAssigned(): boolean {
    return this.#log.assignment !== undefined || this.#log.isCursorStale;
  }

  /** Batches from `fromOffset` on are sent as this producer, whose sequence begins at 0. @throws the system's error */
  assign(fromOffset: number, { producerId, producerEpoch }: ProducerIdentity): Promise<void> {
    return this.#log.assign({ fromOffset, producerId, producerEpoch, firstSequence: 0 });
  }

  /** Removes the assignment: prepare() chooses the producer again. @throws the system's error */
  unassign(): Promise<void> {
    return this.#log.assign(undefined);
  }

  /** Every record below `end` is in Kafka or durable elsewhere. @throws the system's error if writing the cursor fails */
  acknowledge(end: number): Promise<void> {
    return this.#log.acknowledge(end);
  }

  /** Reads again from behind the last acknowledged record. */
  async rewind(): Promise<void> {
    this.#readEnd = UNKNOWN;
    this.#rest = undefined;
    await this.#log.rewind();
    this.#readEnd = undefined;
  }

  #asDiskBatch({ bytes, count, offset, stamped }: SpooledBatch): DiskBatch {
    return new DiskBatch({ bytes, count, offset, isStamped: stamped && offset >= this.#log.foreignEnd });
  }

  /** Merges the batch with those that follow it, while they fit into one batch for Kafka. */
  async #gather(first: SpooledBatch): Promise<SpooledBatch> {
    const limits = this.#options.limits();
    const log = this.#log;
    const isAlone = ({ stamped, offset }: SpooledBatch) => stamped && offset >= log.foreignEnd;
    if (limits === undefined || isAlone(first)) return first;
    // A batch that may have reached Kafka must end at the same record again.
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

  async #recoded(batch: DiskBatch): Promise<DiskBatch> {
    const { codec } = this.#options;
    const id = codecOf(batch);
    return id !== codec.id && this.#refusedCodecs.has(id) ? await recode(batch, codec) : batch;
  }

  /** The part of a batch that may have reached Kafka must end at the same record again. */
  async #upToPlanned(batch: DiskBatch): Promise<DiskBatch> {
    const end = this.#log.sendingEnd ?? 0;
    if (end <= batch.offset || end >= batch.end) return batch;
    const ends = [end - batch.offset, batch.count];
    const [part = batch, rest] = await splitBatch(batch, ends, this.#options.codec);
    this.#rest = rest;
    return part;
  }

  /** The batch without its acknowledged records: a search acknowledges a batch in parts. */
  async #from(acknowledged: number, batch: DiskBatch): Promise<DiskBatch[]> {
    const passed = acknowledged - batch.offset;
    if (passed <= 0) return [batch];
    return (await splitBatch(batch, [passed, batch.count], this.#options.codec)).slice(1);
  }
}
