// Each partition's order, from closed batch to confirmation: seal, stamp, send, and send the same bytes again
// until the broker has them. At most one batch of a partition is in flight, several partitions share a request.
import type { Logger } from 'pino';
import { rateLimited } from '../config/rate-limited-log.ts';
import { type BackoffOptions, backoffMs } from './backoff.ts';
import type { Batch } from './batch.ts';
import type { BatchTaker } from './batcher.ts';
import type { BufferBudget } from './buffer-budget.ts';
import type { Codec } from './compression.ts';
import { kafkaError } from './errors.ts';
import { PartitionQueue, type ProducerIdentity } from './partition-queue.ts';
import type { ProduceAnswer, ProduceRequest } from './produce-request.ts';

export interface DeliveryOptions {
  readonly topic: string;
  readonly acks: -1 | 0 | 1;
  readonly requestTimeoutMs: number;
}

/** The cluster as delivery sees it, once leaders are known. */
export interface Producer {
  produce(nodeId: number, request: ProduceRequest): Promise<ProduceAnswer | undefined>;
  initProducerId(): Promise<ProducerIdentity>;
}

/** Who is told what happens. */
export interface DeliveryEvents {
  /** The partition has nothing left to send. */
  partitionIdle(partition: number): void;
  /** The leaders delivery was given are wrong or out of reach. */
  leadersStale(reason: string): void;
}

export interface DeliveryCounters {
  confirmed: number;
  batchesConfirmed: number;
  bytesSent: number;
  retries: number;
  lastError: string | null;
}

/** Requests on their way to one broker: more would only wait there, fewer leave the link idle. */
const MAX_REQUESTS_PER_BROKER = 5;
/** A request's batches together; brokers take up to socket.request.max.bytes, 100 MiB. */
const MAX_REQUEST_BYTES = 8 * 1024 * 1024;
const RETRY: BackoffOptions = { firstMs: 50, maxMs: 2000 };
const WARNING_EVERY_MS = 10_000;

export class Delivery implements BatchTaker {
  readonly counters: DeliveryCounters = {
    confirmed: 0,
    batchesConfirmed: 0,
    bytesSent: 0,
    retries: 0,
    lastError: null,
  };

  readonly #options: DeliveryOptions;
  readonly #codec: Codec;
  readonly #budget: BufferBudget;
  readonly #producer: Producer;
  readonly #events: DeliveryEvents;
  readonly #warn: (fields: object, message: string) => void;

  readonly #partitions: PartitionQueue[] = [];
  readonly #ready = new Set<PartitionQueue>();
  readonly #requests = new Map<number, number>();
  // Undefined until the topic's partitions are known; closed batches are parked unsealed meanwhile.
  #leaders: readonly number[] | undefined;
  #identity: ProducerIdentity | undefined;
  #inFlightRecords = 0;
  #pumpScheduled: NodeJS.Immediate | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #idleWaiters: (() => void)[] = [];
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
    let latest: { fields: object; message: string } = { fields: {}, message: '' };
    const warn = rateLimited({ everyMs: WARNING_EVERY_MS }, (count) =>
      deps.log.warn({ ...latest.fields, count }, latest.message),
    );
    this.#warn = (fields, message) => {
      latest = { fields, message };
      warn();
    };
  }

  /** Records closed into batches and not confirmed yet. */
  get inFlightRecords(): number {
    return this.#inFlightRecords;
  }

  /** Monotonic milliseconds at which the oldest unconfirmed batch was opened. */
  get oldestMs(): number | undefined {
    let oldest: number | undefined;
    for (const { head } of this.#partitions) {
      if (head !== undefined && head.openedAtMs < (oldest ?? Infinity)) oldest = head.openedAtMs;
    }
    return oldest;
  }

  isBusy(partition: number): boolean {
    return (this.#partitions[partition]?.length ?? 0) > 0;
  }

  deliver(batch: Batch): void {
    const queue = this.#queue(batch.partition);
    queue.push(batch);
    this.#inFlightRecords += batch.count;
    if (this.#leaders !== undefined) void this.#seal(queue, batch);
  }

  /** Takes back the batches that wait unsealed because the topic was not known yet. */
  takeParked(): Batch[] {
    if (this.#leaders !== undefined) return [];
    const parked = this.#partitions.flatMap((queue) => queue.takeAll());
    for (const batch of parked) this.#inFlightRecords -= batch.count;
    return parked;
  }

  /** @param leaders node id of each partition's leader, -1 where there is none now */
  setLeaders(leaders: readonly number[], identity: ProducerIdentity | undefined): void {
    this.#leaders = leaders;
    this.#identity ??= identity;
    for (const queue of this.#partitions) if (queue.length > 0) this.#ready.add(queue);
    this.#schedulePump();
  }

  /** Resolves when every batch is confirmed, or delivery was closed. */
  drained(): Promise<void> {
    if (this.#inFlightRecords === 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Sends nothing more. */
  close(): void {
    this.#closed = true;
    clearImmediate(this.#pumpScheduled);
    clearTimeout(this.#retryTimer);
    for (const wake of this.#idleWaiters.splice(0)) wake();
  }

  #queue(partition: number): PartitionQueue {
    for (let next = this.#partitions.length; next <= partition; next++) {
      this.#partitions.push(new PartitionQueue(next));
    }
    return this.#partitions[partition] as PartitionQueue;
  }

  async #seal(queue: PartitionQueue, batch: Batch): Promise<void> {
    batch.bytes = await batch.writer.seal(this.#codec);
    // From here on it weighs what it weighs compressed.
    this.#budget.release(batch.heldBytes - batch.bytes.length);
    batch.heldBytes = batch.bytes.length;
    if (queue.head !== batch) return;
    this.#ready.add(queue);
    this.#schedulePump();
  }

  // An immediate and not a microtask: batches sealed in the same turn leave in the same request.
  #schedulePump(): void {
    if (this.#closed) return;
    this.#pumpScheduled ??= setImmediate(() => {
      this.#pumpScheduled = undefined;
      this.#pump();
    });
  }

  #pump(): void {
    const leaders = this.#leaders;
    if (leaders === undefined || this.#closed) return;
    const now = performance.now();
    const byLeader = new Map<number, PartitionQueue[]>();
    let retryInMs = Infinity;
    for (const queue of this.#ready) {
      if (queue.inFlight || queue.head?.bytes === undefined) {
        this.#ready.delete(queue);
        continue;
      }
      if (queue.notBeforeMs > now) {
        retryInMs = Math.min(retryInMs, queue.notBeforeMs - now);
        continue;
      }
      const leader = leaders[queue.partition] ?? -1;
      if (leader < 0) {
        // Not before a while: it may be that the topic was made anew and has no such partition any more.
        queue.failures++;
        queue.notBeforeMs = now + backoffMs(queue.failures, RETRY);
        retryInMs = Math.min(retryInMs, queue.notBeforeMs - now);
        this.#events.leadersStale(`partition ${queue.partition} has no leader`);
        continue;
      }
      const group = byLeader.get(leader);
      if (group === undefined) byLeader.set(leader, [queue]);
      else group.push(queue);
    }
    for (const [leader, queues] of byLeader) this.#sendTo(leader, queues);
    if (retryInMs !== Infinity) {
      clearTimeout(this.#retryTimer);
      this.#retryTimer = setTimeout(() => this.#pump(), Math.ceil(retryInMs));
    }
  }

  #sendTo(leader: number, queues: readonly PartitionQueue[]): void {
    let rest = [...queues];
    while (rest.length > 0 && (this.#requests.get(leader) ?? 0) < MAX_REQUESTS_PER_BROKER) {
      let bytes = 0;
      const fits = rest.findIndex((queue, index) => {
        bytes += queue.head?.bytes?.length ?? 0;
        return index > 0 && bytes > MAX_REQUEST_BYTES;
      });
      const group = fits < 0 ? rest : rest.slice(0, fits);
      rest = fits < 0 ? [] : rest.slice(fits);
      void this.#send(leader, group);
    }
  }

  async #send(leader: number, queues: readonly PartitionQueue[]): Promise<void> {
    const batches: { partition: number; bytes: Buffer }[] = [];
    for (const queue of queues) {
      this.#ready.delete(queue);
      queue.inFlight = true;
      queue.stampHead(this.#identity);
      const bytes = queue.head?.bytes;
      if (bytes === undefined) continue;
      batches.push({ partition: queue.partition, bytes });
      this.counters.bytesSent += bytes.length;
    }
    this.#requests.set(leader, (this.#requests.get(leader) ?? 0) + 1);
    const { topic, acks, requestTimeoutMs } = this.#options;
    try {
      const answer = await this.#producer.produce(leader, {
        topic,
        acks,
        timeoutMs: requestTimeoutMs,
        batches,
      });
      if (!this.#closed) this.#settle(queues, answer);
    } catch (error) {
      // The outcome is unknown: the same bytes again, which an idempotent broker recognises.
      const reason = error instanceof Error ? error.message : String(error);
      for (const queue of queues) this.#failed(queue, reason);
      if (!this.#closed) this.#events.leadersStale(reason);
    } finally {
      this.#requests.set(leader, (this.#requests.get(leader) ?? 1) - 1);
      if (this.#ready.size > 0) this.#schedulePump();
    }
  }

  #settle(queues: readonly PartitionQueue[], answer: ProduceAnswer | undefined): void {
    for (const queue of queues) {
      const word = answer?.partitions.find(({ partition }) => partition === queue.partition);
      if (answer !== undefined && word === undefined) {
        this.#failed(queue, 'the answer does not name the partition');
        continue;
      }
      const error = kafkaError(word?.errorCode ?? 0);
      switch (error.outcome) {
        case 'stored':
          this.#confirmed(queue);
          break;
        case 'leader':
          this.#failed(queue, error.name);
          this.#events.leadersStale(error.name);
          break;
        case 'sequence':
          void this.#renewProducer(queue, error.name);
          break;
        case 'retry':
        case 'record':
        case 'topic':
          this.#failed(queue, error.name);
          break;
      }
    }
  }

  #confirmed(queue: PartitionQueue): void {
    const batch = queue.shift();
    queue.inFlight = false;
    if (batch === undefined) return;
    this.#inFlightRecords -= batch.count;
    this.counters.confirmed += batch.count;
    this.counters.batchesConfirmed++;
    this.counters.lastError = null;
    this.#budget.release(batch.heldBytes);
    batch.settle();
    if (queue.length > 0) this.#ready.add(queue);
    else this.#events.partitionIdle(queue.partition);
    if (this.#inFlightRecords === 0) for (const wake of this.#idleWaiters.splice(0)) wake();
  }

  #failed(queue: PartitionQueue, reason: string): void {
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
    this.#ready.add(queue);
    this.#schedulePump();
  }

  async #renewProducer(queue: PartitionQueue, reason: string): Promise<void> {
    try {
      const identity = await this.#producer.initProducerId();
      this.#warn(
        { topic: this.#options.topic, partition: queue.partition, reason },
        'Kafka lost track of the producer sequence, going on under a new producer id; a batch may be there twice',
      );
      queue.renewProducer(identity);
    } catch {
      // The next try meets the same refusal and asks again.
    }
    this.#failed(queue, reason);
  }
}
