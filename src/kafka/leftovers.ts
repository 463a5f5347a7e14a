// Sends what processes that are no more left in their parts of the spool, each part by deliveries of its own, so
// that what they had in flight keeps its numbers. A part goes away when its readings and its dead letters are sent.
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Logger } from 'pino';
import { listPartitions, listSegments, listSetAside } from '../spool/inspect.ts';
import { deadLettersDirectory } from '../spool/parts.ts';
import { Spool, type SpoolOptions } from '../spool/spool.ts';
import { problemOf } from './dead-letters.ts';
import type { Pipeline } from './pipeline.ts';

/** Records, by what became of them. */
export interface LeftoverRecords {
  recovered: number;
  confirmed: number;
  deadLettered: number;
  damaged: number;
  spooled: number;
}

/** The dead letters of former processes. */
export interface LeftoverLetters {
  /** Acknowledged by Kafka. */
  readonly sent: number;
  readonly waiting: number;
  /** On disk. */
  readonly bytes: number;
  /** Why they wait, or null. */
  readonly problem: string | null;
}

/** How a spool of one kind is opened and sent: readings, or dead letters. */
export interface SpoolKind {
  readonly spoolOptions: Omit<SpoolOptions, 'directory'>;
  readonly open: () => Pipeline;
}

interface Sending {
  readonly spool: Spool;
  readonly pipeline: Pipeline;
  readonly recovered: number;
}

interface Part {
  readonly directory: string;
  readonly readings: Sending;
  /** Undefined if the process left none. */
  readonly letters: Sending | undefined;
}

const POLL_MS = 500;

export class Leftovers {
  readonly #readings: SpoolKind;
  readonly #letters: SpoolKind;
  readonly #log: Logger;
  readonly #done: LeftoverRecords = { recovered: 0, confirmed: 0, deadLettered: 0, damaged: 0, spooled: 0 };
  #lettersDone = 0;
  #parts: Part[] = [];
  // Not opened yet: their process may be about to end.
  #waiting: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(deps: { readings: SpoolKind; letters: SpoolKind; log: Logger }) {
    this.#readings = deps.readings;
    this.#letters = deps.letters;
    this.#log = deps.log;
  }

  /** What was found, and what became of it. */
  get records(): LeftoverRecords {
    const sum = { ...this.#done };
    for (const { readings } of this.#parts) {
      const { pipeline, spool, recovered } = readings;
      sum.recovered += recovered;
      sum.confirmed += pipeline.delivery.counters.confirmed;
      sum.deadLettered += pipeline.delivery.counters.deadLettered;
      sum.damaged += spool.badRecords;
      sum.spooled += pipeline.delivery.spooledRecords;
    }
    return sum;
  }

  /** Of readings. */
  get bytes(): number {
    return this.#parts.reduce((sum, { readings }) => sum + readings.spool.bytes, 0);
  }

  get letters(): LeftoverLetters {
    const all = this.#parts.flatMap(({ letters }) => letters ?? []);
    const sum = (read: (one: Sending) => number) => all.reduce((total, one) => total + read(one), 0);
    return {
      sent: this.#lettersDone + sum(({ pipeline }) => pipeline.delivery.counters.confirmed),
      waiting: sum(({ pipeline }) => pipeline.delivery.spooledRecords),
      bytes: sum(({ spool }) => spool.bytes),
      problem: firstText(all.map(({ spool, pipeline }) => (spool.records > 0 ? problemOf(pipeline) : null))),
    };
  }

  /** Why a part cannot be read, or null. */
  get trouble(): string | null {
    return firstText(
      this.#parts.flatMap(sendingsOf).map(({ pipeline: { delivery } }) => delivery.spoolTrouble),
    );
  }

  /** Why readings of former processes are not delivered, if somebody has to do something about it. */
  get problems(): readonly string[] {
    return this.#parts.flatMap(({ readings }) => readings.pipeline.delivery.problems);
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
    for (const sending of this.#parts.flatMap(sendingsOf)) await closePipeline(sending.pipeline);
  }

  async #work(): Promise<void> {
    if (this.#closed) return;
    for (const directory of [...this.#waiting]) await this.#take(directory);
    for (const part of [...this.#parts]) {
      if (sendingsOf(part).every(isSent)) await this.#finish(part);
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
      const readings = await open(directory, this.#readings);
      const letters = await this.#takeLetters(directory).catch(async (error: unknown) => {
        // As a whole or not at all: the next try opens the part's readings again.
        await closePipeline(readings.pipeline);
        throw error;
      });
      this.#parts.push({ directory, readings, letters });
      this.#log.info(
        { directory, records: readings.recovered, deadLetters: letters?.recovered ?? 0 },
        `Spool: ${readings.recovered} records of a former process are taken up`,
      );
    } catch (error) {
      this.#log.warn({ directory, err: error }, `Spool: ${directory} cannot be taken up yet`);
      return;
    }
    this.#waiting = this.#waiting.filter((other) => other !== directory);
  }

  async #takeLetters(part: string): Promise<Sending | undefined> {
    const directory = deadLettersDirectory(part);
    return existsSync(directory) ? open(directory, this.#letters) : undefined;
  }

  async #finish(part: Part): Promise<void> {
    const { directory, readings, letters } = part;
    for (const { pipeline } of sendingsOf(part)) await closePipeline(pipeline);
    const { counters } = readings.pipeline.delivery;
    this.#done.recovered += readings.recovered;
    this.#done.confirmed += counters.confirmed;
    this.#done.deadLettered += counters.deadLettered;
    this.#done.damaged += readings.spool.badRecords;
    this.#lettersDone += letters?.pipeline.delivery.counters.confirmed ?? 0;
    this.#parts = this.#parts.filter((other) => other !== part);
    if (await isEmpty(directory))
      await rm(directory, { recursive: true, force: true }).catch(() => undefined);
    this.#log.info(
      { directory, records: readings.recovered },
      `Spool: what was left in ${directory} is in Kafka`,
    );
  }
}

async function open(directory: string, { spoolOptions, open }: SpoolKind): Promise<Sending> {
  const { spool, report } = await Spool.open({ ...spoolOptions, directory });
  const pipeline = open();
  await pipeline.delivery.useSpool(spool);
  if (pipeline.link === undefined) pipeline.delivery.unreachable();
  pipeline.link?.start();
  return { spool, pipeline, recovered: report.records };
}

function sendingsOf({ readings, letters }: Part): Sending[] {
  return letters === undefined ? [readings] : [readings, letters];
}

function isSent({ spool, pipeline }: Sending): boolean {
  return spool.records === 0 && pipeline.delivery.spoolingPartitions === 0;
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

function firstText(texts: readonly (string | null)[]): string | null {
  return texts.find((text) => text !== null) ?? null;
}
