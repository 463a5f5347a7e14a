// One partition's loop from the disk to Kafka: reads the oldest batch back, has it sent until Kafka took or refused it,
// and acknowledges it. It changes nothing of the partition but by the partition's own methods.
import { pause } from '../../time/backoff.ts';
import type { WakeUp } from '../../time/wake-up.ts';
import type { Batch } from '../batches/batch.ts';
import { NO_PRODUCER, type ProducerStamp } from '../batches/record-batch.ts';
import type { RefusedRecord } from '../batches/split-batch.ts';
import { DiskRoute } from './disk-route.ts';
import type { Failed, Outcome, Rejected } from './outcome.ts';
import type { PartitionHost, PartitionOptions } from './partition-host.ts';
import type { DiskBatch } from './producer-batch.ts';
import type { ProducerIdentity, ProducerSequence } from './producer-sequence.ts';
import {
  MAX_SUSPECTS,
  probeHeld,
  type SearchEnd,
  type SearchSteps,
  searchRejected,
} from './rejection-search.ts';

/** The partition as its loop sees it. */
export interface DrainingPartition {
  readonly number: number;
  readonly sequence: ProducerSequence;
  /** Raised when anything changes that the loop may wait for. */
  readonly changed: WakeUp;
  readonly isOnDisk: boolean;
  readonly isHeld: boolean;
  /** Nothing is sent or read any more. */
  readonly hasEnded: boolean;
  /** Batches in memory are on their way to the disk. */
  readonly isSpilling: boolean;
  /** Once the disk is empty, memory's batches are next, or there are none. */
  readonly isMemoryNext: boolean;
  /** Monotonic milliseconds before which nothing is sent. */
  readonly notBeforeMs: number;
  /** Sends a batch by itself, until Kafka took it, refused it, or it must not be sent any more. */
  sendAlone(batch: DiskBatch): Promise<Outcome | 'interrupted'>;
  /** Goes on under a new producer id. Rejects if Kafka does not give one. */
  renew(): Promise<ProducerIdentity>;
  /** The same, because Kafka lost track of the sequence. */
  renewLost(reason: string): Promise<ProducerIdentity>;
  durable(batches: readonly Batch[], end: number): void;
  passed(end: number, counts: { readonly stored: number; readonly refused: number }): void;
  /** The disk's last batch is about to be sent. */
  catchUp(): void;
  /** It cannot be sent yet, so memory does not wait for it. */
  stopCatchingUp(): void;
  /** Kafka refuses a record of the batch that was sent last. */
  rejected(records: number, rejected: Rejected): void;
  /** The disk has nothing more; `taken` are batches that it did not take. */
  leaveDisk(taken: readonly Batch[]): void;
  /** Kafka refuses every record. */
  hold(rejected: Rejected): void;
  /** Kafka has taken a record again. */
  release(): void;
  failed(failure: Failed): void;
}

const RETRY_MS = 500;
/** About every two minutes a probe of a held partition tries as many records as a search. */
const FULL_PROBE_EVERY = 12;

export class DiskDrain {
  readonly #partition: DrainingPartition;
  readonly #options: PartitionOptions;
  readonly #host: PartitionHost;
  #route: DiskRoute | undefined;
  #opening: Promise<DiskRoute | undefined> | undefined;
  // The cluster that the stamps on disk belong to.
  #boundTo: bigint | undefined;
  #isRunning = false;
  // Probes since the partition was held, and whether the latest full search met as many suspects as it needs.
  #probes = 0;
  #areAllRefused = false;

  constructor(partition: DrainingPartition, options: PartitionOptions, host: PartitionHost) {
    this.#partition = partition;
    this.#options = options;
    this.#host = host;
  }

  /** Undefined before the disk was needed. */
  get route(): DiskRoute | undefined {
    return this.#route;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Undefined once the partition has ended. */
  open(): Promise<DiskRoute | undefined> {
    // Two openings of one log would write over each other.
    this.#opening ??= this.#openUntilDone();
    return this.#opening;
  }

  /** Goes on until the partition leaves the disk or has ended. */
  async run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const { changed } = this.#partition;
    while (this.#partition.isOnDisk && !this.#partition.hasEnded) {
      try {
        await this.#step();
      } catch (error) {
        this.#trouble(`the spool cannot be read: ${(error as Error).message}`);
        this.#partition.stopCatchingUp();
        await changed.wait(RETRY_MS);
      }
    }
    this.#isRunning = false;
    changed.raise();
  }

  async #openUntilDone(): Promise<DiskRoute | undefined> {
    const partition = this.#partition;
    while (!partition.hasEnded) {
      try {
        const log = await this.#host.spool?.log(partition.number);
        if (log === undefined) return undefined;
        const route = new DiskRoute(log, this.#options.disk, {
          durable: (batches, end) => {
            partition.durable(batches, end);
            partition.changed.raise();
          },
          trouble: (reason) => {
            this.#host.trouble(partition.number, 'write', reason);
            partition.changed.raise();
          },
        });
        await this.#bind(route);
        this.#route = route;
        return route;
      } catch (error) {
        this.#trouble(`the spool cannot be opened: ${(error as Error).message}`);
        await partition.changed.wait(RETRY_MS);
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

  #trouble(reason: string | null): void {
    this.#host.trouble(this.#partition.number, 'read', reason);
  }

  async #step(): Promise<void> {
    const partition = this.#partition;
    const route = await this.open();
    if (route === undefined) return;
    if (!this.#host.canSend) return partition.changed.wait();
    const heldMs = partition.isHeld ? partition.notBeforeMs - performance.now() : 0;
    if (heldMs > 0) return partition.changed.wait(heldMs);
    await this.#bind(route);
    const batch = await route.next();
    this.#trouble(null);
    if (batch === undefined) {
      if (!(await this.#leave(route))) await partition.changed.wait();
    } else if (partition.isHeld) await this.#probe(route, batch);
    else {
      // Under steady load there would be something new on disk after each round trip, for ever.
      if (this.#host.isReachable && this.#isLast(route)) partition.catchUp();
      await this.#deliver(route, batch);
    }
  }

  async #deliver(route: DiskRoute, batch: DiskBatch): Promise<void> {
    await route.prepare(batch, this.#partition.sequence, this.#host.identity);
    // Another cluster has come meanwhile, which would take the stamp for that of another batch.
    if (this.#host.cluster !== this.#boundTo) return;
    const outcome = await this.#partition.sendAlone(batch);
    if (outcome === 'interrupted') return;
    switch (outcome.kind) {
      case 'stored':
        await this.#passed(route, batch.end, { stored: batch.count, refused: 0 });
        break;
      case 'lost-sequence':
        await this.#renew(route, batch.offset, outcome.reason);
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
    // In the same turn, so that the balance holds at every instant.
    this.#partition.passed(end, counts);
    try {
      await acknowledged;
    } catch (error) {
      // The cursor lags behind, so a restart may send the batch again. The broker recognises it then.
      this.#trouble(`the spool's cursor cannot be written: ${(error as Error).message}`);
    }
  }

  async #renew(route: DiskRoute, fromOffset: number, reason: string): Promise<void> {
    // Without one the next try meets the same answer and asks again.
    const identity = await this.#partition.renewLost(reason).catch(() => undefined);
    try {
      if (identity !== undefined) await route.assign(fromOffset, identity);
    } finally {
      this.#partition.failed({ kind: 'failed', reason });
    }
  }

  /** The disk is empty, or takes nothing while Kafka does: the partition goes on from memory. False if it cannot. */
  async #leave(route: DiskRoute): Promise<boolean> {
    if (!this.#isLast(route) && !this.#isBypassed(route)) return false;
    if (route.isAssigned) await this.#unassign(route);
    const isLast = this.#isLast(route);
    const taken = !isLast && this.#isBypassed(route) ? route.takeBack() : [];
    if (!isLast && taken.length === 0) return false;
    this.#partition.leaveDisk(taken);
    return true;
  }

  /** A remembered assignment would hand out a second time the sequences that memory is about to use. */
  async #unassign(route: DiskRoute): Promise<void> {
    try {
      await route.unassign();
    } catch {
      // The file may keep it, so nothing else is sent as that producer.
      if (this.#host.identity !== undefined) await this.#partition.renew();
    }
  }

  /** Everything on disk was read, and nothing is on its way there. */
  #isLast(route: DiskRoute): boolean {
    return (
      route.isFullyRead && route.waiting === 0 && this.#partition.isMemoryNext && !this.#partition.isSpilling
    );
  }

  /** The disk takes nothing, and Kafka does. */
  #isBypassed(route: DiskRoute): boolean {
    return route.isFailing && route.isFullyRead && this.#host.isReachable && !this.#partition.isSpilling;
  }

  async #search(route: DiskRoute, batch: DiskBatch, rejected: Rejected): Promise<void> {
    this.#partition.rejected(batch.count, rejected);
    this.#probes = 0;
    if (!(await this.#forgetSequence(route))) return;
    const { codec } = this.#options;
    this.#ended(await searchRejected(batch, rejected, { codec, steps: this.#stepsOn(route) }));
  }

  /**
   * A record is only at fault if Kafka refuses it while it takes another one. If somebody changes what made Kafka refuse
   * all of them between two requests, the first of the two would seem to be at fault. So most probes try one record.
   */
  async #probe(route: DiskRoute, batch: DiskBatch): Promise<void> {
    this.#probes++;
    if (route.isAssigned && !(await this.#forgetSequence(route))) return;
    const isFull = !this.#areAllRefused || this.#probes % FULL_PROBE_EVERY === 0;
    const { codec } = this.#options;
    const end = await probeHeld(batch, isFull ? MAX_SUSPECTS : 1, { codec, steps: this.#stepsOn(route) });
    this.#ended(end, isFull);
  }

  #ended(end: SearchEnd, isFull = true): void {
    if (end.kind !== 'held') return;
    if (isFull) this.#areAllRefused = end.suspects === MAX_SUSPECTS;
    this.#partition.hold(end.rejected);
  }

  /** What was sent of a rejected batch, and behind it, was sent under the former identity. False if there is no new one. */
  async #forgetSequence(route: DiskRoute): Promise<boolean> {
    if (this.#host.identity === undefined) return true;
    if (!(await this.#hasRenewed(() => this.#partition.renew()))) return false;
    await route.unassign();
    return true;
  }

  /** If Kafka gives no producer id, that is Kafka's failure and not one of the disk. */
  async #hasRenewed(renew: () => Promise<ProducerIdentity>): Promise<boolean> {
    try {
      await renew();
      return true;
    } catch (error) {
      this.#partition.failed({ kind: 'failed', reason: (error as Error).message });
      return false;
    }
  }

  #stepsOn(route: DiskRoute): SearchSteps {
    return {
      send: (part) => this.#sendPart(route, part),
      refuse: (record, reason) => this.#refuse(record, reason),
      passed: (offset, counts) => this.#passed(route, offset, counts),
      following: () => route.following(),
    };
  }

  async #sendPart(route: DiskRoute, part: DiskBatch): Promise<'stored' | 'interrupted' | Rejected> {
    part.producer = undefined;
    // If another cluster comes meanwhile, the partition gets another one.
    const { sequence } = this.#partition;
    await route.preparePart(part, sequence, this.#host.identity);
    if (this.#host.cluster !== this.#boundTo || sequence !== this.#partition.sequence) return 'interrupted';
    const outcome = await this.#partition.sendAlone(part);
    if (outcome === 'interrupted') return outcome;
    const { producer } = part as { producer: ProducerStamp | undefined };
    switch (outcome.kind) {
      case 'stored':
        this.#partition.release();
        return 'stored';
      case 'rejected':
        if (producer === undefined || producer === NO_PRODUCER) return outcome;
        // A start after a crash must not send these bytes under the sequence that other bytes get now.
        if (route.isAssigned) await route.unassign();
        // If Kafka has answered for these bytes, their sequence is free for the next ones. Else Kafka may have them.
        if (!outcome.isUnanswered) sequence.giveBack(producer);
        else if (!(await this.#hasRenewed(() => this.#partition.renew()))) return 'interrupted';
        return outcome;
      case 'lost-sequence':
        if (await this.#hasRenewed(() => this.#partition.renewLost(outcome.reason))) {
          if (route.isAssigned) await route.unassign();
          this.#partition.failed({ kind: 'failed', reason: outcome.reason });
        }
        return 'interrupted';
      case 'failed':
        this.#partition.failed({ kind: 'failed', reason: outcome.reason });
        return 'interrupted';
    }
  }

  /** Tries again until the record is durable elsewhere. False if the search must end before. */
  async #refuse(record: RefusedRecord, reason: string): Promise<boolean> {
    const partition = this.#partition;
    let isDurable = false;
    while (!isDurable && !partition.hasEnded) {
      let isDone = false;
      const done = () => {
        isDone = true;
        partition.changed.raise();
      };
      this.#host.refuse(record, reason, partition.number).then(() => {
        isDurable = true;
        done();
      }, done);
      while (!isDone && !partition.hasEnded) await partition.changed.wait();
      if (isDone && !isDurable) await pause(RETRY_MS, this.#options.disk.signal);
    }
    return isDurable;
  }
}
