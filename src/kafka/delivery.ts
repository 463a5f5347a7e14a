// All partitions of one topic: batches go to their partition, leaders to the sender, figures to whoever asks. A
// partition decides everything about its own batches (partition.ts).
import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import { rateLimited } from '../config/rate-limited-log.ts';
import type { Spool } from '../spool/spool.ts';
import type { Batch } from './batch.ts';
import type { BatchLimits } from './batch-merger.ts';
import type { BatchTaker } from './batcher.ts';
import type { BufferBudget } from './buffer-budget.ts';
import type { Codec } from './compression.ts';
import { CompressionRatio } from './compression-ratio.ts';
import type { Failed, Rejected } from './outcome.ts';
import { Partition } from './partition.ts';
import type { PartitionHost, PartitionOptions } from './partition-host.ts';
import type { ProducerIdentity } from './producer-sequence.ts';
import { repartition } from './repartition.ts';
import { type Producer, Sender, type SenderOptions } from './sender.ts';
import type { RefusedRecord } from './split-batch.ts';

export interface DeliveryOptions extends SenderOptions {
  /** Tries of a batch before its partition goes to the spool (KAFKA_MAX_ATTEMPTS). */
  readonly maxAttempts: number;
  /** Batches carry the time of sending instead of their records' times (KAFKA_TIMESTAMP=sent). */
  readonly isStampedWhenSent?: boolean;
}

/** Who is told what happens. */
export interface DeliveryEvents {
  /** The partition has nothing left to send. */
  partitionIdle(partition: number): void;
  /** The leaders delivery was given are wrong or out of reach. */
  leadersStale(reason: string): void;
  /** The broker refused a batch as it is, or takes what it refused before: the topic's limits may be others now. */
  limitsStale?(): void;
  /** Kafka will never take this record. It stays on disk until the promise resolves: then it is durable elsewhere. */
  recordRefused(record: RefusedRecord, reason: string, partition: number): Promise<void>;
}

export interface DeliveryCounters {
  confirmed: number;
  deadLettered: number;
  batchesConfirmed: number;
  batchesSpooled: number;
  retries: number;
  lastError: string | null;
}

const WARNING_EVERY_MS = 10_000;
const MAX_PROBLEMS = 10;

export class Delivery implements BatchTaker {
  readonly counters: DeliveryCounters = {
    confirmed: 0,
    deadLettered: 0,
    batchesConfirmed: 0,
    batchesSpooled: 0,
    retries: 0,
    lastError: null,
  };

  readonly #options: DeliveryOptions;
  readonly #codec: Codec;
  readonly #budget: BufferBudget;
  readonly #producer: Producer;
  readonly #events: DeliveryEvents;
  readonly #log: Logger;
  readonly #warn: (fields: object, message: string) => void;

  readonly #partitions: Partition[] = [];
  readonly #partitionOptions: PartitionOptions;
  readonly #host: PartitionHost;
  readonly #sender: Sender;
  readonly #ratio = new CompressionRatio();
  readonly #abort = new AbortController();
  // By partition and direction: a disk that is full can still be read.
  readonly #troubles = new Map<string, string>();
  #spool: Spool | undefined;
  #limits: BatchLimits | undefined;
  #identity: ProducerIdentity | undefined;
  #cluster: bigint | undefined;
  // Kafka as a whole is out of reach, or the gateway stops: every batch goes to the disk.
  #isUnreachable = false;
  // The number of partitions is just being learned, and the spool placed for it: batches wait in memory.
  #isPlacing = false;
  #inFlightRecords = 0;
  #idleWaiters: (() => void)[] = [];
  #isStopping = false;
  #closed = false;

  constructor(
    options: DeliveryOptions,
    deps: { codec: Codec; budget: BufferBudget; producer: Producer; events: DeliveryEvents; log: Logger },
  ) {
    this.#options = options;
    this.#codec = deps.codec;
    this.#budget = deps.budget;
    this.#producer = deps.producer;
    this.#events = deps.events;
    this.#log = deps.log;
    this.#sender = new Sender(options, deps.producer, (reason) => deps.events.leadersStale(reason));
    this.#partitionOptions = {
      topic: options.topic,
      maxAttempts: options.maxAttempts,
      codec: deps.codec,
      disk: {
        codec: deps.codec,
        limits: () => this.#limits,
        isStampedWhenSent: options.isStampedWhenSent ?? false,
        signal: this.#abort.signal,
      },
      log: deps.log,
    };
    this.#host = this.#asHost();
    let latest: { fields: object; message: string } = { fields: {}, message: '' };
    const warn = rateLimited({ everyMs: WARNING_EVERY_MS }, (count) =>
      deps.log.warn({ ...latest.fields, count }, latest.message),
    );
    this.#warn = (fields, message) => {
      latest = { fields, message };
      warn();
    };
  }

  /** Records closed into batches that are neither confirmed nor on disk. */
  get inFlightRecords(): number {
    return this.#inFlightRecords;
  }

  /** Records on disk that Kafka has not confirmed. */
  get spooledRecords(): number {
    return this.#spool?.records ?? 0;
  }

  /** Why the disk does not take batches or give them back, or null. */
  get spoolTrouble(): string | null {
    return this.#troubles.values().next().value ?? null;
  }

  /** Partitions that go through the disk now. */
  get spoolingPartitions(): number {
    return this.#partitions.filter(({ isOnDisk }) => isOnDisk).length;
  }

  /** Those of them whose oldest batch Kafka did not take when it was last tried. */
  get failingPartitions(): number {
    return this.#partitions.filter(({ isFailing }) => isFailing).length;
  }

  /** Those whose records Kafka refuses one by one, so that none of them is at fault. */
  get heldPartitions(): number {
    return this.#partitions.filter(({ state }) => state === 'held').length;
  }

  /** Why partitions are not delivered, if somebody has to do something about it: distinct sentences, at most 10. */
  get problems(): readonly string[] {
    const sentences = this.#partitions.flatMap(({ problem }) => (problem ? sentenceOf(problem) : []));
    return [...new Set(sentences)].slice(0, MAX_PROBLEMS);
  }

  /** Bytes of batches sent, retries included. */
  get bytesSent(): number {
    return this.#sender.bytesSent;
  }

  /** Monotonic milliseconds at which the oldest unconfirmed batch in memory was opened. */
  get oldestMs(): number | undefined {
    const opened = this.#partitions.flatMap(({ oldestMs }) => oldestMs ?? []);
    return opened.length === 0 ? undefined : Math.min(...opened);
  }

  isBusy(partition: number): boolean {
    return this.#partitions[partition]?.isBusy ?? false;
  }

  growth(partition: number): number {
    return this.#isPlacing ? 1 : (this.#partitions[partition]?.growth ?? 1);
  }

  get compressionRatio(): number {
    return this.#ratio.least;
  }

  deliver(batch: Batch): void {
    this.#inFlightRecords += batch.count;
    const partition = this.#partition(batch.partition);
    partition.deliver(batch);
    if (this.#isUnreachable && !this.#isPlacing)
      partition.leaveMemory(this.#isStopping ? 'the gateway stops' : 'Kafka is out of reach');
  }

  /** Sends what is sealed now, and not a turn later. */
  sendNow(): void {
    this.#sender.sendNow();
  }

  /** Gives the way through the disk. Batches that an earlier process left there are sent first. */
  async useSpool(spool: Spool): Promise<void> {
    this.#spool = spool;
    this.#resumeFromDisk();
  }

  /** Lets the partition's batches go beyond the spool's cap until `work` is done. */
  beyondCap<T>(partition: number, work: Promise<T>): Promise<T> {
    return this.#spool === undefined ? work : this.#spool.beyondCap(partition, work);
  }

  /** Kafka as a whole cannot be reached: from now on batches go to the disk, until leaders are known again. */
  unreachable(): void {
    if (this.#spool === undefined || this.#isUnreachable) return;
    this.#isUnreachable = true;
    this.#leaveAllMemory('Kafka is out of reach');
  }

  /**
   * From now on every batch goes to the disk, also one that is delivered later. Resolves when nothing is left in
   * memory. For the end.
   */
  async spoolAll(): Promise<void> {
    if (this.#spool === undefined) return;
    this.#isStopping = true;
    this.#isUnreachable = true;
    this.#leaveAllMemory('the gateway stops');
    await this.drained();
  }

  /**
   * Places what waits on disk for the topic's number of partitions, if it was placed for another one. Batches
   * delivered meanwhile wait in memory until setLeaders. Rejects if the disk fails; then all is as it was.
   */
  async adoptPartitions(partitions: number, limits: BatchLimits): Promise<void> {
    const spool = this.#spool;
    if (spool === undefined) return;
    this.#limits = limits;
    const isMisplaced = this.#isMisplaced(spool, partitions);
    // At the first time also without it: nothing may go to the disk any more by the guess.
    this.#isPlacing = isMisplaced || this.#sender.leaders === undefined;
    if (isMisplaced) {
      const { topic } = this.#options;
      try {
        await repartition(
          { spool, all: this.#partitions },
          { partitions, limits, codec: this.#codec },
          (batches) => {
            this.#spooled(batches);
            for (const batch of batches) batch.settle();
          },
        );
      } catch (error) {
        this.#isPlacing = false;
        if (this.#isUnreachable) this.#leaveAllMemory('Kafka is out of reach');
        throw error;
      }
      this.#log.info({ topic, partitions }, 'The spool was placed anew for the topic’s partitions');
    }
    await spool.layout.set({ partitions, known: true });
  }

  /** Takes back the batches that wait unsealed because the topic's partitions were not known. */
  takeParked(): Batch[] {
    if (this.#sender.leaders !== undefined && !this.#isPlacing) return [];
    const parked = this.#partitions
      .filter(({ isOnDisk }) => this.#isPlacing || !isOnDisk)
      .flatMap((partition) => partition.takeUnsealed());
    for (const batch of parked) this.#inFlightRecords -= batch.count;
    return parked;
  }

  /**
   * @param leaders node id of each partition's leader, -1 if it has none now
   * @param identity of this cluster; undefined without idempotence
   * @param clusterId undefined if the broker does not tell it: identities of an earlier process are then not used
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
    // Only now: batches of the former number of partitions are not to be written behind those that were placed.
    if (this.#isPlacing) this.#endPlacing();
    for (const partition of this.#partitions) partition.leadersKnown();
    if (this.#isStopping) this.#leaveAllMemory('the gateway stops');
  }

  /** Resolves when nothing is left in memory: every batch confirmed or on disk, or delivery closed. */
  drained(): Promise<void> {
    if (this.#inFlightRecords === 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Sends nothing more and closes the spool. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#abort.abort();
    this.#sender.close();
    for (const partition of this.#partitions) partition.close();
    this.#wakeIdle();
    await this.#spool?.close();
  }

  #partition(number: number): Partition {
    for (let next = this.#partitions.length; next <= number; next++) {
      this.#partitions.push(new Partition(next, this.#partitionOptions, this.#host));
    }
    return this.#partitions[number] as Partition;
  }

  /** Whether batches on disk, or on their way there, were placed for partitions that the topic does not have, or by a wrong guess. */
  #isMisplaced({ layout: { current }, pending }: Spool, partitions: number): boolean {
    const placed = pending.map(({ partition }) => partition);
    for (const { isOnDisk, number } of this.#partitions) if (isOnDisk) placed.push(number);
    const isGuessedWrong = current?.known === false && current.partitions !== partitions;
    return placed.length > 0 && (isGuessedWrong || placed.some((partition) => partition >= partitions));
  }

  #endPlacing(): void {
    this.#isPlacing = false;
    for (const partition of this.#partitions) partition.endHalt();
    this.#resumeFromDisk();
  }

  #leaveAllMemory(reason: string): void {
    if (this.#isPlacing) return;
    for (const partition of this.#partitions) partition.leaveMemory(reason);
  }

  #resumeFromDisk(): void {
    for (const { partition } of this.#spool?.pending ?? []) this.#partition(partition).resumeFromDisk();
  }

  #asHost(): PartitionHost {
    const delivery = this;
    return {
      get spool() {
        return delivery.#spool;
      },
      get identity() {
        return delivery.#identity;
      },
      get cluster() {
        return delivery.#cluster;
      },
      get canSend() {
        const isReady = delivery.#options.acks !== -1 || delivery.#identity !== undefined;
        return delivery.#sender.leaders !== undefined && isReady;
      },
      get isReachable() {
        return delivery.#sender.leaders !== undefined && !delivery.#isUnreachable;
      },
      initProducerId: () => this.#producer.initProducerId(),
      seal: (batch) => this.#seal(batch),
      ready: (partition) => this.#sender.ready(partition),
      idle: ({ number }) => this.#events.partitionIdle(number),
      confirmed: (batch) => this.#confirmed(batch),
      passed: (counts) => this.#passed(counts),
      spooled: (batches) => this.#spooled(batches),
      refuse: (record, reason, partition) => this.#events.recordRefused(record, reason, partition),
      failed: (partition, failure) => this.#failed(partition, failure),
      released: () => this.#events.limitsStale?.(),
      warn: ({ number: partition }, fields, message) =>
        this.#warn({ topic: this.#options.topic, partition, ...fields }, message),
      trouble: (partition, direction, reason) => {
        if (reason === null) this.#troubles.delete(`${direction} ${partition}`);
        else this.#troubles.set(`${direction} ${partition}`, reason);
      },
    };
  }

  async #seal(batch: Batch): Promise<void> {
    if (batch.bytes !== undefined) return;
    const { heldBytes } = batch;
    await batch.seal(this.#codec);
    const bytes = (batch as { bytes: Buffer | undefined }).bytes?.length ?? 0;
    this.#ratio.note(heldBytes, bytes);
    // From here on it weighs what it weighs compressed.
    this.#budget.release(batch.heldBytes - bytes);
    batch.heldBytes = bytes;
  }

  #confirmed(batch: Batch): void {
    this.#passed({ stored: batch.count, refused: 0 });
    this.#leaveMemory(batch);
    batch.settle();
    // With acks 0 nobody has said that the bytes have left this process.
    if (this.#options.acks !== 0) batch.reuse();
  }

  #passed({ stored, refused }: { readonly stored: number; readonly refused: number }): void {
    this.counters.confirmed += stored;
    this.counters.deadLettered += refused;
    if (stored === 0) return;
    this.counters.batchesConfirmed++;
    this.counters.lastError = null;
  }

  #spooled(batches: readonly Batch[]): void {
    for (const batch of batches) {
      this.counters.batchesSpooled++;
      this.#leaveMemory(batch);
      batch.leaveMemory();
    }
  }

  #leaveMemory(batch: Batch): void {
    this.#budget.release(batch.heldBytes);
    this.#inFlightRecords -= batch.count;
    if (this.#inFlightRecords === 0) this.#wakeIdle();
  }

  #wakeIdle(): void {
    for (const wake of this.#idleWaiters.splice(0)) wake();
  }

  #failed({ number: partition, failures: attempts }: Partition, failure: Failed | Rejected): void {
    const { reason, remedy, kind } = failure;
    this.counters.retries++;
    this.counters.lastError = reason;
    // At the end we close the connections ourselves, and the disk has the batches.
    if (this.#closed || this.#isStopping) return;
    if (kind === 'rejected') this.#events.limitsStale?.();
    const fields = { topic: this.#options.topic, partition, attempts, reason, ...(remedy && { remedy }) };
    this.#warn(fields, 'Kafka did not take a batch, trying again; nothing is lost');
  }
}

/** The cluster id in eight bytes, as the spool's cursors hold it; 0n if it is not known. */
function clusterNumber(clusterId: string | undefined): bigint {
  if (clusterId === undefined) return 0n;
  return createHash('sha256').update(clusterId).digest().readBigUInt64BE(0) || 1n;
}

function sentenceOf({ kind, reason, remedy }: Failed | Rejected): string {
  const what = kind === 'rejected' ? `Kafka refuses records: ${reason}` : reason;
  return remedy === undefined ? what : `${what}: ${remedy}`;
}
