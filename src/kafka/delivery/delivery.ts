// Delivers the batches of one topic: hands each to its partition, tells the sender the leaders, and sums up the
// figures. A partition decides everything about its own batches (partition.ts). Batches without a certain partition go
// to the disk (unplaced.ts).

import { createHash } from 'node:crypto';
import type { LimitedLines } from '../../log/limited-lines.ts';
import type { Log } from '../../log/log.ts';
import type { DiskTrouble } from '../../spool/partition-spool.ts';
import type { TopicSpool } from '../../spool/topic-spool.ts';
import { pause } from '../../time/backoff.ts';
import type { Batch } from '../batches/batch.ts';
import type { BatchLimits } from '../batches/batch-merger.ts';
import type { BatchSink } from '../batches/batcher.ts';
import type { BufferBudget } from '../batches/buffer-budget.ts';
import type { Codec } from '../batches/compression.ts';
import type { ProducerIdentity } from '../batches/record-batch.ts';
import type { RefusedRecord } from '../batches/split-batch.ts';
import { BatchAccounts, type DeliveryCounters, type DeliveryHistograms } from './batch-accounts.ts';
import type { Failed, Rejected } from './outcome.ts';
import { Partition, type PartitionState } from './partition.ts';
import type { PartitionHost, PartitionOptions } from './partition-host.ts';
import { type Producer, Sender, type SenderOptions } from './sender.ts';
import { type UnplacedHost, UnplacedRecords } from './unplaced.ts';

export interface DeliveryOptions extends SenderOptions {
  /** How many times a batch is tried before its partition goes to the spool (KAFKA_MAX_ATTEMPTS). */
  readonly maxAttempts: number;
  /** Batches carry the time of sending instead of their records' times (KAFKA_TIMESTAMP=sent). */
  readonly isStampedWhenSent?: boolean;
  /** As PartitionOptions.givesUpAlone. */
  readonly givesUpAlone?: boolean | undefined;
}

export interface DeliveryEvents {
  /** The partition has nothing left to send. */
  partitionIdle(partition: number): void;
  /** The partition gets more batches than Kafka takes: its devices have to wait. False: not any more. */
  congested?(partition: number, isCongested: boolean): void;
  /** A leader given to setLeaders() is wrong or cannot be reached. */
  leadersStale(reason: string): void;
  /** adoptPartitions() refused a number of partitions, and would take one now. */
  adoptable?(): void;
  /** The broker refused a batch, or takes a record again that it refused: the topic's limits may have changed. */
  limitsStale?(): void;
  /** Kafka will never take this record. Resolves once the record is durable elsewhere; until then it stays on disk. */
  recordRefused(record: RefusedRecord, reason: string, partition: number): Promise<void>;
}

const QUIET_POLL_MS = 5;
const MAX_PROBLEMS = 10;

export class Delivery implements BatchSink {
  readonly #options: DeliveryOptions;
  readonly #codec: Codec;
  readonly #accounts: BatchAccounts;
  readonly #producer: Producer;
  readonly #events: DeliveryEvents;
  readonly #log: Log;
  readonly #lines: LimitedLines;

  readonly #partitions: Partition[] = [];
  readonly #partitionOptions: PartitionOptions;
  readonly #host: PartitionHost;
  readonly #sender: Sender;
  readonly #abort = new AbortController();
  // Keyed by direction and partition: a disk that is full can still be read.
  readonly #troubles = new Map<string, DiskTrouble>();
  #spool: TopicSpool | undefined;
  #unplaced: UnplacedRecords | undefined;
  #limits: BatchLimits | undefined;
  #identity: ProducerIdentity | undefined;
  #cluster: bigint | undefined;
  // Kafka cannot be used at all, or the gateway stops: every batch goes to the disk.
  #isUnreachable = false;
  #isStopping = false;
  #closed = false;

  constructor(
    options: DeliveryOptions,
    deps: {
      codec: Codec;
      budget: BufferBudget;
      producer: Producer;
      events: DeliveryEvents;
      log: Log;
      histograms?: DeliveryHistograms;
    },
  ) {
    this.#options = options;
    this.#codec = deps.codec;
    this.#accounts = new BatchAccounts(deps.codec, deps.budget, deps.histograms);
    this.#producer = deps.producer;
    this.#events = deps.events;
    this.#log = deps.log;
    this.#lines = deps.log.limited();
    this.#sender = new Sender(options, deps.producer, (reason) => deps.events.leadersStale(reason));
    this.#partitionOptions = {
      topic: options.topic,
      maxAttempts: options.maxAttempts,
      givesUpAlone: options.givesUpAlone,
      disk: {
        codec: deps.codec,
        limits: () => this.#limits,
        isStampedWhenSent: options.isStampedWhenSent ?? false,
        signal: this.#abort.signal,
      },
      log: deps.log,
      lines: this.#lines,
    };
    this.#host = this.#asHost();
  }

  get counters(): Readonly<DeliveryCounters> {
    return this.#accounts.counters;
  }

  /** Records of closed batches that are neither confirmed nor on disk. */
  get inFlightRecords(): number {
    return this.#accounts.inFlightRecords;
  }

  /** Records on disk that Kafka has not confirmed yet. */
  get spooledRecords(): number {
    return this.#spool?.records ?? 0;
  }

  /** Time of the oldest record on disk, as exact as its segment, in milliseconds since 1970. */
  get oldestSpooledMs(): number | undefined {
    return this.#spool?.oldestMs;
  }

  /** Why the disk cannot be written or read, or null. */
  get spoolTrouble(): string | null {
    return this.#troubles.values().next().value?.reason ?? null;
  }

  /** Why the disk does not take batches now that Kafka does not take either, or null. */
  get spoolRefusal(): DiskTrouble | null {
    for (const [where, trouble] of this.#troubles) if (where.startsWith('write ')) return trouble;
    return null;
  }

  /** Partitions that go through the disk now. The records without a certain partition count as one more. */
  get spoolingPartitions(): number {
    return this.#partitions.filter(({ isOnDisk }) => isOnDisk).length + (this.#isPlaced ? 0 : 1);
  }

  /** Partitions on the disk whose oldest batch failed when it was last tried. */
  get failingPartitions(): number {
    return this.#partitions.filter(({ isFailing }) => isFailing).length;
  }

  /** Partitions whose first records Kafka refused one and all, so no single record seems to be at fault. */
  get heldPartitions(): number {
    return this.#partitions.filter(({ state }) => state === 'held').length;
  }

  /** By the number of the partition. */
  get partitionStates(): readonly { readonly state: PartitionState; readonly failing: boolean }[] {
    return this.#partitions.map(({ state, isFailing }) => ({ state, failing: isFailing }));
  }

  /** Why partitions are not delivered, if an operator has to act. Distinct sentences, at most MAX_PROBLEMS. */
  get problems(): readonly string[] {
    const sentences = this.#partitions.flatMap(({ problem }) => (problem ? sentenceOf(problem) : []));
    return [...new Set(sentences)].slice(0, MAX_PROBLEMS);
  }

  /** Bytes of all batches sent, retries included. */
  get bytesSent(): number {
    return this.#sender.bytesSent;
  }

  /** When the oldest unconfirmed batch in memory was opened, in monotonic milliseconds. */
  get oldestMs(): number | undefined {
    const opened = [...this.#partitions, this.#unplaced].flatMap((one) => one?.oldestMs ?? []);
    return opened.length === 0 ? undefined : Math.min(...opened);
  }

  isBusy(partition: number): boolean {
    return this.#isPlaced && (this.#partitions[partition]?.isBusy ?? false);
  }

  growth(partition: number): number {
    return this.#isPlaced ? (this.#partitions[partition]?.growth ?? 1) : 1;
  }

  get compressionRatio(): number {
    return this.#accounts.compressionRatio;
  }

  deliver(batch: Batch): void {
    this.#accounts.delivered(batch);
    if (this.#isPlaced) this.#deliverTo(batch);
    else this.#unplaced?.add(batch);
  }

  /** Sends sealed batches now instead of a turn later. */
  sendNow(): void {
    this.#sender.sendNow();
  }

  /** Opens the way through the disk. Batches already there are sent first. The caller closes the spool, after close(). */
  useSpool(spool: TopicSpool): void {
    this.#spool = spool;
    const options = { codec: this.#codec, log: this.#log, signal: this.#abort.signal };
    this.#unplaced = new UnplacedRecords(spool, options, this.#asUnplacedHost());
    for (const { partition } of spool.pending) this.#partition(partition).resumeFromDisk();
  }

  /** Until `work` is done, the partition's batches may exceed the spool's cap. */
  beyondCap<T>(partition: number, work: Promise<T>): Promise<T> {
    return this.#spool === undefined ? work : this.#spool.beyondCap(partition, work);
  }

  /** Kafka cannot be used at all: batches go to the disk until leaders are known again. */
  unreachable(): void {
    if (this.#spool === undefined || this.#isUnreachable) return;
    this.#isUnreachable = true;
    this.#leaveAllMemory();
  }

  /** For the stop: from now on every batch goes to the disk, also later ones. Resolves when memory holds no batch. */
  async spoolAll(): Promise<void> {
    if (this.#spool === undefined) return;
    this.#isStopping = true;
    this.#isUnreachable = true;
    this.#unplaced?.stop();
    this.#leaveAllMemory();
    await this.flushed();
    await this.#unplaced?.confirmed();
  }

  /**
   * Adopts the topic's number of partitions. Records on disk without one of these partitions are placed in them.
   * @param limits of a batch that is made of records on disk
   * @returns the number of partitions to gather batches for; undefined if it stays, because records are still being
   * placed for another number. The event `adoptable` tells when to try again.
   */
  adoptPartitions(partitions: number, limits: BatchLimits): number | undefined {
    this.#limits = limits;
    return this.#unplaced === undefined ? partitions : this.#unplaced.adopt(partitions, limits);
  }

  /**
   * The leaders are known: sending begins, or goes on with them.
   * @param leaders node id of each partition's leader, -1 if it has none
   * @param identity the producer's identity in this cluster; undefined without idempotence
   * @param clusterId undefined if the broker does not tell it; then identities of an earlier process are not used
   */
  setLeaders(
    leaders: readonly number[],
    identity: ProducerIdentity | undefined,
    clusterId?: string | undefined,
  ): void {
    const cluster = clusterNumber(clusterId);
    if (this.#cluster !== cluster) {
      this.#identity = identity;
      if (this.#cluster !== undefined) for (const one of this.#partitions) one.forgetProducer();
      this.#cluster = cluster;
    }
    this.#identity ??= identity;
    this.#sender.leaders = leaders;
    if (!this.#isStopping) this.#isUnreachable = false;
    for (const partition of this.#partitions) partition.leadersKnown();
    if (this.#isStopping) this.#leaveAllMemory();
  }

  /** Resolves when every batch is confirmed or on disk, or delivery is closed. */
  flushed(): Promise<void> {
    return this.#closed ? Promise.resolve() : this.#accounts.empty();
  }

  /** Sends nothing more, and no longer uses the spool. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#abort.abort();
    this.#sender.close();
    for (const partition of this.#partitions) partition.close();
    this.#accounts.releaseWaiters();
    await this.#unplaced?.closed();
  }

  get #isPlaced(): boolean {
    return this.#unplaced?.isPlaced ?? true;
  }

  #deliverTo(batch: Batch): void {
    const partition = this.#partition(batch.partition);
    partition.deliver(batch);
    if (this.#isUnreachable) partition.leaveMemory(this.#reasonToLeave);
  }

  #partition(number: number): Partition {
    for (let next = this.#partitions.length; next <= number; next++) {
      this.#partitions.push(new Partition(next, this.#partitionOptions, this.#host));
    }
    return this.#partitions[number] as Partition;
  }

  get #reasonToLeave(): string {
    return this.#isStopping ? 'the gateway stops' : 'Kafka is out of reach';
  }

  #leaveAllMemory(reason = this.#reasonToLeave): void {
    for (const partition of this.#partitions) partition.leaveMemory(reason);
  }

  #asUnplacedHost(): UnplacedHost {
    return {
      seal: (batch) => this.#accounts.seal(batch),
      spooled: (batches) => this.#accounts.spooled(batches),
      settle: (batch) => this.#accounts.settle(batch),
      replaced: (batch, parts) => this.#accounts.replaced(batch, parts),
      partitionsBeyond: (partitions) => this.#partitionsBeyond(partitions),
      quiet: () => this.#quiet(),
      retire: async (partition) => {
        const gone = this.#partitions[partition];
        await gone?.retire();
        // A retired partition no longer tries the disk, so it would never clear its troubles.
        for (const direction of ['read', 'write']) this.#trouble(`${direction} ${partition}`, null);
        // If the topic grows again, the partition keeps its sequence: a broker that still knows the producer would take
        // a used sequence for a batch that it has already.
        const fresh = new Partition(partition, this.#partitionOptions, this.#host);
        if (gone !== undefined) fresh.sequence = gone.sequence;
        this.#partitions[partition] = fresh;
      },
      copied: (partitions) => {
        for (const partition of partitions) this.#partition(partition).resumeFromDisk();
      },
      deliver: (batch) => this.#deliverTo(batch),
      adoptable: () => this.#events.adoptable?.(),
      trouble: (direction, trouble) => this.#trouble(`${direction} unplaced`, trouble),
    };
  }

  #partitionsBeyond(partitions: number): number[] {
    const logs = this.#spool?.pending.map(({ partition }) => partition) ?? [];
    const used = this.#partitions.filter((one) => !one.isQuiet || one.isOnDisk).map(({ number }) => number);
    return [...new Set([...logs, ...used])].filter((partition) => partition >= partitions);
  }

  /** Moves all batches from memory to the disk. Batches on the disk go on being sent. */
  async #quiet(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      this.#leaveAllMemory('the topic’s partitions are others than before');
      if (this.#partitions.every(({ isQuiet }) => isQuiet)) return;
      await pause(QUIET_POLL_MS, signal);
    }
  }

  #trouble(where: string, trouble: DiskTrouble | null): void {
    if (trouble === null) this.#troubles.delete(where);
    else this.#troubles.set(where, trouble);
  }

  #asHost(): PartitionHost {
    const hasLeaders = () => this.#sender.leaders !== undefined;
    return {
      spool: () => this.#spool,
      identity: () => this.#identity,
      cluster: () => this.#cluster,
      canSend: () => hasLeaders() && (this.#options.acks !== -1 || this.#identity !== undefined),
      isReachable: () => hasLeaders() && !this.#isUnreachable,
      initProducerId: () => this.#producer.initProducerId(),
      seal: (batch) => this.#accounts.seal(batch),
      ready: (partition) => this.#sender.ready(partition),
      idle: (partition) => this.#events.partitionIdle(partition),
      congested: (partition, isCongested) => this.#events.congested?.(partition, isCongested),
      confirmed: (batch) => this.#confirmed(batch),
      passed: (counts) => this.#accounts.passed(counts),
      spooled: (batches) => this.#accounts.spooled(batches),
      settle: (batch) => this.#accounts.settle(batch),
      acknowledged: (batch) => this.#accounts.acknowledged(batch),
      refuse: (record, reason, partition) => this.#events.recordRefused(record, reason, partition),
      failed: (partition, failure, attempts) => this.#failed(partition, failure, attempts),
      released: () => this.#events.limitsStale?.(),
      trouble: (partition, direction, trouble) => this.#trouble(`${direction} ${partition}`, trouble),
    };
  }

  #confirmed(batch: Batch): void {
    this.#accounts.confirmed(batch);
    // With acks 0 the bytes may still be waiting in the socket.
    if (this.#options.acks !== 0) batch.reuse();
  }

  #failed(partition: number, failure: Failed | Rejected, attempts: number): void {
    const { reason, remedy, kind } = failure;
    const { counters } = this.#accounts;
    counters.retries++;
    counters.lastError = reason;
    // While the gateway stops, its own closing causes the failures, and the disk has the batches.
    if (this.#closed || this.#isStopping) return;
    if (kind === 'rejected') this.#events.limitsStale?.();
    this.#lines.write('batch_not_taken', {
      topic: this.#options.topic,
      partition,
      ...(attempts > 0 && { attempts }),
      reason,
      remedy,
    });
  }
}

/** The cluster id as eight bytes, the form in the spool's cursors; 0n if it is not known. */
function clusterNumber(clusterId: string | undefined): bigint {
  if (clusterId === undefined) return 0n;
  return createHash('sha256').update(clusterId).digest().readBigUInt64BE(0) || 1n;
}

function sentenceOf({ kind, reason, remedy }: Failed | Rejected): string {
  const what = kind === 'rejected' ? `Kafka refuses records: ${reason}` : reason;
  return remedy === undefined ? what : `${what}: ${remedy}`;
}
