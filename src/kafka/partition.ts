// One partition of the topic: its batches in memory, those in flight and the order of their outcomes, its producer
// sequence, its way through the disk, and its state. Nobody else changes any of them.
//
// | state       | new batches        | sent to Kafka               | leaves for, when                                      |
// |-------------|--------------------|-----------------------------|-------------------------------------------------------|
// | memory      | wait in memory     | memory's batches, in order  | leaving or disk: KAFKA_MAX_ATTEMPTS failures, no      |
// |             |                    |                             | answer in time, a rejected batch, Kafka out of reach, |
// |             |                    |                             | the gateway stops                                     |
// | leaving     | wait in memory     | nothing new                 | disk: no batch is in flight any more (memory if none  |
// |             |                    |                             | is left)                                              |
// | disk        | are written to disk| the disk's oldest, alone    | catching-up: it is the disk's last. held: Kafka       |
// |             |                    |                             | refuses every record. memory: the disk is empty, or   |
// |             |                    |                             | it takes nothing and Kafka does                       |
// | catching-up | wait in memory     | the disk's last             | memory: Kafka took it. disk: it failed, or the way    |
// |             |                    |                             | to Kafka is to be left                                |
// | held        | are written to disk| from time to time the first | disk: Kafka took a record again                       |
// |             |                    | records, one by one         |                                                       |
//
// Without a spool a partition stays in `memory` and tries again for ever.
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Spool } from '../spool/spool.ts';
import { type BackoffOptions, backoffMs } from './backoff.ts';
import type { Batch } from './batch.ts';
import type { Codec } from './compression.ts';
import { DeferredConfirmations } from './deferred-confirmations.ts';
import { DiskRoute, type DiskRouteOptions } from './disk-route.ts';
import { InFlightBatches, type Settled } from './in-flight-batches.ts';
import type { Failed, Outcome, Rejected } from './outcome.ts';
import type { DiskBatch, ProducerBatch } from './producer-batch.ts';
import { type ProducerIdentity, ProducerSequence } from './producer-sequence.ts';
import { NO_PRODUCER, nextSequence, type ProducerStamp, stamp, stampTime } from './record-batch.ts';
import { searchRejected } from './rejection-search.ts';
import type { RefusedRecord } from './split-batch.ts';
import { WakeUp } from './wake-up.ts';

export type PartitionState = 'memory' | 'leaving' | 'disk' | 'catching-up' | 'held';

export interface PartitionOptions {
  readonly topic: string;
  /** Tries of a batch before its partition goes to the disk (KAFKA_MAX_ATTEMPTS). */
  readonly maxAttempts: number;
  readonly codec: Codec;
  readonly disk: DiskRouteOptions;
  readonly log: Logger;
}

/** The delivery that a partition belongs to. */
export interface PartitionHost {
  /** Undefined until the spool is there, and without one. */
  readonly spool: Spool | undefined;
  /** The process's producer; undefined until Kafka gave one, and without idempotence. */
  readonly identity: ProducerIdentity | undefined;
  /** The cluster that the identity belongs to; undefined until Kafka was reached. */
  readonly cluster: bigint | undefined;
  /** The leaders are known, and so is the producer identity if one is needed. */
  readonly canSend: boolean;
  /** Kafka answers, as far as is known, and batches may go to it from memory. */
  readonly isReachable: boolean;
  initProducerId(): Promise<ProducerIdentity>;
  /** Compresses the batch, once. */
  seal(batch: Batch): Promise<void>;
  /** The partition may have something to send. */
  ready(partition: Partition): void;
  /** The partition has nothing to send from memory now. */
  idle(partition: Partition): void;
  /** Kafka has the batch, which leaves memory. */
  confirmed(batch: Batch): void;
  /** Kafka has these records from the disk, and the others are durable as dead letters. */
  passed(counts: { readonly stored: number; readonly refused: number }): void;
  /** The batches are on disk and leave memory. Their devices are told by the partition. */
  spooled(batches: readonly Batch[]): void;
  /** Resolves once the refused record is durable as a dead letter. */
  refuse(partition: Partition, record: RefusedRecord, reason: string): Promise<void>;
  failed(partition: Partition, failure: Failed | Rejected): void;
  warn(partition: Partition, fields: object, message: string): void;
  /** The disk's trouble with this partition in one direction, null if there is none. */
  trouble(partition: Partition, direction: 'read' | 'write', reason: string | null): void;
}

const RETRY: BackoffOptions = { firstMs: 50, maxMs: 2000 };
const HELD: BackoffOptions = { firstMs: 1000, maxMs: 10_000 };
const DISK_RETRY_MS = 500;
const HALT_POLL_MS = 5;
/** Round trips longer than this get several batches in flight, milliseconds. */
const FAR_MS = 25;
/** A broker recognises the last five batches of a producer if they are sent again. */
const MAX_IN_FLIGHT = 5;
/** A batch of the usual size is enough for a round trip of this length. Longer ones let it grow in proportion. */
const NEAR_MS = 10;

/** A batch from the disk that is sent by itself, until Kafka took it, refused it, or it must not be sent any more. */
interface Alone {
  readonly batch: DiskBatch;
  /** Its stamp says nothing to the Kafka of now. */
  isStale: boolean;
  readonly decided: (outcome: Outcome | 'interrupted') => void;
}

export class Partition {
  readonly number: number;

  readonly #options: PartitionOptions;
  readonly #host: PartitionHost;
  #state: PartitionState = 'memory';
  readonly #memory: Batch[] = [];
  readonly #inFlight = new InFlightBatches();
  #sequence = new ProducerSequence();
  readonly #confirmations = new DeferredConfirmations();
  #alone: Alone | undefined;
  #route: DiskRoute | undefined;
  #opening: Promise<DiskRoute | undefined> | undefined;
  // The cluster that the stamps on disk belong to.
  #boundTo: bigint | undefined;
  #failures = 0;
  #notBeforeMs = 0;
  #problem: Failed | Rejected | undefined;
  #roundTripMs = 0;
  // Asynchronous steps under way: a new producer id for memory, memory's batches to the disk, the disk's to Kafka.
  #isRenewing = false;
  #isSpilling = false;
  #isDraining = false;
  // Nothing is sent, written or read, because the spool is being placed for another number of partitions.
  #isHalted = false;
  readonly #changed = new WakeUp();

  constructor(number: number, options: PartitionOptions, host: PartitionHost) {
    this.number = number;
    this.#options = options;
    this.#host = host;
  }

  get state(): PartitionState {
    return this.#state;
  }

  /** Its batches go through the disk. */
  get isOnDisk(): boolean {
    return this.#state !== 'memory' && this.#state !== 'leaving';
  }

  /** New batches are written to the disk. */
  get #isWritten(): boolean {
    return (this.#state === 'disk' || this.#state === 'held') && !this.#isHalted;
  }

  /** Its batches go through the disk and Kafka did not take the oldest when it was last tried. */
  get isFailing(): boolean {
    return this.#state === 'held' || (this.isOnDisk && this.#failures > 0);
  }

  /** Why Kafka does not take its batches, if somebody has to do something about it. */
  get problem(): Failed | Rejected | undefined {
    return this.#problem;
  }

  /** Failures of the oldest batch in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** Monotonic milliseconds at which the oldest batch in memory was opened. */
  get oldestMs(): number | undefined {
    return this.#memory[0]?.openedAtMs;
  }

  /** A batch that is closed now has to wait for earlier ones. */
  get isBusy(): boolean {
    if (this.#state === 'catching-up') return true;
    if (!this.isOnDisk) return this.#memory.length >= this.#window;
    return (this.#route?.waiting ?? 1) > 0 || this.#memory.length > 0;
  }

  /** How many times its usual size a batch may have because it has to wait: the farther Kafka is, the more. */
  get growth(): number {
    return this.#state === 'memory' && this.isBusy ? this.#roundTripMs / NEAR_MS : 1;
  }

  /** Several batches may be in flight. */
  get isFar(): boolean {
    return this.#window > 1;
  }

  /** How many of memory's batches may be in flight. */
  get #window(): number {
    const isHealthy = this.#failures === 0 && this.#state === 'memory';
    return isHealthy && this.#roundTripMs > FAR_MS && this.#sequence.isFresh ? MAX_IN_FLIGHT : 1;
  }

  // --- batches in ---

  deliver(batch: Batch): void {
    this.#memory.push(batch);
    if (this.#isHalted) return;
    if (this.#isWritten) void this.#spill();
    else if (this.#host.canSend || this.#state !== 'memory') void this.#sealAndSend(batch);
  }

  /** Takes back the batches that nobody has begun to seal, which are the last ones. */
  takeUnsealed(): Batch[] {
    const first = this.#memory.findIndex(({ closed }) => !closed);
    return first < 0 ? [] : this.#memory.splice(first);
  }

  /** The leaders are known, or were asked for again. */
  leadersKnown(): void {
    if (this.isOnDisk) this.#changed.raise();
    else if (this.#host.canSend) for (const batch of this.#memory) void this.#sealAndSend(batch);
    this.#host.ready(this);
  }

  /** Kafka as a whole is out of reach, or the gateway stops: what is in memory goes to the disk. */
  leaveMemory(reason: string): void {
    this.#confirmations.end();
    if (this.#isHalted) return;
    if (this.#state === 'catching-up') this.#backToDisk();
    else if (this.#state === 'memory' && this.#memory.length > 0) this.#goToDisk(reason);
  }

  /** Batches of this partition are on disk that were not put there by itself. What is in memory follows them. */
  resumeFromDisk(): void {
    this.#state = 'disk';
    void this.#spill();
    void this.#drain();
  }

  // --- batches out, for the sender ---

  /** Monotonic milliseconds before which nothing is sent. */
  get notBeforeMs(): number {
    return this.#notBeforeMs;
  }

  /** The batch that may be sent to this leader now. */
  next(leader: number): ProducerBatch | undefined {
    const { size } = this.#inFlight;
    if (this.#alone !== undefined) return size === 0 ? this.#alone.batch : undefined;
    if (this.#state !== 'memory' || this.#isRenewing || this.#isHalted) return undefined;
    if (size === 0) return this.#memory[0];
    return size < this.#window && this.#inFlight.isOpenTo(leader) ? this.#memory[size] : undefined;
  }

  /** Stamps the batch, if it is sent for the first time, and counts it as in flight. */
  sent(batch: ProducerBatch, leader: number): void {
    if (batch.bytes === undefined) throw new Error('a batch was sent that is not sealed');
    this.#inFlight.sent(batch, leader);
    batch.attempts++;
    const { isStampedWhenSent } = this.#options.disk;
    if (batch.producer !== undefined && !isStampedWhenSent) return;
    const { identity } = this.#host;
    batch.producer ??= identity ? this.#sequence.take(identity, batch.count) : NO_PRODUCER;
    if (isStampedWhenSent) stampTime(batch.bytes, Date.now());
    stamp(batch.bytes, batch.producer);
  }

  settle(batch: ProducerBatch, outcome: Outcome): void {
    for (const settled of this.#inFlight.settle(batch, outcome)) {
      if (settled.batch === this.#alone?.batch) this.#aloneSettled(settled);
      else this.#memorySettled(settled);
    }
  }

  /** The batch that next() gave could not be sent. */
  unsent(failure: Failed): void {
    if (this.#alone === undefined) this.#memoryFailed(failure);
    else this.#aloneFailed(failure);
  }

  // --- another cluster, another number of partitions, the end ---

  /** Kafka is another cluster than before: no identity or sequence of the former one says anything there. */
  forgetProducer(): void {
    this.#sequence = new ProducerSequence();
    for (const batch of this.#memory) batch.unsend();
    this.#route?.forgetProducer();
    this.#interrupt();
  }

  /**
   * Resolves once nothing is sent, written or read; batches that are delivered meanwhile wait in memory.
   * @throws if delivery is closed meanwhile
   */
  async halt(): Promise<void> {
    this.#isHalted = true;
    this.#confirmations.end();
    this.#interrupt();
    const isMoving = () =>
      this.#inFlight.size > 0 ||
      this.#isRenewing ||
      this.#isSpilling ||
      this.#isDraining ||
      (this.#route?.waiting ?? 0) > 0;
    while (isMoving()) {
      if (!this.#isSpilling) this.#memory.unshift(...(this.#route?.takeBack() ?? []));
      await pause(HALT_POLL_MS, undefined, { signal: this.#options.disk.signal });
      // Each time: a step that was between its look at the state and its wait would not see an earlier one.
      this.#changed.raise();
    }
  }

  /** All that has still to be sent, oldest first: the disk's batches, then these of memory. Only while halted. */
  async *remaining(waiting: readonly Batch[]): AsyncGenerator<Buffer> {
    if (this.#route !== undefined) yield* this.#route.remaining();
    for (const batch of waiting) {
      await this.#host.seal(batch);
      if (batch.bytes !== undefined) yield batch.bytes;
    }
  }

  /** Its batches in memory. Only while halted. */
  get waiting(): readonly Batch[] {
    return this.#memory;
  }

  /** Everything it had on disk, and its first `count` batches in memory, are elsewhere now. It stays halted. */
  moved(count: number): Batch[] {
    this.#state = 'memory';
    this.#route = undefined;
    this.#opening = undefined;
    this.#boundTo = undefined;
    this.#succeeded();
    return this.#memory.splice(0, count);
  }

  /** Ends the halt with everything as it was. */
  async resume(): Promise<void> {
    await this.#route?.rewind().catch(() => undefined);
    this.endHalt();
  }

  endHalt(): void {
    this.#isHalted = this.#options.disk.signal.aborted;
    if (this.#isHalted) return;
    if (this.isOnDisk) {
      void this.#spill();
      void this.#drain();
    } else this.leadersKnown();
  }

  /** Sends nothing more. */
  close(): void {
    this.#isHalted = true;
    this.#confirmations.end();
    this.#interrupt();
  }

  // --- memory ---

  async #sealAndSend(batch: Batch): Promise<void> {
    await this.#host.seal(batch);
    this.#host.ready(this);
  }

  #memorySettled({ batch, outcome, sentAtMs }: Settled): void {
    switch (outcome.kind) {
      case 'stored':
        this.#memoryStored(sentAtMs);
        break;
      case 'failed':
        this.#memoryFailed(outcome);
        break;
      case 'lost-sequence':
        void this.#renewInMemory(outcome.reason);
        break;
      case 'rejected':
        this.#memoryRejected(batch, outcome);
        break;
    }
  }

  /** The search for the record begins once the batch is on disk. */
  #memoryRejected({ producer, count }: ProducerBatch, rejected: Rejected): void {
    if (!rejected.isUnanswered) {
      // Behind a batch that the broker rejected nothing can have been stored, so what was sent there gets other sequences.
      for (const behind of this.#memory.slice(1)) behind.unsend();
      if (producer !== undefined && producer !== NO_PRODUCER)
        this.#sequence.restart(producer, nextSequence(producer.baseSequence, count));
    }
    this.#failed(rejected);
    this.#confirmations.begin();
    if (this.#state === 'leaving') this.#left();
    else this.#goToDisk(rejected.reason);
    this.#host.ready(this);
  }

  #memoryStored(sentAtMs: number): void {
    const batch = this.#memory.shift();
    if (batch === undefined) return;
    this.#acknowledged(batch, sentAtMs);
    this.#host.confirmed(batch);
    if (this.#state === 'leaving') this.#left();
    else {
      if (this.#memory.length > 0) this.#host.ready(this);
      if (!this.isBusy) this.#host.idle(this);
    }
  }

  #memoryFailed(failure: Failed): void {
    this.#failed(failure);
    const isGivenUp = failure.isOverdue === true || this.#failures >= this.#options.maxAttempts;
    if (this.#state === 'leaving') this.#left();
    else if (isGivenUp) this.#goToDisk(failure.reason);
    this.#host.ready(this);
  }

  async #renewInMemory(reason: string): Promise<void> {
    this.#isRenewing = true;
    try {
      await this.#renewLost(reason);
      for (const batch of this.#memory) batch.unsend();
    } catch {
      // The next try meets the same answer and asks again.
    }
    this.#isRenewing = false;
    this.#memoryFailed({ kind: 'failed', reason });
  }

  /** Goes on under a new producer id. One that a former cluster gave may be another producer's here. */
  async #renew(): Promise<ProducerIdentity> {
    for (;;) {
      const { cluster } = this.#host;
      const identity = await this.#host.initProducerId();
      if (cluster !== this.#host.cluster) continue;
      this.#sequence.restart(identity);
      return identity;
    }
  }

  async #renewLost(reason: string): Promise<ProducerIdentity> {
    const identity = await this.#renew();
    const message =
      'Kafka lost track of the producer sequence, going on under a new producer id; a batch may be there twice';
    this.#host.warn(this, { reason }, message);
    return identity;
  }

  // --- from memory to the disk ---

  #goToDisk(reason: string): void {
    if (this.#host.spool === undefined || this.#isHalted || this.#state !== 'memory') return;
    this.#state = 'leaving';
    const message = `Partition ${this.number} goes to the spool until Kafka takes its batches again`;
    this.#options.log.warn({ topic: this.#options.topic, partition: this.number, reason }, message);
    this.#left();
  }

  /** With nothing in flight any more the partition has left memory. */
  #left(): void {
    if (this.#inFlight.size > 0 || this.#isRenewing) return;
    this.#failures = 0;
    this.#notBeforeMs = 0;
    this.#state = this.#memory.length > 0 ? 'disk' : 'memory';
    if (this.#state === 'memory') {
      this.#host.idle(this);
      return;
    }
    void this.#spill();
    void this.#drain();
  }

  /** What waits in memory for the disk's last batch is written after all. */
  #backToDisk(): void {
    this.#state = 'disk';
    void this.#spill();
  }

  /** Gives memory's batches to the disk, in order, until memory is empty. */
  async #spill(): Promise<void> {
    if (this.#isSpilling) return;
    this.#isSpilling = true;
    const route = await this.#openRoute();
    while (route !== undefined && this.#isWritten) {
      const [batch] = this.#memory;
      if (batch === undefined) break;
      await this.#host.seal(batch);
      // The partition may have left the disk meanwhile, or another batch may be first.
      if (batch !== this.#memory[0] || !this.#isWritten) continue;
      this.#memory.shift();
      route.write(batch);
    }
    this.#isSpilling = false;
    this.#changed.raise();
  }

  /** Undefined once delivery is closed, and while halted if the disk does not open it. */
  #openRoute(): Promise<DiskRoute | undefined> {
    // Two openings of one log would write over each other.
    this.#opening ??= this.#openUntilDone().then((route) => {
      if (route === undefined) this.#opening = undefined;
      return route;
    });
    return this.#opening;
  }

  async #openUntilDone(): Promise<DiskRoute | undefined> {
    while (!this.#options.disk.signal.aborted && !this.#isHalted) {
      try {
        const log = await this.#host.spool?.log(this.number);
        if (log === undefined) return undefined;
        const route = new DiskRoute(log, this.#options.disk, {
          durable: (batches, end) => {
            this.#host.spooled(batches);
            this.#confirmations.durable(batches, end);
            this.#host.idle(this);
            this.#changed.raise();
          },
          trouble: (reason) => {
            this.#host.trouble(this, 'write', reason);
            this.#changed.raise();
          },
        });
        await this.#bind(route);
        this.#route = route;
        return route;
      } catch (error) {
        this.#host.trouble(this, 'read', `the spool cannot be opened: ${(error as Error).message}`);
        await this.#changed.wait(DISK_RETRY_MS);
      }
    }
    return undefined;
  }

  /** Before the first write: the stamps of what is written afterwards belong to this cluster. */
  async #bind(route: DiskRoute): Promise<void> {
    const { cluster } = this.#host;
    if (cluster === undefined || cluster === this.#boundTo) return;
    await route.bindTo(cluster);
    this.#boundTo = cluster;
  }

  // --- from the disk to Kafka ---

  async #drain(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    while (this.isOnDisk && !this.#isHalted && !this.#options.disk.signal.aborted) {
      try {
        await this.#drainStep();
      } catch (error) {
        this.#host.trouble(this, 'read', `the spool cannot be read: ${(error as Error).message}`);
        if (this.#state === 'catching-up') this.#backToDisk();
        await this.#changed.wait(DISK_RETRY_MS);
      }
    }
    this.#isDraining = false;
    this.#changed.raise();
  }

  async #drainStep(): Promise<void> {
    const route = await this.#openRoute();
    if (route === undefined) return;
    if (!this.#host.canSend) return this.#changed.wait();
    if (this.#state === 'held' && this.#notBeforeMs > performance.now())
      return this.#changed.wait(this.#notBeforeMs - performance.now());
    await this.#bind(route);
    const batch = await route.next();
    this.#host.trouble(this, 'read', null);
    if (batch === undefined) {
      if (!(await this.#leaveDisk(route))) await this.#changed.wait();
    } else if (this.#state === 'held') await this.#search(route, batch);
    else {
      // Under steady load there would be something new on disk after each round trip, for ever.
      if (this.#host.isReachable && this.#isLastOfDisk(route)) this.#state = 'catching-up';
      await this.#deliverFromDisk(route, batch);
    }
  }

  async #deliverFromDisk(route: DiskRoute, batch: DiskBatch): Promise<void> {
    await route.prepare(batch, this.#sequence, this.#host.identity);
    // Another cluster has come meanwhile, which would take the stamp for that of another batch.
    if (this.#host.cluster !== this.#boundTo) return;
    const outcome = await this.#sendAlone(batch);
    if (outcome === 'interrupted') return;
    switch (outcome.kind) {
      case 'stored':
        await this.#passed(route, batch.end, { stored: batch.count, refused: 0 });
        break;
      case 'lost-sequence':
        await this.#renewOnDisk(route, batch.offset, outcome.reason);
        break;
      case 'rejected':
        await this.#search(route, batch, outcome);
        break;
      case 'failed':
        break;
    }
  }

  async #passed(route: DiskRoute, end: number, counts: { stored: number; refused: number }): Promise<void> {
    const acknowledged = route.acknowledge(end);
    this.#host.passed(counts);
    this.#confirmations.passed(end);
    try {
      await acknowledged;
    } catch (error) {
      // The cursor lags behind, so a restart may send the batch again. The broker recognises it then.
      this.#host.trouble(this, 'read', `the spool's cursor cannot be written: ${(error as Error).message}`);
    }
  }

  async #renewOnDisk(route: DiskRoute, fromOffset: number, reason: string): Promise<void> {
    try {
      await route.assign(fromOffset, await this.#renewLost(reason));
    } finally {
      this.#failed({ kind: 'failed', reason });
    }
  }

  /** The disk is empty, or takes nothing while Kafka does: the partition goes on from memory. False if it cannot. */
  async #leaveDisk(route: DiskRoute): Promise<boolean> {
    if (!this.#isLastOfDisk(route) && !this.#isDiskBypassed(route)) return false;
    if (route.isAssigned) await this.#unassign(route);
    if (this.#isLastOfDisk(route)) {
      const message = `Partition ${this.number} is drained, its batches go straight to Kafka again`;
      this.#options.log.info({ topic: this.#options.topic, partition: this.number }, message);
    } else {
      const taken = this.#isDiskBypassed(route) ? route.takeBack() : [];
      if (taken.length === 0) return false;
      this.#memory.unshift(...taken);
    }
    this.#state = 'memory';
    this.#confirmations.end();
    for (const batch of this.#memory) void this.#sealAndSend(batch);
    if (this.#memory.length === 0) this.#host.idle(this);
    return true;
  }

  /** A remembered assignment would hand out a second time the sequences that memory is about to use. */
  async #unassign(route: DiskRoute): Promise<void> {
    try {
      await route.unassign();
    } catch {
      // The file may keep it, so nothing else is sent as that producer.
      if (this.#host.identity !== undefined) await this.#renew();
    }
  }

  /** Everything on disk was read, and nothing is on its way there. */
  #isLastOfDisk(route: DiskRoute): boolean {
    const isMemoryNext = this.#state === 'catching-up' || this.#memory.length === 0;
    return route.isDrained && isMemoryNext && !this.#isSpilling;
  }

  /** The disk takes nothing, and Kafka does. */
  #isDiskBypassed(route: DiskRoute): boolean {
    return route.isFailing && route.isRead && this.#host.isReachable && !this.#isSpilling;
  }

  #sendAlone(batch: DiskBatch): Promise<Outcome | 'interrupted'> {
    if (this.#isHalted) return Promise.resolve('interrupted');
    return new Promise((decided) => {
      this.#alone = { batch, isStale: false, decided };
      this.#host.ready(this);
    });
  }

  #aloneSettled({ batch, outcome, sentAtMs }: Settled): void {
    if (outcome.kind === 'failed') {
      this.#aloneFailed(outcome);
      return;
    }
    if (outcome.kind === 'stored') this.#acknowledged(batch, sentAtMs);
    this.#decide(outcome);
  }

  #aloneFailed(failure: Failed): void {
    this.#failed(failure);
    this.#confirmations.end();
    if (this.#state === 'catching-up') this.#backToDisk();
    // The same bytes again, which an idempotent broker recognises.
    if (this.#isHalted || this.#alone?.isStale) this.#decide('interrupted');
    else this.#host.ready(this);
  }

  #decide(outcome: Outcome | 'interrupted'): void {
    const alone = this.#alone;
    this.#alone = undefined;
    alone?.decided(outcome);
  }

  /** The disk's batch is not sent again. If it is in flight, its answer still counts. */
  #interrupt(): void {
    if (this.#alone !== undefined) this.#alone.isStale = true;
    if (this.#inFlight.size === 0) this.#decide('interrupted');
    this.#changed.raise();
  }

  // --- records that Kafka refuses ---

  /** @param rejected undefined after an earlier search was held */
  async #search(route: DiskRoute, batch: DiskBatch, rejected?: Rejected): Promise<void> {
    if (this.#state === 'catching-up') this.#backToDisk();
    if (rejected !== undefined) {
      const fields = { records: batch.count, reason: rejected.reason };
      this.#host.failed(this, rejected);
      this.#host.warn(this, fields, 'Kafka refuses a record of a batch, looking for it');
    }
    // Whatever was sent of this batch, and behind it, was sent under the former identity.
    if (this.#host.identity !== undefined && (rejected !== undefined || route.isAssigned)) {
      await this.#renew();
      await route.unassign();
    }
    const end = await searchRejected(batch, rejected, {
      codec: this.#options.codec,
      steps: {
        send: (part) => this.#sendPart(part),
        refuse: (record, reason) => this.#refuse(record, reason),
        passed: (offset, counts) => this.#passed(route, offset, counts),
        following: () => route.following(),
      },
    });
    if (end.kind === 'held') this.#hold(end.rejected);
  }

  async #sendPart(part: DiskBatch): Promise<'stored' | 'interrupted' | Rejected> {
    part.producer = undefined;
    // If another cluster comes meanwhile, the partition gets another one.
    const sequence = this.#sequence;
    const outcome = await this.#sendAlone(part);
    if (outcome === 'interrupted') return outcome;
    const { producer } = part as { producer: ProducerStamp | undefined };
    switch (outcome.kind) {
      case 'stored':
        if (this.#state === 'held') this.#state = 'disk';
        return 'stored';
      case 'rejected':
        if (producer === undefined || producer === NO_PRODUCER) return outcome;
        // If Kafka has answered for these bytes, their sequence is free for the next ones. Else Kafka may have them.
        if (outcome.isUnanswered) await this.#renew();
        else sequence.giveBack(producer);
        return outcome;
      case 'lost-sequence':
        await this.#renewLost(outcome.reason);
        this.#failed({ kind: 'failed', reason: outcome.reason });
        return 'interrupted';
      case 'failed':
        this.#failed({ kind: 'failed', reason: outcome.reason });
        return 'interrupted';
    }
  }

  /** Tries again until the record is durable elsewhere. False if the search must end before. */
  async #refuse(record: RefusedRecord, reason: string): Promise<boolean> {
    let isDurable = false;
    while (!isDurable && !this.#isHalted) {
      let isDone = false;
      const done = () => {
        isDone = true;
        this.#changed.raise();
      };
      this.#host.refuse(this, record, reason).then(() => {
        isDurable = true;
        done();
      }, done);
      while (!isDone && !this.#isHalted) await this.#changed.wait();
      if (isDone && !isDurable) await this.#changed.wait(DISK_RETRY_MS);
    }
    return isDurable;
  }

  #hold(rejected: Rejected): void {
    this.#failed(rejected);
    this.#confirmations.end();
    this.#notBeforeMs = performance.now() + backoffMs(this.#failures, HELD);
    if (this.#state !== 'held') {
      const { topic, log } = this.#options;
      const { reason, remedy } = rejected;
      const message = `Partition ${this.number} waits on disk: Kafka refuses every record of it, so the records are not at fault. Nothing is lost`;
      log.error({ topic, partition: this.number, reason, remedy }, message);
    }
    this.#state = 'held';
  }

  // --- failures and successes ---

  #failed(failure: Failed | Rejected): void {
    this.#failures++;
    this.#notBeforeMs = performance.now() + backoffMs(this.#failures, RETRY);
    if (failure.remedy !== undefined || failure.kind === 'rejected') this.#problem = failure;
    this.#host.failed(this, failure);
  }

  #acknowledged({ producer }: ProducerBatch, sentAtMs: number): void {
    // An answer for a former identity does not say that the broker knows this one.
    const { identity } = this.#sequence;
    if (identity !== undefined && producer?.producerId === identity.producerId) this.#sequence.acknowledged();
    this.#roundTripMs += (performance.now() - sentAtMs - this.#roundTripMs) / 4;
    this.#succeeded();
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#notBeforeMs = 0;
    this.#problem = undefined;
  }
}
