// Copies a chunk of a source's records into partitions' logs so that a crash at any point leaves each record in one log
// that counts: the plan first, then the copies, which are hidden, then the source's cursor. Each of them is synced
// before the next one begins. The copies show in the turn in which the source no longer has the records.
import type { PlanFile } from './placing-plan.ts';
import type { SpoolLog } from './spool-log.ts';

/** Records of a source as new batches for partitions' logs. */
export interface Chunk {
  readonly source: SpoolLog;
  /** The source's offset after the last of them. */
  readonly to: number;
  /** The number of partitions that they are placed for. */
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
   * @throws the system's error; call it again to go on where it failed, and begin no other copy before
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
    // The plan says up to where the source has its records: a power cut must not take any of them.
    await source.syncUpTo(to);
    const ends = [...this.#targets].map(([partition, log]) => [partition, log.nextOffset] as const);
    await this.#plan.write({ source: source.name, from: source.acknowledged, to, partitions, targets: ends });
    for (const log of this.#targets.values()) log.hide();
    this.#isPlanned = true;
  }
}
