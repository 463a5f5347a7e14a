// Sends the records of one topic in one part of the spool, through a pipeline of its own. It adds no records, and
// leaves the files to its owner.
import type { TopicSpool } from '../../spool/topic-spool.ts';
import { closePipeline, type Pipeline, problemOf, startPipeline, useSpool } from './pipeline.ts';

/** Records of a spool, by their end. */
export interface SpooledRecords {
  /** On disk when the spool was opened. */
  readonly recovered: number;
  readonly confirmed: number;
  readonly deadLettered: number;
  readonly damaged: number;
  readonly spooled: number;
}

/** A problem this long after the start will not pass within a moment. */
const PATIENCE_MS = 5_000;

export class SpooledTopic {
  readonly spool: TopicSpool;
  readonly recovered: number;
  readonly #createPipeline: () => Pipeline;
  #pipeline: Pipeline | undefined;
  #startedAtMs = 0;

  constructor(spool: TopicSpool, createPipeline: () => Pipeline) {
    this.spool = spool;
    this.recovered = spool.records;
    this.#createPipeline = createPipeline;
  }

  get topic(): string {
    return this.spool.topic;
  }

  get isStarted(): boolean {
    return this.#pipeline !== undefined;
  }

  get records(): SpooledRecords {
    const { confirmed = 0, deadLettered = 0 } = this.#pipeline?.delivery.counters ?? {};
    const { records: spooled, badRecords: damaged } = this.spool;
    return { recovered: this.recovered, confirmed, deadLettered, damaged, spooled };
  }

  /** No record is left on disk or in flight from there. */
  get isSent(): boolean {
    return this.spool.records === 0 && (this.#pipeline?.delivery.spoolingPartitions ?? 0) === 0;
  }

  /** Why records are not delivered now, or null. */
  get problem(): string | null {
    return this.#pipeline === undefined ? null : problemOf(this.#pipeline);
  }

  /** It was started a while ago and has a problem: other topics should not wait for this one. */
  get isStuck(): boolean {
    return this.problem !== null && performance.now() - this.#startedAtMs >= PATIENCE_MS;
  }

  /** Why the disk cannot be read, or null. */
  get trouble(): string | null {
    return this.#pipeline?.delivery.spoolTrouble ?? null;
  }

  start(): void {
    this.#startedAtMs = performance.now();
    this.#pipeline = this.#createPipeline();
    useSpool(this.#pipeline, this.spool);
    startPipeline(this.#pipeline);
  }

  /** Stops sending. The figures remain. */
  async close(): Promise<void> {
    if (this.#pipeline !== undefined) await closePipeline(this.#pipeline);
  }
}
