// The pipelines of all topics that accepted readings go to, and the sums of their figures. They share the memory
// (KAFKA_BUFFER_BYTES) and the spool of the process. It touches no record.
import type { DiskTrouble } from '../../spool/partition-spool.ts';
import type { Spool } from '../../spool/spool.ts';
import type { TopicSpool } from '../../spool/topic-spool.ts';
import type { RecordSink } from '../../workers/record-sink.ts';
import { closePipeline, type Pipeline, startPipeline, useSpool } from './pipeline.ts';

export interface ReadingTopic {
  readonly topic: string;
  readonly pipeline: Pipeline;
}

/** Records by their state, as the balance of records counts them. Those on disk include recovered ones. */
export interface ReadingRecords {
  readonly accepted: number;
  /** Of these, records whose key is the connection's id, since they cannot have the one that the settings ask for. */
  readonly withoutKey: number;
  readonly recovered: number;
  readonly open: number;
  readonly inFlight: number;
  readonly spooled: number;
  readonly confirmed: number;
  readonly deadLettered: number;
  readonly damaged: number;
}

export class ReadingTopics {
  /** That of KAFKA_TOPIC_METRICS comes first. */
  readonly all: readonly ReadingTopic[];
  readonly metrics: ReadingTopic;
  /** By the topic. */
  readonly sinks: ReadonlyMap<string, RecordSink>;
  readonly #pipelines: readonly Pipeline[];
  #spools: readonly TopicSpool[] = [];
  #recovered = 0;

  /** @param topics KAFKA_TOPIC_METRICS first */
  constructor(
    [metrics, ...further]: readonly [string, ...string[]],
    createPipeline: (topic: string, index: number) => Pipeline,
  ) {
    this.metrics = { topic: metrics, pipeline: createPipeline(metrics, 0) };
    const others = further.map((topic, index) => ({ topic, pipeline: createPipeline(topic, index + 1) }));
    this.all = [this.metrics, ...others];
    this.#pipelines = this.all.map(({ pipeline }) => pipeline);
    this.sinks = new Map(this.all.map(({ topic, pipeline }) => [topic, pipeline.batcher]));
  }

  /** Of all topics together. */
  get records(): ReadingRecords {
    return {
      accepted: this.accepted,
      withoutKey: this.#sum(({ batcher }) => batcher.withoutKey),
      recovered: this.#recovered,
      open: this.#sum(({ batcher }) => batcher.openRecords),
      inFlight: this.#sum(({ delivery }) => delivery.inFlightRecords),
      spooled: this.#sum(({ delivery }) => delivery.spooledRecords),
      confirmed: this.#sum(({ delivery }) => delivery.counters.confirmed),
      deadLettered: this.#sum(({ delivery }) => delivery.counters.deadLettered),
      damaged: this.#spools.reduce((sum, { badRecords }) => sum + badRecords, 0),
    };
  }

  get accepted(): number {
    return this.#sum(({ batcher }) => batcher.accepted);
  }

  get batchesConfirmed(): number {
    return this.#sum(({ delivery }) => delivery.counters.batchesConfirmed);
  }

  get batchesSpooled(): number {
    return this.#sum(({ delivery }) => delivery.counters.batchesSpooled);
  }

  get bytesSent(): number {
    return this.#sum(({ delivery }) => delivery.bytesSent);
  }

  get retries(): number {
    return this.#sum(({ delivery }) => delivery.counters.retries);
  }

  get heldPartitions(): number {
    return this.#sum(({ delivery }) => delivery.heldPartitions);
  }

  get spoolingPartitions(): number {
    return this.#sum(({ delivery }) => delivery.spoolingPartitions);
  }

  /** Damaged places on the disk. */
  get badBatches(): number {
    return this.#spools.reduce((sum, { badBatches }) => sum + badBatches, 0);
  }

  /** When the oldest unconfirmed batch in memory was opened, in monotonic milliseconds. */
  get oldestMs(): number | undefined {
    return this.#oldest(({ batcher, delivery }) =>
      Math.min(batcher.oldestOpenMs ?? Infinity, delivery.oldestMs ?? Infinity),
    );
  }

  /** Time of the oldest record on disk, in milliseconds since 1970. */
  get oldestSpooledMs(): number | undefined {
    return this.#oldest(({ delivery }) => delivery.oldestSpooledMs ?? Infinity);
  }

  /** Why the disk cannot be written or read, or null. */
  get spoolTrouble(): string | null {
    return this.#first(({ delivery }) => delivery.spoolTrouble);
  }

  /** Why the disk does not take batches now that Kafka does not take either, or null. */
  get spoolRefusal(): DiskTrouble | null {
    return this.#first(({ delivery }) => delivery.spoolRefusal);
  }

  /** The last failure in words, or null. */
  get lastError(): string | null {
    return this.#first(({ link, delivery }) => link?.problem ?? delivery.counters.lastError);
  }

  /** Why records are not delivered. Problems of whole topics come first. */
  get problems(): readonly string[] {
    const ofTopics = this.#pipelines.flatMap(({ link }) => link?.problem ?? []);
    return [...ofTopics, ...this.#pipelines.flatMap(({ delivery }) => delivery.problems)];
  }

  /** As Batcher.beginReadWindow(), of every topic. */
  beginReadWindow(): void {
    for (const { batcher } of this.#pipelines) batcher.beginReadWindow();
  }

  /** As Batcher.endReadWindow(), of every topic. */
  endReadWindow(withinMs: number): boolean {
    let keepsUp = true;
    for (const { batcher } of this.#pipelines) keepsUp = batcher.endReadWindow(withinMs) && keepsUp;
    return keepsUp;
  }

  /**
   * As Delivery.sendNow(), of every topic.
   * @returns true if Kafka's answers are wanted soon, as Batcher.takeWantsAnswer()
   */
  sendNow(): boolean {
    let wantsAnswer = false;
    for (const { batcher, delivery } of this.#pipelines) {
      delivery.sendNow();
      wantsAnswer = batcher.takeWantsAnswer() || wantsAnswer;
    }
    return wantsAnswer;
  }

  /** Gives each topic its place in this process's part of the spool. Records already there are sent before new ones. */
  async useSpool(own: Spool): Promise<void> {
    const spools: TopicSpool[] = [];
    for (const { topic } of this.all) spools.push(await own.topic(topic));
    // In one turn, so that the figures never show a part of the recovered records.
    this.#spools = spools;
    this.#recovered = spools.reduce((sum, { records }) => sum + records, 0);
    this.#pipelines.forEach((pipeline, index) => {
      const spool = spools[index];
      if (spool !== undefined) useSpool(pipeline, spool);
    });
  }

  start(): void {
    for (const pipeline of this.#pipelines) startPipeline(pipeline);
  }

  /** Closes open batches and resolves when all are confirmed or on disk. */
  async flush(): Promise<void> {
    for (const { batcher } of this.#pipelines) batcher.flush();
    await Promise.all(this.#pipelines.map(({ delivery }) => delivery.flushed()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#pipelines.map(closePipeline));
  }

  #sum(read: (pipeline: Pipeline) => number): number {
    let sum = 0;
    for (const pipeline of this.#pipelines) sum += read(pipeline);
    return sum;
  }

  #oldest(read: (pipeline: Pipeline) => number): number | undefined {
    const oldest = Math.min(...this.#pipelines.map(read));
    return oldest === Infinity ? undefined : oldest;
  }

  #first<T>(read: (pipeline: Pipeline) => T | null): T | null {
    for (const pipeline of this.#pipelines) {
      const value = read(pipeline);
      if (value !== null) return value;
    }
    return null;
  }
}
