// Sends what processes that are no more left in their parts of the spool, each part by a delivery of its own, so
// that what they had in flight keeps its numbers. A part that is empty goes away.
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Logger } from 'pino';
import { listPartitions, listSegments, listSetAside } from '../spool/inspect.ts';
import { Spool, type SpoolOptions } from '../spool/spool.ts';
import type { Pipeline } from './pipeline.ts';

/** Records, by what became of them. */
export interface LeftoverRecords {
  recovered: number;
  confirmed: number;
  deadLettered: number;
  damaged: number;
  spooled: number;
}

interface Part {
  readonly directory: string;
  readonly spool: Spool;
  readonly pipeline: Pipeline;
  readonly recovered: number;
}

const POLL_MS = 500;

export class Leftovers {
  readonly #open: (directory: string) => Pipeline;
  readonly #spoolOptions: Omit<SpoolOptions, 'directory'>;
  readonly #log: Logger;
  readonly #done: LeftoverRecords = { recovered: 0, confirmed: 0, deadLettered: 0, damaged: 0, spooled: 0 };
  #parts: Part[] = [];
  // Not opened yet: their process may be about to end.
  #waiting: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(deps: {
    spoolOptions: Omit<SpoolOptions, 'directory'>;
    open: (directory: string) => Pipeline;
    log: Logger;
  }) {
    this.#spoolOptions = deps.spoolOptions;
    this.#open = deps.open;
    this.#log = deps.log;
  }

  /** What was found, and what became of it. */
  get records(): LeftoverRecords {
    const sum = { ...this.#done };
    for (const { pipeline, spool, recovered } of this.#parts) {
      sum.recovered += recovered;
      sum.confirmed += pipeline.delivery.counters.confirmed;
      sum.deadLettered += pipeline.delivery.counters.deadLettered;
      sum.damaged += spool.badRecords;
      sum.spooled += pipeline.delivery.spooledRecords;
    }
    return sum;
  }

  get bytes(): number {
    return this.#parts.reduce((sum, { spool }) => sum + spool.bytes, 0);
  }

  /** Why a part cannot be read, or null. */
  get trouble(): string | null {
    return (
      this.#parts.map(({ pipeline }) => pipeline.delivery.spoolTrouble).find((reason) => reason !== null) ??
      null
    );
  }

  /** Opens what can be opened now; goes on trying with the rest. */
  async start(directories: readonly string[]): Promise<void> {
    if (directories.length === 0) return;
    this.#waiting = [...directories];
    await this.#work();
    this.#timer = setInterval(() => {
      this.#working = this.#working.then(() => this.#work());
    }, POLL_MS);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#working;
    for (const part of this.#parts) await closePipeline(part.pipeline);
  }

  async #work(): Promise<void> {
    if (this.#closed) return;
    for (const directory of [...this.#waiting]) await this.#take(directory);
    for (const part of [...this.#parts]) {
      if (part.spool.records === 0 && part.pipeline.delivery.spoolingPartitions === 0)
        await this.#finish(part);
    }
    if (this.#waiting.length + this.#parts.length === 0) clearInterval(this.#timer);
  }

  async #take(directory: string): Promise<void> {
    // Drained by an operator meanwhile.
    if (!existsSync(directory)) {
      this.#waiting = this.#waiting.filter((other) => other !== directory);
      return;
    }
    try {
      const { spool, report } = await Spool.open({ ...this.#spoolOptions, directory });
      const pipeline = this.#open(directory);
      await pipeline.delivery.useSpool(spool);
      pipeline.link?.start();
      this.#parts.push({ directory, spool, pipeline, recovered: report.records });
      this.#log.info(
        { ...report, directory },
        `Spool: ${report.records} records of a former process are taken up`,
      );
    } catch (error) {
      this.#log.warn({ directory, err: error }, `Spool: ${directory} cannot be taken up yet`);
      return;
    }
    this.#waiting = this.#waiting.filter((other) => other !== directory);
  }

  async #finish(part: Part): Promise<void> {
    const { directory, spool, pipeline, recovered } = part;
    await closePipeline(pipeline);
    this.#done.recovered += recovered;
    this.#done.confirmed += pipeline.delivery.counters.confirmed;
    this.#done.deadLettered += pipeline.delivery.counters.deadLettered;
    this.#done.damaged += spool.badRecords;
    this.#parts = this.#parts.filter((other) => other !== part);
    if (await isEmpty(directory))
      await rm(directory, { recursive: true, force: true }).catch(() => undefined);
    this.#log.info({ directory, records: recovered }, `Spool: what was left in ${directory} is in Kafka`);
  }
}

async function closePipeline({ link, batcher, budget, delivery }: Pipeline): Promise<void> {
  link?.close();
  batcher.stop();
  budget.close();
  await delivery.close();
}

// Another topic's records, or damage that was set aside, keep the directory.
async function isEmpty(directory: string): Promise<boolean> {
  for (const place of await listPartitions(directory)) {
    if ((await listSegments(place)).length + (await listSetAside(place)).length > 0) return false;
  }
  return true;
}
