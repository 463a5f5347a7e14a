// Copies a chunk of a source's records into partitions' logs. After a crash at any point each record counts in exactly
// one log: the plan is written first, then the copies, which are hidden, then the source's cursor. Each step is synced
// before the next begins. The copies become visible in the turn in which the source gives the records up.
import type { PlanFile } from './placing-plan.ts';
import type { SpoolLog } from './spool-log.ts';

/** Records of a source, as new batches for the logs of their partitions. */
export interface Chunk {
  readonly source: SpoolLog;
  /** The source's offset after the last record. */
  readonly to: number;
  /** The topic's number of partitions. */
  readonly partitions: number;
  /** By partition, in order. */
  readonly batches: ReadonlyMap<number, readonly Buffer[]>;
}

export class ChunkCopy {
  readonly #chunk: Chunk;
  readonly #plan: PlanFile;
  readonly #openLog: (partition: number) => Promise<SpoolLog>;
  readonly #targets = new Map<number, SpoolLog>();
  readonly #written = new Set<number>();
  #isPlanned = false;

  constructor(
    chunk: Chunk,
    { plan, openLog }: { plan: PlanFile; openLog: (partition: number) => Promise<SpoolLog> },
  ) {
    this.#chunk = chunk;
    this.#plan = plan;
    this.#openLog = openLog;
  }

  /**
   * Resolves when the chunk's records are in the partitions' logs and no longer in the source. Until then nobody else
   * may write to these logs.
   * @throws the system's error; the next call continues where this one failed, and no other copy may begin before
   */
  async run(): Promise<void> {
    const { source, to, batches } = this.#chunk;
    if (!this.#isPlanned) await this.#begin();
    for (const [partition, log] of this.#targets) {
      if (this.#written.has(partition)) continue;
      await log.appendCopies(batches.get(partition) ?? []);
      this.#written.add(partition);
    }
    await source.acknowledgeCopied(to, () => {
      for (const log of this.#targets.values()) log.reveal();
    });
  }

  async #begin(): Promise<void> {
    const { source, to, partitions, batches } = this.#chunk;
    for (const partition of batches.keys()) this.#targets.set(partition, await this.#openLog(partition));
    // After a power cut the source must still have every record of the plan.
    await source.syncUpTo(to);
    const ends = [...this.#targets].map(([partition, log]) => [partition, log.nextOffset] as const);
    await this.#plan.write({ source: source.name, from: source.acknowledged, to, partitions, targets: ends });
    for (const log of this.#targets.values()) log.hide();
    this.#isPlanned = true;
  }
}
