// Puts the heads of ready partitions on the wire: grouped by leader, several partitions in a request, at most
// one batch of a partition in flight, each stamped once. What an answer means is for its owner to say.
import type { PartitionQueue, ProducerIdentity } from './partition-queue.ts';
import type { PartitionAnswer, ProduceAnswer, ProduceRequest } from './produce-request.ts';
import { NO_PRODUCER, stamp } from './record-batch.ts';

export interface SenderOptions {
  readonly topic: string;
  readonly acks: -1 | 0 | 1;
  /** How long a broker may wait for its replicas, milliseconds. */
  readonly requestTimeoutMs: number;
}

/** The cluster as delivery sees it, once leaders are known. */
export interface Producer {
  /** Resolves with undefined where acks is 0; rejects where no answer came, so that the outcome is unknown. */
  produce(nodeId: number, request: ProduceRequest): Promise<ProduceAnswer | undefined>;
  initProducerId(): Promise<ProducerIdentity>;
}

export interface SenderEvents {
  /** The broker's word on the head that was sent; with acks 0 there is none. */
  answered(queue: PartitionQueue, answer: PartitionAnswer | undefined): void;
  /** Nobody knows whether the broker took the head, or it could not be sent. */
  failed(queue: PartitionQueue, reason: string, overdue: boolean): void;
  /** The leaders are wrong or out of reach. */
  leadersStale(reason: string): void;
}

/** Requests on their way to one broker: more would only wait there, fewer leave the link idle. */
const MAX_REQUESTS_PER_BROKER = 5;
/** A request's batches together; brokers take up to socket.request.max.bytes, 100 MiB. */
const MAX_REQUEST_BYTES = 8 * 1024 * 1024;

export class Sender {
  /** Node id of each partition's leader, -1 where there is none; undefined until the topic is known. */
  leaders: readonly number[] | undefined;
  /** Undefined until Kafka gave one, and always without idempotence. */
  identity: ProducerIdentity | undefined;
  bytesSent = 0;

  readonly #options: SenderOptions;
  readonly #producer: Producer;
  readonly #events: SenderEvents;
  readonly #ready = new Set<PartitionQueue>();
  readonly #requests = new Map<number, number>();
  #pumpScheduled: NodeJS.Immediate | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: SenderOptions, deps: { producer: Producer; events: SenderEvents }) {
    this.#options = options;
    this.#producer = deps.producer;
    this.#events = deps.events;
  }

  /** The queue's head may be sent. */
  ready(queue: PartitionQueue): void {
    this.#ready.add(queue);
    this.schedule();
  }

  /** The queue has nothing to be sent from here for now. */
  forget(queue: PartitionQueue): void {
    this.#ready.delete(queue);
  }

  // An immediate and not a microtask: batches sealed in the same turn leave in the same request.
  schedule(): void {
    if (this.#closed) return;
    this.#pumpScheduled ??= setImmediate(() => {
      this.#pumpScheduled = undefined;
      this.#pump();
    });
  }

  close(): void {
    this.#closed = true;
    clearImmediate(this.#pumpScheduled);
    clearTimeout(this.#retryTimer);
  }

  #pump(): void {
    const { leaders } = this;
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
        const reason = `partition ${queue.partition} has no leader`;
        this.#events.failed(queue, reason, false);
        this.#events.leadersStale(reason);
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
    const batches = queues.map((queue) => {
      this.#ready.delete(queue);
      queue.inFlight = true;
      return { partition: queue.partition, bytes: this.#stamped(queue) };
    });
    this.#requests.set(leader, (this.#requests.get(leader) ?? 0) + 1);
    const { topic, acks, requestTimeoutMs } = this.#options;
    try {
      const request = { topic, acks, timeoutMs: requestTimeoutMs, batches };
      const answer = await this.#producer.produce(leader, request);
      if (!this.#closed) this.#settle(queues, answer);
    } catch (error) {
      // The outcome is unknown: the same bytes again, which an idempotent broker recognises.
      const { message, code } = error as Error & { code?: string };
      for (const queue of queues) this.#events.failed(queue, message, code === 'TIMEOUT');
      if (!this.#closed) this.#events.leadersStale(message);
    } finally {
      this.#requests.set(leader, (this.#requests.get(leader) ?? 1) - 1);
      if (this.#ready.size > 0) this.schedule();
    }
  }

  #settle(queues: readonly PartitionQueue[], answer: ProduceAnswer | undefined): void {
    for (const queue of queues) {
      const word = answer?.partitions.find(({ partition }) => partition === queue.partition);
      if (answer !== undefined && word === undefined)
        this.#events.failed(queue, 'the answer does not name the partition', false);
      else this.#events.answered(queue, word);
    }
  }

  /** The head's bytes with the producer's identity in them, given once. */
  #stamped(queue: PartitionQueue): Buffer {
    const { head } = queue;
    if (head?.bytes === undefined) throw new Error('a partition without a sealed batch was sent');
    if (head.producer === undefined) {
      head.producer = this.identity ? queue.takeStamp(this.identity, head.count) : NO_PRODUCER;
      stamp(head.bytes, head.producer);
    }
    head.attempts++;
    this.bytesSent += head.bytes.length;
    return head.bytes;
  }
}
