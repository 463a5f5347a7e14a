// One partition's loop from the disk to Kafka: reads the oldest batch, has it sent until Kafka takes or refuses it, and
// acknowledges it on disk. It changes the partition only through the partition's own methods.

import { troubleOf } from '../../spool/partition-spool.ts';
import type { DiskBatch } from '../batches/producer-batch.ts';
import { DiskRoute } from './disk-route.ts';
import { DiskSearch } from './disk-search.ts';
import type { DrainingPartition, PartitionHost, PartitionOptions } from './partition-host.ts';

const RETRY_MS = 500;

export class DiskDrain {
  readonly #partition: DrainingPartition;
  readonly #options: PartitionOptions;
  readonly #host: PartitionHost;
  readonly #search: DiskSearch;
  #route: DiskRoute | undefined;
  #opening: Promise<DiskRoute | undefined> | undefined;
  // The cluster that the stamps on disk belong to.
  #boundTo: bigint | undefined;
  #isRunning = false;

  constructor(partition: DrainingPartition, options: PartitionOptions, host: PartitionHost) {
    this.#partition = partition;
    this.#options = options;
    this.#host = host;
    this.#search = new DiskSearch({
      partition,
      options,
      host,
      isBound: () => host.cluster() === this.#boundTo,
      passed: (route, end, counts) => this.#passed(route, end, counts),
    });
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
        const log = await this.#host.spool()?.log(partition.number);
        if (log === undefined) return undefined;
        const route = new DiskRoute(log, this.#options.disk, {
          durable: (batches, end) => {
            partition.durable(batches, end);
            partition.changed.raise();
          },
          trouble: (trouble) => {
            this.#host.trouble(partition.number, 'write', trouble);
            partition.changed.raise();
          },
        });
        await this.#bind(route);
        this.#route = route;
        this.#host.trouble(partition.number, 'write', null);
        return route;
      } catch (error) {
        // Nothing can be written either.
        this.#host.trouble(partition.number, 'write', troubleOf(error, 'the spool cannot be opened'));
        await partition.changed.wait(RETRY_MS);
      }
    }
    return undefined;
  }

  /** Voids stamps of another cluster. Before the first write, because stamps written later belong to this cluster. */
  async #bind(route: DiskRoute): Promise<void> {
    const cluster = this.#host.cluster();
    if (cluster === undefined || cluster === this.#boundTo) return;
    await route.bindTo(cluster);
    this.#boundTo = cluster;
  }

  #trouble(reason: string | null): void {
    this.#host.trouble(this.#partition.number, 'read', reason === null ? null : { cause: 'disk', reason });
  }

  async #step(): Promise<void> {
    const partition = this.#partition;
    const route = await this.open();
    if (route === undefined) return;
    if (!this.#host.canSend()) return partition.changed.wait();
    // If the disk is full, its batches go back to memory below. Before the back-off is over, they would only fail again.
    const backoffMs = partition.notBeforeMs - performance.now();
    if (backoffMs > 0) return partition.changed.wait(backoffMs);
    await this.#bind(route);
    const batch = await route.next();
    this.#trouble(null);
    if (batch === undefined) {
      if (!(await this.#leave(route))) await partition.changed.wait();
    } else if (partition.isHeld) await this.#search.probe(route, batch);
    else {
      // Under steady load the disk would get new batches in each round trip and never become empty.
      if (this.#host.isReachable() && this.#isLast(route)) partition.catchUp();
      await this.#deliver(route, batch);
    }
  }

  async #deliver(route: DiskRoute, batch: DiskBatch): Promise<void> {
    await route.prepare(batch, this.#partition.sequence, this.#host.identity());
    // The cluster changed meanwhile: in the new one the stamp may belong to another batch.
    if (this.#host.cluster() !== this.#boundTo) return;
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
        await this.#search.begin(route, batch, outcome);
        break;
      case 'failed':
        if (outcome.isCodecRefused) route.codecRefused(batch);
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
    await this.#settle(route);
    const isLast = this.#isLast(route);
    const taken = !isLast && this.#isBypassed(route) ? route.takeBack() : [];
    if (!isLast && taken.length === 0) return false;
    this.#partition.leaveDisk(taken);
    return true;
  }

  /**
   * Makes the acknowledged offset durable before memory goes on in the same sequence. A power cut would bring back an
   * assignment, which gives sequences again that memory has used, or a batch that was sent, whose numbers a broker does not
   * know any more after five later ones.
   */
  async #settle(route: DiskRoute): Promise<void> {
    try {
      await route.unassign();
    } catch {
      // The disk may still have them, so memory goes on as another producer.
      if (this.#host.identity() !== undefined) await this.#partition.renew();
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
    return route.isFailing && route.isFullyRead && this.#host.isReachable() && !this.#partition.isSpilling;
  }
}
