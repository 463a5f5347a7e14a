// Each partition's order, from closed batch to confirmation: seal, send, and send the same bytes again until the
// broker has them, or, when it does not take them, onto the disk and from there. It decides what an answer means;
// the sender knows the wire, the spool path the disk.
import type { Logger } from 'pino';
import { rateLimited } from '../config/rate-limited-log.ts';
import type { Spool } from '../spool/spool.ts';
import { type BackoffOptions, backoffMs } from './backoff.ts';
import type { Batch } from './batch.ts';
import type { BatchLimits } from './batch-merger.ts';
import type { BatchTaker } from './batcher.ts';
import type { BufferBudget } from './buffer-budget.ts';
import type { Codec } from './compression.ts';
import { CompressionRatio } from './compression-ratio.ts';
import { kafkaError } from './errors.ts';
import { Landings } from './landings.ts';
import type { PartitionQueue, ProducerIdentity } from './partition-queue.ts';
import { PartitionQueues } from './partition-queues.ts';
import type { RefusedRecord } from './poison.ts';
import type { PartitionAnswer } from './produce-request.ts';
import { Refusals } from './refusals.ts';
import { repartition } from './repartition.ts';
import { type Producer, Sender, type SenderOptions } from './sender.ts';
import { SpoolPath } from './spool-path.ts';

export interface DeliveryOptions extends SenderOptions {
  /** Tries of a batch before its partition goes to the spool (KAFKA_MAX_ATTEMPTS). */
  readonly maxAttempts: number;
}

/** Who is told what happens. */
export interface DeliveryEvents {
  /** The partition has nothing left to send. */
  partitionIdle(partition: number): void;
  /** The leaders delivery was given are wrong or out of reach. */
  leadersStale(reason: string): void;
  /** Kafka will never take this record; it is not in the topic. */
  recordRefused(record: RefusedRecord, reason: string): void;
}

export interface DeliveryCounters {
  confirmed: number;
  deadLettered: number;
  batchesConfirmed: number;
  batchesSpooled: number;
  retries: number;
  lastError: string | null;
}

const RETRY: BackoffOptions = { firstMs: 50, maxMs: 2000 };
const WARNING_EVERY_MS = 10_000;
/** A round trip in which a batch of the usual size is enough; it may grow by as many times as it takes longer. */
const NEAR_MS = 10;

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
  readonly #events: DeliveryEvents;
  readonly #log: Logger;
  readonly #warn: (fields: object, message: string) => void;

  readonly #queues = new PartitionQueues();
  readonly #ratio = new CompressionRatio();
  readonly #refusals: Refusals;
  // Its leaders are undefined until the topic is known; closed batches are parked unsealed meanwhile.
  readonly #sender: Sender;
  #path: SpoolPath | undefined;
  // Kafka as a whole is out of reach: every partition goes to the disk at once.
  #unreachable = false;
  // The spool is being placed anew: batches wait in memory.
  #placing = false;
  #inFlightRecords = 0;
  #idleWaiters: (() => void)[] = [];
  #closed = false;

  constructor(
    options: DeliveryOptions,
    deps: { codec: Codec; budget: BufferBudget; producer: Producer; events: DeliveryEvents; log: Logger },
  ) {
    this.#options = options;
    this.#codec = deps.codec;
    this.#budget = deps.budget;
    this.#events = deps.events;
    this.#log = deps.log;
    const landings = new Landings({
      answered: (queue, answer) => this.#answered(queue, answer),
      failed: (queue, reason, overdue) => this.#failed(queue, reason, overdue),
    });
    this.#sender = new Sender(options, {
      producer: deps.producer,
      events: {
        landed: (queue, batch, landing) => landings.landed(queue, batch, landing),
        unsent: (queue, reason) => this.#failed(queue, reason),
        leadersStale: (reason) => deps.events.leadersStale(reason),
      },
    });
    this.#refusals = new Refusals({
      producer: deps.producer,
      idempotent: () => this.#sender.identity !== undefined,
      codec: deps.codec,
      budget: deps.budget,
      events: {
        ready: (queue) => this.#sender.ready(queue),
        failed: (queue, reason) => this.#failed(queue, reason),
        refused: (queue, record, reason) => this.#refused(queue, record, reason),
        reassigned: async (queue, fromOffset) => this.#path?.reassign(queue, fromOffset),
      },
      warn: ({ partition }, fields, message) =>
        this.#warn({ topic: options.topic, partition, ...fields }, message),
    });
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
    return (this.#path?.spool.records ?? 0) - this.#queues.settledParts;
  }

  get spoolTrouble(): string | null {
    return this.#path?.trouble ?? null;
  }

  /** Partitions that go through the disk now. */
  get spoolingPartitions(): number {
    return this.#queues.spooling;
  }

  /** Those of them whose oldest batch Kafka did not take when it was last tried. */
  get failingPartitions(): number {
    return this.#queues.failing;
  }

  /** Bytes of batches sent, retries included. */
  get bytesSent(): number {
    return this.#sender.bytesSent;
  }

  /** Monotonic milliseconds at which the oldest unconfirmed batch in memory was opened. */
  get oldestMs(): number | undefined {
    return this.#queues.oldestMs;
  }

  isBusy(partition: number): boolean {
    return this.#queues.at(partition)?.busy ?? false;
  }

  growth(partition: number): number {
    const queue = this.#queues.at(partition);
    // Not on the way through the disk, which takes batches as they come.
    if (queue === undefined || queue.spooling || !queue.busy) return 1;
    return this.#sender.leaders === undefined || this.#placing ? 1 : queue.roundTripMs / NEAR_MS;
  }

  get compressionRatio(): number {
    return this.#ratio.least;
  }

  deliver(batch: Batch): void {
    const queue = this.#queues.get(batch.partition);
    queue.batches.push(batch);
    this.#inFlightRecords += batch.count;
    if (this.#placing) return;
    if (this.#path !== undefined && this.#unreachable) this.#startSpooling(queue, 'Kafka is out of reach');
    if (queue.returning) void this.#seal(batch);
    else if (queue.spooling) void this.#path?.feed(queue);
    else if (this.#sender.leaders !== undefined) void this.#sealAndSend(queue, batch);
  }

  /** Sends what is sealed now, and not a turn later. */
  sendNow(): void {
    this.#sender.sendNow();
  }

  /** Gives the longer way; what an earlier process left there is sent first. */
  async useSpool(spool: Spool): Promise<void> {
    this.#path = new SpoolPath({
      spool,
      codec: this.#codec,
      seal: (batch) => this.#seal(batch),
      identity: () => this.#sender.identity,
      isReachable: () => this.#sender.leaders !== undefined && !this.#unreachable,
      idempotent: this.#options.acks === -1,
      events: {
        durable: (queue, batches) => this.#spooled(queue, batches),
        loaded: (queue) => this.#sender.ready(queue),
        caughtUp: (queue) => this.#caughtUp(queue),
      },
    });
    await this.#path.resumeAll(this.#queues);
  }

  /** Kafka as a whole cannot be reached: from now on batches go to the disk, until leaders are known again. */
  unreachable(): void {
    if (this.#path === undefined || this.#unreachable) return;
    this.#unreachable = true;
    for (const queue of this.#queues) {
      if (queue.batches.length > 0) this.#spoolSoon(queue, 'Kafka is out of reach');
    }
  }

  /** Moves everything in memory to the disk; resolves when it is there. For the end, after producing has stopped. */
  async spoolAll(): Promise<void> {
    if (this.#path === undefined) return;
    this.#unreachable = true;
    for (const queue of this.#queues) if (queue.batches.length > 0) this.#spoolSoon(queue, 'shutting down');
    await this.drained();
  }

  /**
   * Places what waits on disk anew, where that was done for another number of partitions. Batches delivered
   * meanwhile wait in memory until setLeaders. Rejects where the disk fails; then all is as it was.
   */
  async adoptPartitions(partitions: number, limits: BatchLimits): Promise<void> {
    const path = this.#path;
    if (path === undefined) return;
    path.limits = limits;
    if (path.isMisplaced(partitions)) {
      const { topic } = this.#options;
      this.#placing = true;
      try {
        await repartition(
          { path, queues: this.#queues },
          { topic, partitions, limits, codec: this.#codec },
          (queue, batches) => this.#spooled(queue, batches),
        );
      } catch (error) {
        this.#endPlacing();
        throw error;
      }
      this.#log.info({ topic, partitions }, 'The spool was placed anew for the topic’s partitions');
    }
    await path.spool.layout.set({ partitions, known: true });
  }

  /** Takes back the batches that wait unsealed because the topic's partitions were not known. */
  takeParked(): Batch[] {
    if (this.#sender.leaders !== undefined && !this.#placing) return [];
    const parked = [...this.#queues]
      .filter((queue) => this.#placing || !queue.spooling)
      .flatMap((queue) => queue.takeUnsealed());
    for (const batch of parked) this.#inFlightRecords -= batch.count;
    return parked;
  }

  /** @param leaders node id of each partition's leader, -1 where there is none now */
  setLeaders(leaders: readonly number[], identity: ProducerIdentity | undefined): void {
    this.#sender.leaders = leaders;
    this.#sender.identity ??= identity;
    this.#unreachable = false;
    if (this.#placing) this.#endPlacing();
    for (const queue of this.#queues) {
      if (queue.head !== undefined) this.#sender.ready(queue);
      if (queue.spooling) void this.#path?.load(queue);
    }
  }

  /** Resolves when nothing is left in memory: every batch confirmed or on disk, or delivery closed. */
  drained(): Promise<void> {
    if (this.#inFlightRecords === 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Sends nothing more and closes the spool. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#sender.close();
    this.#wakeIdle();
    await this.#path?.close();
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

  async #sealAndSend(queue: PartitionQueue, batch: Batch): Promise<void> {
    await this.#seal(batch);
    this.#sender.ready(queue);
  }

  // --- what Kafka says ---

  #answered(queue: PartitionQueue, answer: PartitionAnswer | undefined): void {
    const error = kafkaError(answer?.errorCode ?? 0);
    switch (error.outcome) {
      case 'stored':
        this.#confirmed(queue);
        break;
      case 'leader':
        this.#failed(queue, error.name);
        this.#events.leadersStale(error.name);
        break;
      case 'sequence':
        void this.#refusals.renewProducer(queue, error.name);
        break;
      case 'record':
      case 'too-large':
        this.#backToDisk(queue);
        void this.#refusals.isolate(queue, error.name);
        break;
      case 'retry':
      case 'topic':
        this.#failed(queue, error.name);
        break;
    }
  }

  #confirmed(queue: PartitionQueue): void {
    const { head } = queue;
    if (head === undefined) return;
    this.counters.confirmed += head.count;
    this.counters.batchesConfirmed++;
    queue.answered();
    this.counters.lastError = null;
    const batch = queue.spooling ? undefined : queue.batches[0];
    void this.#finishHead(queue);
    // Without acks nobody has said that it has left this process.
    if (this.#options.acks !== 0) batch?.reuse();
  }

  /** The head is in Kafka or in the dead letters: what it stood for is settled, the next one follows. */
  async #finishHead(queue: PartitionQueue): Promise<void> {
    queue.succeeded();
    if (!queue.spooling) {
      this.#finishBatch(queue);
      return;
    }
    queue.settledParts += queue.parts.shift()?.count ?? 0;
    if (queue.parts.length > 0) {
      queue.inFlight = false;
      this.#sender.ready(queue);
    } else await this.#finishDrained(queue);
  }

  #finishBatch(queue: PartitionQueue): void {
    const batch = queue.batches.shift();
    queue.inFlight = false;
    if (batch === undefined) return;
    this.#leaveMemory(batch);
    if (queue.spoolWhenFree && queue.batches.length > 0) {
      if (queue.ahead.length === 0) this.#startSpooling(queue, 'Kafka is out of reach');
      return;
    }
    if (queue.batches.length > 0) this.#sender.ready(queue);
    if (!queue.busy) this.#events.partitionIdle(queue.partition);
  }

  async #finishDrained(queue: PartitionQueue): Promise<void> {
    const batch = queue.drained;
    if (batch === undefined) return;
    const acknowledged = this.#path?.finished(queue, batch);
    queue.settledParts = 0;
    await acknowledged;
    if (queue.renewed && batch.offset !== undefined)
      await this.#path?.reassign(queue, batch.offset + batch.count);
    queue.renewed = false;
    // Not sooner: what is read back meanwhile would be stamped before the sequence is settled, and never sent.
    queue.drained = undefined;
    queue.inFlight = false;
    await this.#path?.load(queue);
  }

  /** It goes to the dead letters, alone. */
  async #refused(queue: PartitionQueue, record: RefusedRecord | undefined, reason: string): Promise<void> {
    this.counters.deadLettered++;
    if (record !== undefined) this.#events.recordRefused(record, reason);
    await this.#finishHead(queue);
  }

  #leaveMemory(batch: Batch): void {
    this.#budget.release(batch.heldBytes);
    batch.settle();
    this.#inFlightRecords -= batch.count;
    if (this.#inFlightRecords === 0) this.#wakeIdle();
  }

  #wakeIdle(): void {
    for (const wake of this.#idleWaiters.splice(0)) wake();
  }

  // --- what goes wrong ---

  #failed(queue: PartitionQueue, reason: string, overdue = false): void {
    queue.inFlight = false;
    queue.failures++;
    queue.notBeforeMs = performance.now() + backoffMs(queue.failures, RETRY);
    this.counters.retries++;
    this.counters.lastError = reason;
    if (this.#closed) return;
    this.#warn(
      { topic: this.#options.topic, partition: queue.partition, attempts: queue.failures, reason },
      'Kafka did not take a batch, trying again; nothing is lost',
    );
    if (queue.spoolWhenFree || overdue || queue.failures >= this.#options.maxAttempts)
      this.#startSpooling(queue, reason);
    this.#backToDisk(queue);
    this.#sender.ready(queue);
  }

  // --- the way to the disk ---

  #spoolSoon(queue: PartitionQueue, reason: string): void {
    if (queue.spooling) this.#backToDisk(queue);
    else if (queue.inFlight) queue.spoolWhenFree = true;
    else this.#startSpooling(queue, reason);
  }

  /** What waits in memory for the last of the disk is written after all. */
  #backToDisk(queue: PartitionQueue): void {
    if (!queue.returning) return;
    queue.returning = false;
    void this.#path?.feed(queue);
  }

  #startSpooling(queue: PartitionQueue, reason: string): void {
    queue.spoolWhenFree = false;
    if (this.#path === undefined || queue.spooling || queue.inFlight || queue.ahead.length > 0) return;
    queue.spooling = true;
    queue.succeeded();
    this.#sender.forget(queue);
    this.#log.warn(
      { topic: this.#options.topic, partition: queue.partition, reason },
      `Partition ${queue.partition} goes to the spool until Kafka takes its batches again`,
    );
    void this.#path.feed(queue);
  }

  #endPlacing(): void {
    this.#placing = false;
    for (const queue of this.#queues) {
      if (queue.spooling) void this.#path?.feed(queue);
      else for (const batch of queue.batches) void this.#sealAndSend(queue, batch);
    }
  }

  #spooled(queue: PartitionQueue, batches: readonly Batch[]): void {
    for (const batch of batches) {
      this.counters.batchesSpooled++;
      this.#leaveMemory(batch);
    }
    this.#events.partitionIdle(queue.partition);
    void this.#path?.load(queue);
  }

  #caughtUp(queue: PartitionQueue): void {
    this.#log.info(
      { topic: this.#options.topic, partition: queue.partition },
      `Partition ${queue.partition} is drained, its batches go straight to Kafka again`,
    );
    for (const batch of queue.batches) void this.#sealAndSend(queue, batch);
    if (queue.batches.length === 0) this.#events.partitionIdle(queue.partition);
  }
}
