// Sends what a part of the spool has of one topic, under the topic's own name and by a pipeline of its own. Nothing is
// added to it. What becomes of the files afterwards is its owner's business.
import type { TopicSpool } from '../../spool/topic-spool.ts';
import { closePipeline, type Pipeline, problemOf, startPipeline, useSpool } from './pipeline.ts';

/** Records by what became of them. */
export interface SpooledRecords {
  /** On disk when it was opened. */
  readonly recovered: number;
  readonly confirmed: number;
  readonly deadLettered: number;
  readonly damaged: number;
  readonly spooled: number;
}

/** A pipeline that has had a problem for so long does not go on by itself within a moment. */
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

  /** Nothing is left on disk, or on its way from there. */
  get isSent(): boolean {
    return this.spool.records === 0 && (this.#pipeline?.delivery.spoolingPartitions ?? 0) === 0;
  }

  /** Why records are not delivered now, or null. */
  get problem(): string | null {
    return this.#pipeline === undefined ? null : problemOf(this.#pipeline);
  }

  /** The problem has lasted: nobody should wait for this topic. */
  get isStuck(): boolean {
    return this.problem !== null && performance.now() - this.#startedAtMs >= PATIENCE_MS;
  }

  /** Why the disk does not give records back, or null. */
  get trouble(): string | null {
    return this.#pipeline?.delivery.spoolTrouble ?? null;
  }

  start(): void {
    this.#startedAtMs = performance.now();
    this.#pipeline = this.#createPipeline();
    useSpool(this.#pipeline, this.spool);
    startPipeline(this.#pipeline);
  }

  /** Its figures stay. */
  async close(): Promise<void> {
    if (this.#pipeline !== undefined) await closePipeline(this.#pipeline);
  }
}
