// Sends the next batches of ready partitions: a request carries one batch of each of several partitions with the same
// leader. It tells each partition the outcome of its batch, and decides nothing about the batch.
import type { ProducerBatch } from '../batches/producer-batch.ts';
import type { ProducerIdentity } from '../batches/record-batch.ts';
import type { ProduceAnswer, ProduceRequest } from '../wire/produce-request.ts';
import { type Failed, type Outcome, outcomeOf } from './outcome.ts';
import { RequestLimit } from './request-limit.ts';

export interface SenderOptions {
  readonly topic: string;
  readonly acks: -1 | 0 | 1;
  /** How long a broker may wait for its replicas, in milliseconds. */
  readonly requestTimeoutMs: number;
}

/** Delivery's view of the cluster. */
export interface Producer {
  /**
   * Resolves with undefined if acks is 0. Rejects if no answer came, so the outcome is unknown. The error's code is
   * TIMEOUT (no answer in time), CLOSED (the broker closed the connection) or another one.
   */
  produce(nodeId: number, request: ProduceRequest): Promise<ProduceAnswer | undefined>;
  initProducerId(): Promise<ProducerIdentity>;
}

/** The sender's view of a partition. */
export interface SendingPartition {
  readonly number: number;
  /** Nothing is sent before this time, in monotonic milliseconds. */
  readonly notBeforeMs: number;
  /** The round trip is long: several batches may be in flight. */
  readonly isFar: boolean;
  /** The batch that may be sent to this leader now. */
  next(leader: number): ProducerBatch | undefined;
  /** Stamps the batch if it needs a stamp, and counts it as in flight. */
  sent(batch: ProducerBatch, leader: number): void;
  /** Called once for each batch sent. */
  settle(batch: ProducerBatch, outcome: Outcome): void;
  /** The batch that next() gave could not be sent. */
  unsent(failure: Failed): void;
}

/** A batch of a request, as the request names it, with its owner. */
interface Sending {
  readonly owner: SendingPartition;
  readonly partition: number;
  readonly batch: ProducerBatch;
  readonly bytes: Buffer;
}

/** Requests in flight to one broker. More would only wait there, and fewer would leave the link idle. */
const MAX_REQUESTS_PER_BROKER = 5;
/** Requests in flight to a broker that is far. Each carries the partitions that an answer made ready, perhaps few. */
const MAX_REQUESTS_FAR = 50;
/** A single record counts as too large only after this many connections were closed on it. */
const MAX_CLOSED_ON_RECORD = 5;

export class Sender {
  /** Node id of each partition's leader, -1 if it has none; undefined until the topic is known. */
  leaders: readonly number[] | undefined;
  bytesSent = 0;

  readonly #options: SenderOptions;
  readonly #producer: Producer;
  readonly #leadersStale: (reason: string) => void;
  #ready = new Set<SendingPartition>();
  /** The sizes of the requests in flight to each leader. */
  readonly #requests = new Map<number, { readonly bytes: number }[]>();
  readonly #limits = new Map<number, RequestLimit>();
  #pumpScheduled: NodeJS.Immediate | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param leadersStale called when a leader is wrong or cannot be reached */
  constructor(options: SenderOptions, producer: Producer, leadersStale: (reason: string) => void) {
    this.#options = options;
    this.#producer = producer;
    this.#leadersStale = leadersStale;
  }

  /** The partition may have something to send. */
  ready(partition: SendingPartition): void {
    this.#ready.add(partition);
    this.#schedule();
  }

  // An immediate and not a microtask, so that batches sealed in the same turn share a request.
  #schedule(): void {
    if (this.#closed) return;
    this.#pumpScheduled ??= setImmediate(() => {
      this.#pumpScheduled = undefined;
      this.#pump();
    });
  }

  /** Sends ready batches now instead of a turn later. */
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
    // A new one each time: the old tables of a Set that changes so often would fill V8's old generation
    // (docs/decisions/0081).
    const ready = this.#ready;
    this.#ready = new Set();
    for (const partition of ready) {
      const leader = leaders[partition.number] ?? -1;
      const batch = partition.next(leader);
      const bytes = batch?.bytes;
      if (batch === undefined || bytes === undefined) continue;
      if (partition.notBeforeMs > now) {
        retryInMs = Math.min(retryInMs, partition.notBeforeMs - now);
        this.#ready.add(partition);
        continue;
      }
      if (leader < 0) {
        this.#ready.add(partition);
        const reason = `partition ${partition.number} has no leader`;
        partition.unsent({ kind: 'failed', reason });
        this.#leadersStale(reason);
        continue;
      }
      const sending = { owner: partition, partition: partition.number, batch, bytes };
      const group = byLeader.get(leader);
      if (group === undefined) byLeader.set(leader, [sending]);
      else group.push(sending);
    }
    for (const [leader, sendings] of byLeader) this.#sendTo(leader, sendings);
    if (retryInMs !== Infinity) {
      clearTimeout(this.#retryTimer);
      this.#retryTimer = setTimeout(() => this.#pump(), Math.ceil(retryInMs));
    }
  }

  #sendTo(leader: number, sendings: readonly Sending[]): void {
    let rest = sendings;
    const isFar = sendings.some(({ owner }) => owner.isFar);
    const most = isFar ? MAX_REQUESTS_FAR : MAX_REQUESTS_PER_BROKER;
    const limit = this.#limitOf(leader).bytes;
    while (rest.length > 0 && this.#requestsTo(leader).length < most) {
      let total = 0;
      const fits = rest.findIndex(({ bytes }, index) => {
        total += bytes.length;
        return index > 0 && total > limit;
      });
      const group = fits < 0 ? rest : rest.slice(0, fits);
      rest = fits < 0 ? [] : rest.slice(fits);
      void this.#send(leader, group);
    }
    for (const { owner } of rest) this.#ready.add(owner);
  }

  #send(leader: number, sendings: readonly Sending[]): void {
    let total = 0;
    let mayBeThere = false;
    for (const { owner, batch, bytes } of sendings) {
      owner.sent(batch, leader);
      mayBeThere ||= batch.mayBeThere;
      total += bytes.length;
      // A request carries one batch of a partition. Its next batch goes with the next request.
      if (owner.next(leader)?.bytes !== undefined) this.ready(owner);
    }
    this.bytesSent += total;
    const inFlight = { bytes: total };
    const requests = this.#requestsTo(leader);
    requests.push(inFlight);
    const { topic, acks, requestTimeoutMs: timeoutMs } = this.#options;
    const ended = () => {
      requests.splice(requests.indexOf(inFlight), 1);
      if (this.#ready.size > 0) this.#schedule();
    };
    this.#producer.produce(leader, { topic, acks, timeoutMs, batches: sendings, mayBeThere }).then(
      (answer) => {
        this.#limitOf(leader).noteAnswer(total);
        if (!this.#closed) this.#settleAnswered(sendings, answer);
        ended();
      },
      (error: Error & { code?: string }) => {
        if (!this.#closed) this.#settleFailed(leader, sendings, error);
        ended();
      },
    );
  }

  #settleAnswered(sendings: readonly Sending[], answer: ProduceAnswer | undefined): void {
    let stale: string | undefined;
    for (const { owner, partition, batch } of sendings) {
      const named = answer?.partitions.find((one) => one.partition === partition);
      const outcome = answer !== undefined && named === undefined ? UNNAMED : outcomeOf(named);
      if (outcome.kind === 'failed' && outcome.isLeaderStale) stale = outcome.reason;
      owner.settle(batch, outcome);
    }
    if (stale !== undefined) this.#leadersStale(stale);
  }

  /** The outcome is unknown: the same bytes are sent again, which an idempotent broker recognises. */
  #settleFailed(
    leader: number,
    sendings: readonly Sending[],
    { message, code }: Error & { code?: string },
  ): void {
    const outcome: Failed = { kind: 'failed', reason: message, isOverdue: code === 'TIMEOUT' };
    const bytes = sizeOf(sendings);
    // Of several requests that the connection took with it, the broker may have the smaller ones: cut into parts they would
    // be there twice.
    const isLargest = this.#requestsTo(leader).every((other) => other.bytes <= bytes);
    const isTooLarge = code === 'CLOSED' && isLargest && this.#limitOf(leader).noteClose(bytes);
    for (const { owner, batch } of sendings) {
      const isAtFault =
        isTooLarge && sendings.length === 1 && (batch.count > 1 || batch.attempts >= MAX_CLOSED_ON_RECORD);
      owner.settle(batch, isAtFault ? REQUEST_TOO_LARGE : outcome);
    }
    this.#leadersStale(message);
  }

  #requestsTo(leader: number): { readonly bytes: number }[] {
    const known = this.#requests.get(leader);
    if (known !== undefined) return known;
    const requests: { readonly bytes: number }[] = [];
    this.#requests.set(leader, requests);
    return requests;
  }

  #limitOf(leader: number): RequestLimit {
    const known = this.#limits.get(leader);
    if (known !== undefined) return known;
    const limit = new RequestLimit();
    this.#limits.set(leader, limit);
    return limit;
  }
}

const UNNAMED: Outcome = { kind: 'failed', reason: 'the answer does not name the partition' };
const REQUEST_TOO_LARGE: Outcome = {
  kind: 'rejected',
  reason: 'MESSAGE_TOO_LARGE',
  isUnanswered: true,
  remedy: 'the broker closes the connection on a request of this size: raise its limit on requests',
};

function sizeOf(sendings: readonly Sending[]): number {
  return sendings.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
