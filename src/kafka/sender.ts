// Puts ready partitions' next batches on the wire: grouped by leader, several partitions in a request, one batch of
// each, stamped once. What became of them is for its owner to say.
import type { Outgoing } from './outgoing.ts';
import type { Landing, PartitionQueue, ProducerIdentity } from './partition-queue.ts';
import type { ProduceAnswer, ProduceRequest } from './produce-request.ts';
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
  /** Of a batch that was sent: the broker's word on it, or that there is none. */
  landed(queue: PartitionQueue, batch: Outgoing, landing: Landing): void;
  /** The head could not be sent. */
  unsent(queue: PartitionQueue, reason: string): void;
  /** The leaders are wrong or out of reach. */
  leadersStale(reason: string): void;
}

interface Sending {
  readonly queue: PartitionQueue;
  readonly batch: Outgoing;
}

/** Requests on their way to one broker: more would only wait there, fewer leave the link idle. */
const MAX_REQUESTS_PER_BROKER = 5;
/** The same where it is far: each carries what was ready when an answer came, of few partitions or of many. */
const MAX_REQUESTS_FAR = 50;
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

  /** The queue may have something to send. */
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

  /** Sends what is ready now, and not a turn later. */
  sendNow(): void {
    if (this.#pumpScheduled === undefined) return;
    clearImmediate(this.#pumpScheduled);
    this.#pumpScheduled = undefined;
    this.#pump();
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
    const byLeader = new Map<number, Sending[]>();
    let retryInMs = Infinity;
    for (const queue of this.#ready) {
      const leader = leaders[queue.partition] ?? -1;
      const batch = queue.nextFor(leader);
      if (batch?.bytes === undefined) {
        this.#ready.delete(queue);
        continue;
      }
      if (queue.notBeforeMs > now) {
        retryInMs = Math.min(retryInMs, queue.notBeforeMs - now);
        continue;
      }
      if (leader < 0) {
        const reason = `partition ${queue.partition} has no leader`;
        this.#events.unsent(queue, reason);
        this.#events.leadersStale(reason);
        continue;
      }
      const group = byLeader.get(leader);
      if (group === undefined) byLeader.set(leader, [{ queue, batch }]);
      else group.push({ queue, batch });
    }
    for (const [leader, sendings] of byLeader) this.#sendTo(leader, sendings);
    if (retryInMs !== Infinity) {
      clearTimeout(this.#retryTimer);
      this.#retryTimer = setTimeout(() => this.#pump(), Math.ceil(retryInMs));
    }
  }

  #sendTo(leader: number, sendings: readonly Sending[]): void {
    let rest = sendings;
    const isFar = sendings.some(({ queue }) => queue.window > 1);
    const most = isFar ? MAX_REQUESTS_FAR : MAX_REQUESTS_PER_BROKER;
    while (rest.length > 0 && (this.#requests.get(leader) ?? 0) < most) {
      let bytes = 0;
      const fits = rest.findIndex(({ batch }, index) => {
        bytes += batch.bytes?.length ?? 0;
        return index > 0 && bytes > MAX_REQUEST_BYTES;
      });
      const group = fits < 0 ? rest : rest.slice(0, fits);
      rest = fits < 0 ? [] : rest.slice(fits);
      void this.#send(leader, group);
    }
  }

  async #send(leader: number, sendings: readonly Sending[]): Promise<void> {
    const batches = sendings.map(({ queue, batch }) => {
      queue.sent(batch, leader);
      // One batch of a partition a request: what else it has leaves with the next.
      if (queue.nextFor(leader)?.bytes === undefined) this.#ready.delete(queue);
      else this.schedule();
      return { partition: queue.partition, bytes: this.#stamped(queue, batch) };
    });
    this.#requests.set(leader, (this.#requests.get(leader) ?? 0) + 1);
    const { topic, acks, requestTimeoutMs } = this.#options;
    try {
      const request = { topic, acks, timeoutMs: requestTimeoutMs, batches };
      const answer = await this.#producer.produce(leader, request);
      if (!this.#closed) this.#settle(sendings, answer);
    } catch (error) {
      // The outcome is unknown: the same bytes again, which an idempotent broker recognises.
      const { message, code } = error as Error & { code?: string };
      const landing = { reason: message, overdue: code === 'TIMEOUT' };
      for (const { queue, batch } of sendings) this.#events.landed(queue, batch, landing);
      if (!this.#closed) this.#events.leadersStale(message);
    } finally {
      this.#requests.set(leader, (this.#requests.get(leader) ?? 1) - 1);
      if (this.#ready.size > 0) this.schedule();
    }
  }

  #settle(sendings: readonly Sending[], answer: ProduceAnswer | undefined): void {
    for (const { queue, batch } of sendings) {
      const word = answer?.partitions.find(({ partition }) => partition === queue.partition);
      const isUnnamed = answer !== undefined && word === undefined;
      this.#events.landed(
        queue,
        batch,
        isUnnamed ? { reason: 'the answer does not name the partition', overdue: false } : { answer: word },
      );
    }
  }

  /** The batch's bytes with the producer's identity in them, given once. */
  #stamped(queue: PartitionQueue, batch: Outgoing): Buffer {
    if (batch.bytes === undefined) throw new Error('a batch was sent that is not sealed');
    if (batch.producer === undefined) {
      batch.producer = this.identity ? queue.takeStamp(this.identity, batch.count) : NO_PRODUCER;
      stamp(batch.bytes, batch.producer);
    }
    batch.attempts++;
    this.bytesSent += batch.bytes.length;
    return batch.bytes;
  }
}
