// One partition's batches in order, in memory or, once it spools, through the disk. One is in flight, or several where
// Kafka is far away. It owns the partition's producer sequence, which is given to a batch once and never to other bytes.
import type { PartitionSpool } from '../spool/partition-spool.ts';
import type { Batch } from './batch.ts';
import type { Outgoing, ReadyBatch } from './outgoing.ts';
import type { PartitionAnswer } from './produce-request.ts';
import { nextSequence, type ProducerStamp } from './record-batch.ts';

export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** A batch on its way while an earlier one is. */
export interface Ahead {
  readonly batch: Outgoing;
  readonly sentAtMs: number;
  /** Undefined while it is under way. */
  landing: Landing | undefined;
}

/** What became of a sending: the broker's answer, none with acks 0, or why nobody knows. */
export type Landing =
  | { readonly answer: PartitionAnswer | undefined }
  | { readonly reason: string; readonly overdue: boolean };

/** A round trip from which on several batches are sent at a time, milliseconds. */
const FAR_MS = 25;
/** Brokers recognise the last five batches of a producer when they are sent again. */
const MOST_IN_FLIGHT = 5;
/** A broker that forgot the producer takes any sequence; one that has just taken a batch has not. */
const FRESH_MS = 60_000;

export class PartitionQueue {
  readonly partition: number;
  /** Monotonic milliseconds before which the head is not tried again. */
  notBeforeMs = 0;
  /** Failures of the head in a row. */
  failures = 0;
  inFlight = false;
  /** Node id of the leader the head was last sent to, and when, monotonic milliseconds. */
  sentTo = -1;
  sentAtMs = 0;
  /** Sent while the head is in flight, in order, right behind it. */
  ahead: Ahead[] = [];
  /** What became of the head that Kafka did not take, until it is sent again: nothing is sent behind it. */
  failedHead: Landing | undefined;
  /** From sending to Kafka's answer, lately. */
  roundTripMs = 0;
  #answeredAtMs = Number.NEGATIVE_INFINITY;
  /** Batches go to the disk first; set once, cleared when the disk has been caught up with. */
  spooling = false;
  /** The last of the disk is in flight: what follows waits in memory for it, and then goes straight to Kafka. */
  returning = false;
  /** To be spooled as soon as nothing is in flight. */
  spoolWhenFree = false;
  /** The disk's side, opened when it is first needed. */
  spool: PartitionSpool<Batch> | undefined;
  /** Memory's side: what waits to be sent or, while spooling, to be written. */
  readonly batches: Batch[] = [];
  /** Read back from the spool and next to be sent. */
  drained: ReadyBatch | undefined;
  /** The drained batch, split because Kafka refused a record of it: sent instead of it, in order. */
  parts: ReadyBatch[] = [];
  /** Records of the drained batch that were settled as parts; the spool still counts them. */
  settledParts = 0;
  /** The own sequence was renewed while the drained head was in hand. */
  renewed = false;
  /** An asynchronous step on behalf of this partition is under way: moving to the disk, or reading back. */
  feeding = false;
  loading = false;

  #identity: ProducerIdentity | undefined;
  #nextSequence = 0;

  constructor(partition: number) {
    this.partition = partition;
  }

  get head(): Outgoing | undefined {
    return this.spooling ? (this.parts[0] ?? this.drained) : this.batches[0];
  }

  /** True while something is before a batch that would be closed now. */
  get busy(): boolean {
    if (this.returning) return true;
    return this.spooling
      ? (this.spool?.waiting ?? 1) > 0 || this.batches.length > 0
      : this.batches.length >= this.window;
  }

  /** How many of memory's batches may be in flight. */
  get window(): number {
    const { acknowledged } = this;
    const healthy = this.failures === 0 && !this.spooling && !this.spoolWhenFree;
    return healthy && acknowledged && this.roundTripMs > FAR_MS ? MOST_IN_FLIGHT : 1;
  }

  /** Kafka knows the identity, which it has acknowledged a batch of lately. */
  get acknowledged(): boolean {
    return this.#identity !== undefined && performance.now() - this.#answeredAtMs < FRESH_MS;
  }

  /** What may be sent now, to that leader. */
  nextFor(leader: number): Outgoing | undefined {
    if (!this.inFlight) return this.head;
    const isOpen = this.failedHead === undefined && leader === this.sentTo;
    return isOpen && 1 + this.ahead.length < this.window ? this.batches[1 + this.ahead.length] : undefined;
  }

  sent(batch: Outgoing, leader: number): void {
    const sentAtMs = performance.now();
    if (this.inFlight) {
      this.ahead.push({ batch, sentAtMs, landing: undefined });
      return;
    }
    this.inFlight = true;
    this.failedHead = undefined;
    this.sentTo = leader;
    this.sentAtMs = sentAtMs;
  }

  /** The next stamp for `count` records, as the partition's own producer. */
  takeStamp(identity: ProducerIdentity, count: number): ProducerStamp {
    this.#identity ??= identity;
    const stamp = { ...this.#identity, baseSequence: this.#nextSequence };
    this.#nextSequence = nextSequence(this.#nextSequence, count);
    return stamp;
  }

  /** Where takeStamp would go on; undefined before the first. */
  get position(): { identity: ProducerIdentity; sequence: number } | undefined {
    return this.#identity && { identity: this.#identity, sequence: this.#nextSequence };
  }

  /** Puts the own sequence to `sequence` under `identity`: the broker forgot it, or it was used elsewhere. */
  restart(identity: ProducerIdentity, sequence = 0): void {
    if (identity.producerId !== this.#identity?.producerId) this.#answeredAtMs = Number.NEGATIVE_INFINITY;
    this.#identity = identity;
    this.#nextSequence = sequence;
  }

  /** Nothing of it is on disk any more, or what is has another partition. */
  leaveSpool(): void {
    this.spooling = false;
    this.returning = false;
    this.drained = undefined;
    this.parts = [];
    this.settledParts = 0;
    this.succeeded();
  }

  /** The batches nobody has begun to seal, which are the last ones. */
  takeUnsealed(): Batch[] {
    const first = this.batches.findIndex(({ closed }) => !closed);
    return first < 0 ? [] : this.batches.splice(first);
  }

  /** Puts parts of the head in its place. */
  replaceHead(halves: readonly ReadyBatch[]): void {
    if (this.spooling) this.parts.splice(0, this.parts.length > 0 ? 1 : 0, ...halves);
    else this.batches.splice(0, 1, ...(this.batches[0]?.split(halves) ?? []));
  }

  /** Kafka has taken what was sent last. */
  answered(): void {
    this.#answeredAtMs = performance.now();
    this.roundTripMs += (this.#answeredAtMs - this.sentAtMs - this.roundTripMs) / 4;
  }

  succeeded(): void {
    this.failures = 0;
    this.notBeforeMs = 0;
  }
}
