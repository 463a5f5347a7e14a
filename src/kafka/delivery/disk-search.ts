// The search for refused records in the batches of one partition's disk: sends the parts that rejection-search.ts asks
// for under sequences of their own, and keeps refused records until they are durable elsewhere.
import { pause } from '../../time/backoff.ts';
import type { DiskBatch } from '../batches/producer-batch.ts';
import { NO_PRODUCER, type ProducerIdentity, type ProducerStamp } from '../batches/record-batch.ts';
import type { RefusedRecord } from '../batches/split-batch.ts';
import type { DiskRoute } from './disk-route.ts';
import type { Rejected } from './outcome.ts';
import type { DrainingPartition, PartitionHost, PartitionOptions } from './partition-host.ts';
import { RejectionSearch, type SearchEnd, type SearchSteps } from './rejection-search.ts';

export interface DiskSearchDeps {
  readonly partition: DrainingPartition;
  readonly options: PartitionOptions;
  readonly host: PartitionHost;
  /** The stamps on disk belong to the current cluster. */
  readonly isBound: () => boolean;
  /** Every record below the offset `end` is stored, or refused and durable elsewhere. */
  readonly passed: (
    route: DiskRoute,
    end: number,
    counts: { readonly stored: number; readonly refused: number },
  ) => Promise<void>;
}

const RETRY_MS = 500;
/** A search stops if Kafka refuses this many single records before it takes one. */
const MAX_SUSPECTS = 3;
/** Every twelfth probe of a held partition, about every two minutes, tries as many records as a search. */
const FULL_PROBE_EVERY = 12;

export class DiskSearch {
  readonly #partition: DrainingPartition;
  readonly #options: PartitionOptions;
  readonly #host: PartitionHost;
  readonly #deps: DiskSearchDeps;
  // Probes since the last search, and whether the last search or full probe found as many suspects as it may.
  #probes = 0;
  #areAllRefused = false;

  constructor(deps: DiskSearchDeps) {
    this.#deps = deps;
    this.#partition = deps.partition;
    this.#options = deps.options;
    this.#host = deps.host;
  }

  /** Searches a batch that Kafka refused. */
  async begin(route: DiskRoute, batch: DiskBatch, rejected: Rejected): Promise<void> {
    this.#partition.rejected(batch.count, rejected);
    this.#probes = 0;
    if (!(await this.#forgetSequence(route))) return;
    this.#ended(await this.#searchOn(route, MAX_SUSPECTS).begin(batch, rejected));
  }

  /**
   * Tries a held partition. A record counts as at fault if Kafka refuses it and takes another one. If somebody mended
   * the topic between the two requests, the first record would wrongly become a dead letter. So most probes try one.
   */
  async probe(route: DiskRoute, batch: DiskBatch): Promise<void> {
    this.#probes++;
    if (route.isAssigned && !(await this.#forgetSequence(route))) return;
    const isFull = !this.#areAllRefused || this.#probes % FULL_PROBE_EVERY === 0;
    this.#ended(await this.#searchOn(route, isFull ? MAX_SUSPECTS : 1).probe(batch), isFull);
  }

  #ended(end: SearchEnd, isFull = true): void {
    if (end.kind !== 'held') return;
    if (isFull) this.#areAllRefused = end.suspects === MAX_SUSPECTS;
    this.#partition.hold(end.rejected);
  }

  /** A rejected batch was sent under the former identity, so its parts get a new one. False if Kafka gives none. */
  async #forgetSequence(route: DiskRoute): Promise<boolean> {
    if (this.#host.identity() === undefined) return true;
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

  #searchOn(route: DiskRoute, maxSuspects: number): RejectionSearch {
    const steps: SearchSteps = {
      send: (part) => this.#sendPart(route, part),
      refuse: (record, reason) => this.#refuse(record, reason),
      passed: (offset, counts) => this.#deps.passed(route, offset, counts),
      following: () => route.following(),
    };
    const { disk, givesUpAlone = false } = this.#options;
    return new RejectionSearch(disk.codec, steps, { maxSuspects, givesUpAlone });
  }

  async #sendPart(route: DiskRoute, part: DiskBatch): Promise<'stored' | 'interrupted' | Rejected> {
    part.producer = undefined;
    // If the cluster changes meanwhile, the partition gets another sequence.
    const { sequence } = this.#partition;
    await route.preparePart(part, sequence, this.#host.identity());
    if (!this.#deps.isBound() || sequence !== this.#partition.sequence) return 'interrupted';
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
