// One partition's loop from the disk to Kafka: reads the oldest batch, has it sent until Kafka takes or refuses it, and
// acknowledges it on disk. It changes the partition only through the partition's own methods.
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

/** The loop's view of its partition. */
export interface DrainingPartition {
  readonly number: number;
  readonly sequence: ProducerSequence;
  /** Raised when anything changes that the loop may be waiting for. */
  readonly changed: WakeUp;
  readonly isOnDisk: boolean;
  readonly isHeld: boolean;
  /** Nothing is sent from the partition or read from its log any more. */
  readonly hasEnded: boolean;
  /** Batches in memory are on their way to the disk. */
  readonly isSpilling: boolean;
  /** Batches in memory follow the disk's last one, or memory has none. */
  readonly isMemoryNext: boolean;
  /** Nothing is sent before this time, in monotonic milliseconds. */
  readonly notBeforeMs: number;
  /** Sends a batch with nothing else in flight. 'interrupted': the batch must not be sent any more. */
  sendAlone(batch: DiskBatch): Promise<Outcome | 'interrupted'>;
  /** Takes a new producer id. Rejects if Kafka does not give one. */
  renew(): Promise<ProducerIdentity>;
  /** Does what renew() does, and warns that Kafka lost track of the sequence. */
  renewLost(reason: string): Promise<ProducerIdentity>;
  /** The batches are synced to the disk. @param end the spool's offset after the last of them */
  durable(batches: readonly Batch[], end: number): void;
  /** Every record below the offset `end` is in Kafka or durable as a dead letter. */
  passed(end: number, counts: { readonly stored: number; readonly refused: number }): void;
  /** The disk's last batch is about to be sent: new batches wait in memory behind it. */
  catchUp(): void;
  /** The last batch cannot be sent yet: the batches in memory are written to the disk. */
  stopCatchingUp(): void;
  /** Kafka refuses a record of the batch that was sent last. */
  rejected(records: number, rejected: Rejected): void;
  /** The partition goes on from memory. @param taken batches that could not be written to the disk */
  leaveDisk(taken: readonly Batch[]): void;
  /** Kafka refuses every record: try only now and then. */
  hold(rejected: Rejected): void;
  /** Kafka has taken a record again, so the partition is no longer held. */
  release(): void;
  failed(failure: Failed): void;
}

const RETRY_MS = 500;
/** Every twelfth probe of a held partition, about every two minutes, tries as many records as a search. */
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
  // Probes since the last search, and whether the last search or full probe found as many suspects as it may.
  #probes = 0;
  #areAllRefused = false;

  constructor(partition: DrainingPartition, options: PartitionOptions, host: PartitionHost) {
    this.#partition = partition;
    this.#options = options;
    this.#host = host;
  }

  /** Undefined until the disk is needed. */
  get route(): DiskRoute | undefined {
    return this.#route;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Undefined once the partition has ended. */
  open(): Promise<DiskRoute | undefined> {
    // Opened twice, a log would overwrite itself.
    this.#opening ??= this.#openUntilDone();
    return this.#opening;
  }

  /** Runs until the partition leaves the disk or has ended. */
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

  /** Voids stamps of another cluster. Before the first write, because stamps written later belong to this cluster. */
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
      // Under steady load the disk would get new batches in each round trip and never become empty.
      if (this.#host.isReachable && this.#isLast(route)) partition.catchUp();
      await this.#deliver(route, batch);
    }
  }

  async #deliver(route: DiskRoute, batch: DiskBatch): Promise<void> {
    await route.prepare(batch, this.#partition.sequence, this.#host.identity);
    // The cluster changed meanwhile: in the new one the stamp may belong to another batch.
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
    // In the same turn, so that the figures always add up.
    this.#partition.passed(end, counts);
    try {
      await acknowledged;
    } catch (error) {
      // The cursor on disk lags behind. A restart may send the batch again, and the broker recognises it.
      this.#trouble(`the spool's cursor cannot be written: ${(error as Error).message}`);
    }
  }

  async #renew(route: DiskRoute, fromOffset: number, reason: string): Promise<void> {
    // Without a new identity the next try gets the same answer, and asks again.
    const identity = await this.#partition.renewLost(reason).catch(() => undefined);
    try {
      if (identity !== undefined) await route.assign(fromOffset, identity);
    } finally {
      this.#partition.failed({ kind: 'failed', reason });
    }
  }

  /** Lets the partition go on from memory if the disk is empty, or cannot be written while Kafka can be reached. */
  async #leave(route: DiskRoute): Promise<boolean> {
    if (!this.#isLast(route) && !this.#isBypassed(route)) return false;
    if (route.isAssigned) await this.#unassign(route);
    const isLast = this.#isLast(route);
    const taken = !isLast && this.#isBypassed(route) ? route.takeBack() : [];
    if (!isLast && taken.length === 0) return false;
    this.#partition.leaveDisk(taken);
    return true;
  }

  /** An assignment left on disk would give sequences again that memory is about to use. */
  async #unassign(route: DiskRoute): Promise<void> {
    try {
      await route.unassign();
    } catch {
      // The assignment may still be on disk, so memory goes on as another producer.
      if (this.#host.identity !== undefined) await this.#partition.renew();
    }
  }

  /** Every batch on disk was read, and none is on its way there. */
  #isLast(route: DiskRoute): boolean {
    return (
      route.isFullyRead && route.waiting === 0 && this.#partition.isMemoryNext && !this.#partition.isSpilling
    );
  }

  /** The disk cannot be written, and Kafka can be reached. */
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
   * Tries a held partition. A record counts as at fault if Kafka refuses it and takes another one. If somebody mended
   * the topic between the two requests, the first record would wrongly become a dead letter. So most probes try one.
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

  /** A rejected batch was sent under the former identity, so its parts get a new one. False if Kafka gives none. */
  async #forgetSequence(route: DiskRoute): Promise<boolean> {
    if (this.#host.identity === undefined) return true;
    if (!(await this.#hasRenewed(() => this.#partition.renew()))) return false;
    await route.unassign();
    return true;
  }

  /** False if Kafka gave no producer id. That counts as a failure of Kafka, not of the disk. */
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
    // If the cluster changes meanwhile, the partition gets another sequence.
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
        // After a crash these bytes must not be sent under a sequence that other bytes get now.
        if (route.isAssigned) await route.unassign();
        // After an answer the sequence of these bytes is free. Without one, Kafka may have them under it.
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

  /** Tries until the record is durable elsewhere. False if the partition ends before that. */
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
