// One partition of the topic: its batches in memory and in flight, the order of their outcomes, its producer sequence,
// its way through the disk, and its state. Nobody else changes any of these.
//
// | state       | new batches        | sends to Kafka              | next state, and when                                  |
// |-------------|--------------------|-----------------------------|-------------------------------------------------------|
// | memory      | wait in memory     | batches in memory, in order | leaving or disk: KAFKA_MAX_ATTEMPTS failures, no      |
// |             |                    |                             | answer in time, a rejected batch, Kafka cannot be     |
// |             |                    |                             | used, the gateway stops                               |
// | leaving     | wait in memory     | nothing new                 | disk: no batch is in flight any more. memory: none is |
// |             |                    |                             | left in memory either                                 |
// | disk        | are written to disk| the oldest on disk, alone   | catching-up: it is the last on disk. held: Kafka      |
// |             |                    |                             | refuses every record. memory: the disk is empty, or   |
// |             |                    |                             | cannot be written while Kafka can be reached          |
// | catching-up | wait in memory     | the last on disk            | memory: Kafka took it. disk: it failed, or Kafka      |
// |             |                    |                             | cannot be used, or the gateway stops                  |
// | held        | are written to disk| its first record, at times  | disk: Kafka took a record again                       |
// | gone        | there are none     | nothing                     | none: the topic no longer has the partition           |
//
// Without a spool a partition stays in `memory` and tries for ever.
import { type BackoffOptions, backoffMs, pause } from '../../time/backoff.ts';
import { WakeUp } from '../../time/wake-up.ts';
import type { Batch } from '../batches/batch.ts';
import type { DiskBatch, ProducerBatch } from '../batches/producer-batch.ts';
import {
  NO_PRODUCER,
  nextSequence,
  type ProducerIdentity,
  stamp,
  stampTime,
} from '../batches/record-batch.ts';
import { CongestionDetector } from './congestion-detector.ts';
import { DeferredConfirmations } from './deferred-confirmations.ts';
import { DiskDrain } from './disk-drain.ts';
import { InFlightBatches, type Settled } from './in-flight-batches.ts';
import type { Failed, Outcome, Rejected } from './outcome.ts';
import type { DrainingPartition, PartitionHost, PartitionOptions } from './partition-host.ts';
import { ProducerSequence } from './producer-sequence.ts';
import type { SendingPartition } from './sender.ts';

export type PartitionState = 'memory' | 'leaving' | 'disk' | 'catching-up' | 'held' | 'gone';

const RETRY: BackoffOptions = { firstMs: 50, maxMs: 2000 };
const HELD: BackoffOptions = { firstMs: 1000, maxMs: 10_000 };
const RETIRE_POLL_MS = 5;
/** Above this round trip, in milliseconds, several batches may be in flight. */
const FAR_MS = 25;
/** A broker remembers the last five batches of a producer, and recognises those if they are sent again. */
const MAX_IN_FLIGHT = 5;
/** Up to this round trip, in milliseconds, batches keep their usual size. They grow in proportion to longer ones. */
const NEAR_MS = 10;

/** A batch from the disk that is sent with nothing else in flight. */
interface Alone {
  readonly batch: DiskBatch;
  /** It must not be sent again: its stamp belongs to a former cluster, or the partition has ended. */
  isStale: boolean;
  readonly decided: (outcome: Outcome | 'interrupted') => void;
}

export class Partition implements DrainingPartition, SendingPartition {
  readonly number: number;
  sequence = new ProducerSequence();
  readonly changed = new WakeUp();

  readonly #options: PartitionOptions;
  readonly #host: PartitionHost;
  #state: PartitionState = 'memory';
  readonly #memory: Batch[] = [];
  readonly #inFlight = new InFlightBatches();
  readonly #confirmations: DeferredConfirmations;
  readonly #congestion: CongestionDetector;
  #alone: Alone | undefined;
  readonly #drain: DiskDrain;
  #failures = 0;
  #notBeforeMs = 0;
  #problem: Failed | Rejected | undefined;
  #roundTripMs = 0;
  // Two asynchronous steps: getting a new producer id for memory, and moving memory's batches to the disk.
  #isRenewing = false;
  #isSpilling = false;

  constructor(number: number, options: PartitionOptions, host: PartitionHost) {
    this.number = number;
    this.#options = options;
    this.#host = host;
    this.#confirmations = new DeferredConfirmations((batch) => host.settle(batch));
    this.#drain = new DiskDrain(this, options, host);
    this.#congestion = new CongestionDetector((isCongested) => host.congested(number, isCongested));
  }

  get state(): PartitionState {
    return this.#state;
  }

  /** For log lines. */
  get #place(): { readonly topic: string; readonly partition: number } {
    return { topic: this.#options.topic, partition: this.number };
  }

  /** Its batches go through the disk. */
  get isOnDisk(): boolean {
    return this.#state !== 'memory' && this.#state !== 'leaving' && this.#state !== 'gone';
  }

  /** Memory holds no batch, so nothing is written to the log until the next one is delivered. */
  get isQuiet(): boolean {
    const isMoving = this.#isRenewing || this.#isSpilling || (this.#drain.route?.waiting ?? 0) > 0;
    return !isMoving && this.#memory.length === 0;
  }

  /** New batches are written to the disk. */
  get #writesToDisk(): boolean {
    return (this.#state === 'disk' || this.#state === 'held') && !this.hasEnded;
  }

  /** Its batches go through the disk, and the oldest one failed when it was last tried. */
  get isFailing(): boolean {
    return this.#state === 'held' || (this.isOnDisk && this.#failures > 0);
  }

  /** Why Kafka does not take its batches, if an operator may have to act. */
  get problem(): Failed | Rejected | undefined {
    return this.#problem;
  }

  /** When the oldest batch in memory was opened, in monotonic milliseconds. */
  get oldestMs(): number | undefined {
    return this.#memory[0]?.openedAtMs;
  }

  /** A batch that is closed now would wait for earlier ones. */
  get isBusy(): boolean {
    if (this.#state === 'catching-up') return true;
    if (!this.isOnDisk) return this.#memory.length >= this.#window;
    return (this.#drain.route?.waiting ?? 1) > 0 || this.#memory.length > 0;
  }

  /** Growth factor of a batch while earlier ones are in flight. It rises with the round-trip time. */
  get growth(): number {
    return this.#state === 'memory' && this.isBusy ? this.#roundTripMs / NEAR_MS : 1;
  }

  get isFar(): boolean {
    return this.#window > 1;
  }

  /** How many batches from memory may be in flight. */
  get #window(): number {
    const isHealthy = this.#failures === 0 && this.#state === 'memory';
    return isHealthy && this.#roundTripMs > FAR_MS && this.sequence.isFresh ? MAX_IN_FLIGHT : 1;
  }

  /** One batch that waits is enough: it leaves as soon as Kafka answers, and the next one is gathered meanwhile. */
  #noteCongestion(): void {
    const isBehind = this.#memory.length > this.#window;
    const isTaken = this.#state === 'memory' && this.#failures === 0 && this.#host.canSend();
    this.#congestion.update(isBehind && isTaken && !this.hasEnded);
  }

  // --- for the loop from the disk; partition-host.ts documents these ---

  get isHeld(): boolean {
    return this.#state === 'held';
  }

  get hasEnded(): boolean {
    return this.#state === 'gone' || this.#options.disk.signal.aborted;
  }

  get isSpilling(): boolean {
    return this.#isSpilling;
  }

  get isMemoryNext(): boolean {
    return this.#state === 'catching-up' || this.#memory.length === 0;
  }

  durable(batches: readonly Batch[], end: number): void {
    this.#host.spooled(batches);
    this.#confirmations.durable(batches, end);
    this.#host.idle(this.number);
  }

  passed(end: number, counts: { readonly stored: number; readonly refused: number }): void {
    this.#host.passed(counts);
    this.#confirmations.passed(end);
  }

  catchUp(): void {
    if (this.#state === 'disk') this.#state = 'catching-up';
  }

  stopCatchingUp(): void {
    if (this.#state === 'catching-up') this.#backToDisk();
  }

  rejected(records: number, rejected: Rejected): void {
    this.stopCatchingUp();
    this.#host.failed(this.number, rejected, this.#failures);
    const { reason } = rejected;
    this.#options.lines.write('refused_record_searched', { ...this.#place, records, reason });
  }

  leaveDisk(taken: readonly Batch[]): void {
    if (taken.length === 0) this.#options.log.write('partition_drained', this.#place);
    this.#memory.unshift(...taken);
    this.#state = 'memory';
    this.#confirmations.end();
    this.#noteCongestion();
    for (const batch of this.#memory) this.#sealAndSend(batch);
    if (this.#memory.length === 0) this.#host.idle(this.number);
  }

  hold(rejected: Rejected): void {
    // The first probe comes soon, whatever failed before.
    if (this.#state !== 'held') this.#failures = 0;
    this.failed(rejected);
    this.#confirmations.end();
    this.#notBeforeMs = performance.now() + backoffMs(this.#failures, HELD);
    if (this.#state !== 'held') {
      const { reason, remedy } = rejected;
      this.#options.log.write('partition_held', { ...this.#place, reason, remedy });
    }
    this.#state = 'held';
  }

  release(): void {
    if (this.#state !== 'held') return;
    this.#state = 'disk';
    this.#host.released();
  }

  // --- batches in ---

  deliver(batch: Batch): void {
    this.#memory.push(batch);
    this.#noteCongestion();
    if (this.#writesToDisk) void this.#spill();
    else if (this.#host.canSend() || this.#state !== 'memory') this.#sealAndSend(batch);
  }

  /** Leaders were set, for the first time or again. */
  leadersKnown(): void {
    if (this.isOnDisk) this.changed.raise();
    else if (this.#host.canSend()) for (const batch of this.#memory) this.#sealAndSend(batch);
    this.#host.ready(this);
  }

  /** Kafka cannot be used at all, or the gateway stops: batches in memory go to the disk. */
  leaveMemory(reason: string): void {
    this.#confirmations.end();
    if (this.hasEnded) return;
    if (this.#state === 'catching-up') this.#backToDisk();
    else if (this.#state === 'memory' && this.#memory.length > 0) this.#goToDisk(reason);
  }

  /** Its log has batches that it did not write: an earlier process left them, or records were copied there. */
  resumeFromDisk(): void {
    if (!this.isOnDisk) this.#state = 'disk';
    this.#noteCongestion();
    void this.#spill();
    void this.#drain.run();
    this.changed.raise();
  }

  // --- for the sender; documented in sender.ts ---

  get notBeforeMs(): number {
    return this.#notBeforeMs;
  }

  next(leader: number): ProducerBatch | undefined {
    const { size } = this.#inFlight;
    if (this.#alone !== undefined) return size === 0 ? this.#alone.batch : undefined;
    if (this.#state !== 'memory' || this.#isRenewing) return undefined;
    if (size === 0) return this.#memory[0];
    return size < this.#window && this.#inFlight.isOpenTo(leader) ? this.#memory[size] : undefined;
  }

  sent(batch: ProducerBatch, leader: number): void {
    if (batch.bytes === undefined) throw new Error('a batch was sent that is not sealed');
    this.#inFlight.sent(batch, leader);
    batch.attempts++;
    const { isStampedWhenSent } = this.#options.disk;
    if (batch.producer !== undefined && !isStampedWhenSent) return;
    const identity = this.#host.identity();
    batch.producer ??= identity ? this.sequence.take(identity, batch.count) : NO_PRODUCER;
    if (isStampedWhenSent) stampTime(batch.bytes, Date.now());
    stamp(batch.bytes, batch.producer);
  }

  settle(batch: ProducerBatch, outcome: Outcome): void {
    for (const settled of this.#inFlight.settle(batch, outcome)) {
      if (settled.batch === this.#alone?.batch) this.#aloneSettled(settled);
      else this.#memorySettled(settled);
    }
  }

  unsent(failure: Failed): void {
    if (this.#alone === undefined) this.#memoryFailed(failure);
    else this.#aloneFailed(failure);
  }

  // --- another cluster, the end ---

  /** Kafka is another cluster now, so the identity and the sequence of the former one are void. */
  forgetProducer(): void {
    this.sequence = new ProducerSequence();
    for (const batch of this.#memory) batch.unsend();
    this.#drain.route?.forgetProducer();
    this.#interrupt();
  }

  /** The topic no longer has the partition, which must be quiet. Resolves once it no longer uses its log. */
  async retire(): Promise<void> {
    this.#confirmations.end();
    this.#state = 'gone';
    this.#congestion.close();
    const { signal } = this.#options.disk;
    while ((this.#drain.isRunning || this.#inFlight.size > 0) && !signal.aborted) {
      this.#interrupt();
      await pause(RETIRE_POLL_MS, signal);
    }
  }

  /** Sends nothing more. Call it after aborting the signal. */
  close(): void {
    this.#confirmations.end();
    this.#congestion.close();
    this.#interrupt();
  }

  // --- memory ---

  #sealAndSend(batch: Batch): void {
    const sealing = this.#host.seal(batch);
    if (sealing === undefined) this.#host.ready(this);
    else void sealing.then(() => this.#host.ready(this));
  }

  #memorySettled({ batch, outcome, sentAtMs, isOvertaken }: Settled): void {
    // If the broker could not place the batch because it did not know the topic yet, it has not appended it.
    if (isOvertaken && outcome.kind === 'failed' && outcome.isLeaderStale)
      this.#options.log.write('records_out_of_order', { ...this.#place, reason: outcome.reason });
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

  /** The search for the refused record begins once the batch is on disk. */
  #memoryRejected({ producer, count }: ProducerBatch, rejected: Rejected): void {
    if (!rejected.isUnanswered) {
      // The broker stored nothing behind a batch that it rejected, so those batches get new sequences.
      for (const behind of this.#memory.slice(1)) behind.unsend();
      if (producer !== undefined && producer !== NO_PRODUCER)
        this.sequence.restart(producer, nextSequence(producer.baseSequence, count));
    }
    this.failed(rejected);
    this.#confirmations.begin();
    if (this.#state === 'leaving') this.#finishLeaving();
    else this.#goToDisk(rejected.reason);
    this.#host.ready(this);
  }

  #memoryStored(sentAtMs: number): void {
    const batch = this.#memory.shift();
    if (batch === undefined) return;
    this.#acknowledged(batch, sentAtMs);
    this.#congestion.answered();
    this.#noteCongestion();
    this.#host.confirmed(batch);
    if (this.#state === 'leaving') this.#finishLeaving();
    else {
      if (this.#memory.length > 0) this.#host.ready(this);
      if (!this.isBusy) this.#host.idle(this.number);
    }
  }

  #memoryFailed(failure: Failed): void {
    this.failed(failure);
    const isGivenUp = failure.isOverdue === true || this.#failures >= this.#options.maxAttempts;
    if (this.#state === 'leaving') this.#finishLeaving();
    else if (isGivenUp) this.#goToDisk(failure.reason);
    this.#host.ready(this);
  }

  async #renewInMemory(reason: string): Promise<void> {
    this.#isRenewing = true;
    try {
      await this.renewLost(reason);
      for (const batch of this.#memory) batch.unsend();
    } catch {
      // The next try gets the same answer, and asks for an id again.
    }
    this.#isRenewing = false;
    this.#memoryFailed({ kind: 'failed', reason });
  }

  async renew(): Promise<ProducerIdentity> {
    for (;;) {
      const cluster = this.#host.cluster();
      const identity = await this.#host.initProducerId();
      // An id of the former cluster may belong to another producer in this one.
      if (cluster !== this.#host.cluster()) continue;
      this.sequence.restart(identity);
      return identity;
    }
  }

  async renewLost(reason: string): Promise<ProducerIdentity> {
    const identity = await this.renew();
    this.#options.lines.write('producer_id_renewed', { ...this.#place, reason });
    return identity;
  }

  // --- from memory to the disk ---

  #goToDisk(reason: string): void {
    if (this.#host.spool() === undefined || this.hasEnded || this.#state !== 'memory') return;
    this.#state = 'leaving';
    this.#noteCongestion();
    this.#options.log.write('partition_left_for_disk', { ...this.#place, reason });
    this.#finishLeaving();
  }

  /** Leaves memory if nothing is in flight any more. */
  #finishLeaving(): void {
    if (this.#inFlight.size > 0 || this.#isRenewing) return;
    // The back-off stays: a full disk gives the batches back, which would then be sent again without a pause.
    this.#state = this.#memory.length > 0 ? 'disk' : 'memory';
    if (this.#state === 'memory') {
      this.#host.idle(this.number);
      return;
    }
    void this.#spill();
    void this.#drain.run();
  }

  /** Batches that waited in memory for the disk's last one are written to the disk after all. */
  #backToDisk(): void {
    this.#state = 'disk';
    void this.#spill();
  }

  /** Writes memory's batches to the disk, in order, until memory is empty. */
  async #spill(): Promise<void> {
    if (this.#isSpilling) return;
    this.#isSpilling = true;
    const route = await this.#drain.open();
    while (route !== undefined && this.#writesToDisk) {
      const [batch] = this.#memory;
      if (batch === undefined) break;
      await this.#host.seal(batch);
      // While it was sealed, the partition may have left the disk, or another batch may have become first.
      if (batch !== this.#memory[0] || !this.#writesToDisk) continue;
      this.#memory.shift();
      route.write(batch);
    }
    this.#isSpilling = false;
    this.changed.raise();
  }

  sendAlone(batch: DiskBatch): Promise<Outcome | 'interrupted'> {
    if (this.hasEnded) return Promise.resolve('interrupted');
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
    this.failed(failure);
    this.#confirmations.end();
    if (this.#state === 'catching-up') this.#backToDisk();
    if (this.hasEnded || this.#alone?.isStale) this.#decide('interrupted');
    // The drain may read the batch in another codec.
    else if (failure.isCodecRefused) this.#decide(failure);
    // The same bytes are sent again, which an idempotent broker recognises.
    else this.#host.ready(this);
  }

  #decide(outcome: Outcome | 'interrupted'): void {
    const alone = this.#alone;
    this.#alone = undefined;
    alone?.decided(outcome);
  }

  /** The batch from the disk is not sent again. If it is in flight, its answer still counts. */
  #interrupt(): void {
    if (this.#alone !== undefined) this.#alone.isStale = true;
    if (this.#inFlight.size === 0) this.#decide('interrupted');
    this.changed.raise();
  }

  // --- failures and successes ---

  failed(failure: Failed | Rejected): void {
    this.#failures++;
    this.#noteCongestion();
    this.#notBeforeMs = performance.now() + backoffMs(this.#failures, RETRY);
    if (failure.remedy !== undefined || failure.kind === 'rejected') this.#problem = failure;
    this.#host.failed(this.number, failure, this.#failures);
  }

  #acknowledged(batch: ProducerBatch, sentAtMs: number): void {
    this.#host.acknowledged(batch);
    const { producer } = batch;
    // An answer to a former identity does not prove that the broker knows this one.
    const { identity } = this.sequence;
    if (identity !== undefined && producer?.producerId === identity.producerId) this.sequence.acknowledged();
    this.#roundTripMs += (performance.now() - sentAtMs - this.#roundTripMs) / 4;
    this.#failures = 0;
    this.#notBeforeMs = 0;
    this.#problem = undefined;
  }
}
