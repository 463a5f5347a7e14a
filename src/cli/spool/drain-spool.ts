// Sends a spool to Kafka with the gateway's own locks, delivery and files. Records that Kafka does not confirm stay on disk.
// Readings go first, because they can become dead letters. Presence goes last: it waits in a folder of its own, and a
// scaled-down gateway may have left there that its devices are gone.
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Settings } from '../../config/settings.ts';
import { FileWatch } from '../../files/file-watch.ts';
import { createCodec } from '../../kafka/batches/compression.ts';
import { createCluster, spoolOptions } from '../../kafka/from-settings.ts';
import { createDeadLetterPipeline } from '../../kafka/pipelines/dead-letter-pipeline.ts';
import { DeadLetters, letterOf } from '../../kafka/pipelines/dead-letters.ts';
import { closePipeline, createDiskPipeline, type PipelineContext } from '../../kafka/pipelines/pipeline.ts';
import { SpooledTopic } from '../../kafka/pipelines/spooled-topic.ts';
import { createLogger } from '../../log/logger.ts';
import { DEAD_LETTERS_NAME, deadLettersDirectory, partsIn, presenceDirectory } from '../../spool/parts.ts';
import { Spool } from '../../spool/spool.ts';
import type { TopicSpool } from '../../spool/topic-spool.ts';
import { Progress } from './progress.ts';

const POLL_MS = 50;

/** A process's part of the spool. Its lock is held until the end. */
interface Part {
  readonly directory: string;
  readonly spool: Spool;
  /** Follows a topic's name in messages. */
  readonly suffix: string;
}

/** When the drain ends. */
export interface Until {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

interface DrainResult {
  /** The spool has the topic, perhaps without records. */
  readonly found: boolean;
  /** The records that are left, and why; null if Kafka has all records. */
  readonly reason: string | null;
}

/**
 * Sends the spool, or its records of one topic.
 * @param topic null = all topics
 * @throws SpoolLockedError while a gateway runs
 */
export async function drainSpool(
  settings: Settings,
  topic: string | null,
  until: Until,
): Promise<DrainResult> {
  const drainer = new Drainer(settings, until);
  try {
    return await drainer.run(topic);
  } finally {
    await drainer.close();
  }
}

class Drainer {
  readonly #settings: Settings;
  readonly #files: FileWatch;
  readonly #context: PipelineContext;
  readonly #lettersSpool: ReturnType<typeof spoolOptions>;
  readonly #until: Until;
  readonly #parts: Part[] = [];

  constructor(settings: Settings, until: Until) {
    const log = createLogger({ ...settings, LOG_LEVEL: 'error' }, process.stderr);
    this.#files = new FileWatch({ log });
    this.#settings = settings;
    this.#until = until;
    this.#context = {
      settings,
      codec: createCodec(settings.KAFKA_COMPRESSION),
      cluster: createCluster(settings, { files: this.#files, log }),
      log,
    };
    this.#lettersSpool = spoolOptions(settings, 'SPOOL_DEAD_BYTES', log);
  }

  /**
   * Sends the readings of all parts, then the dead letters, then presence.
   * @param topic null = all topics
   * @throws SpoolLockedError while a gateway runs, even if there is nothing to send
   */
  async run(topic: string | null): Promise<DrainResult> {
    const { SPOOL_DIR: root, KAFKA_TOPIC_DEAD_LETTERS: lettersTopic } = this.#settings;
    const options = spoolOptions(this.#settings, 'SPOOL_MAX_BYTES', this.#context.log);
    for (const { index, directory } of [{ index: 0, directory: root }, ...partsIn(root)]) {
      const { spool } = await Spool.open({ ...options, directory });
      this.#parts.push({ directory, spool, suffix: index === 0 ? '' : ` (process-${index})` });
    }
    let found = false;
    for (const part of this.#parts) {
      const topics = part.spool.topics.filter((one) => topic === null || one.topic === topic);
      if (topics.length === 0) continue;
      found = true;
      const reason = await this.#drainReadings(part, topics);
      if (reason !== null) return { found, reason };
    }
    for (const part of topic === null || topic === lettersTopic ? this.#parts : []) {
      if (!existsSync(deadLettersDirectory(part.directory))) continue;
      found = true;
      const reason = await this.#drainLetters(part);
      if (reason !== null) return { found, reason };
    }
    const presence = await this.#drainPresence(root, topic);
    return { found: found || presence.found, reason: presence.reason };
  }

  async close(): Promise<void> {
    this.#context.cluster?.close();
    this.#files.stop();
    for (const { spool } of this.#parts) await spool.close();
  }

  async #drainReadings(part: Part, topics: readonly TopicSpool[]): Promise<string | null> {
    const { cap } = this.#lettersSpool;
    // Letters of refused records stay on disk. They are sent afterwards, if dead letters are to be drained.
    const pipeline = createDeadLetterPipeline({ ...this.#context, cluster: undefined });
    const letters = new DeadLetters(pipeline, { topic: null, cap }, this.#context.log);
    const spool = await this.#openLetters(part);
    try {
      letters.useSpool(await spool.topic(DEAD_LETTERS_NAME));
      letters.start();
      for (const topic of topics) {
        const reason = await this.#drainTopic(topic, { title: `${topic.topic}${part.suffix}`, letters });
        if (reason !== null) return reason;
      }
      return null;
    } finally {
      await closePipeline(pipeline);
      await spool.close();
    }
  }

  async #drainTopic(
    topic: TopicSpool,
    { title, letters }: { title: string; letters: DeadLetters },
  ): Promise<string | null> {
    // As refused-record.ts does it, but there is no device to tell.
    const sender = new SpooledTopic(topic, () =>
      createDiskPipeline(this.#context, topic.topic, (record, reason) =>
        letters.record({ ...letterOf(record, { reason, topic: topic.topic }).letter, remoteAddress: '' }),
      ),
    );
    try {
      const left = await this.#untilSent(sender, title);
      const { recovered, deadLettered } = sender.records;
      const refused =
        deadLettered === 0 ? '' : `, ${deadLettered} of them refused by Kafka and kept as dead letters`;
      if (recovered > 0)
        process.stdout.write(`${title}: ${recovered - left} of ${recovered} records sent${refused}\n`);
      if (left === 0) return null;
      return `${left} records of ${title} are left${inBrackets(letters.blocked ?? sender.problem)}`;
    } finally {
      await sender.close();
    }
  }

  async #drainLetters(part: Part): Promise<string | null> {
    const title = `dead letters${part.suffix}`;
    const spool = await this.#openLetters(part);
    const sender = new SpooledTopic(await spool.topic(DEAD_LETTERS_NAME), () =>
      createDeadLetterPipeline(this.#context),
    );
    const { recovered } = sender;
    try {
      if (recovered === 0) return null;
      if (this.#settings.KAFKA_TOPIC_DEAD_LETTERS === null)
        return `${recovered} dead letters have no topic (KAFKA_TOPIC_DEAD_LETTERS)`;
      const left = await this.#untilSent(sender, title);
      process.stdout.write(`${title}: ${recovered - left} of ${recovered} sent\n`);
      return left === 0 ? null : `${left} dead letters are left${inBrackets(sender.problem)}`;
    } finally {
      await sender.close();
      await spool.close();
    }
  }

  /** Presence waits in one folder, whatever the number of processes. */
  async #drainPresence(root: string, only: string | null): Promise<DrainResult> {
    const directory = presenceDirectory(root);
    if (!existsSync(directory)) return { found: false, reason: null };
    const { spool } = await Spool.open({ ...this.#lettersSpool, directory });
    const topics = spool.topics.filter((one) => only === null || one.topic === only);
    try {
      for (const topic of topics) {
        const reason = await this.#drainPresenceTopic(topic);
        if (reason !== null) return { found: true, reason };
      }
      return { found: topics.length > 0, reason: null };
    } finally {
      await spool.close();
    }
  }

  /** As Presence sends the records that an earlier process left: one that Kafka refuses is dropped. */
  async #drainPresenceTopic(topic: TopicSpool): Promise<string | null> {
    const title = `presence ${topic.topic}`;
    let refused = 0;
    const sender = new SpooledTopic(topic, () =>
      createDiskPipeline(this.#context, topic.topic, () => {
        refused++;
        return Promise.resolve();
      }),
    );
    try {
      const left = await this.#untilSent(sender, title);
      const { recovered } = sender.records;
      const dropped = refused === 0 ? '' : `, ${refused} of them refused by Kafka and dropped`;
      if (recovered > 0)
        process.stdout.write(`${title}: ${recovered - left} of ${recovered} states sent${dropped}\n`);
      return left === 0 ? null : `${left} states of presence are left${inBrackets(sender.problem)}`;
    } finally {
      await sender.close();
    }
  }

  async #openLetters({ directory }: Part): Promise<Spool> {
    return (await Spool.open({ ...this.#lettersSpool, directory: deadLettersDirectory(directory) })).spool;
  }

  /** Waits until nothing is left, the deadline or a signal. Returns the number of records that are left. */
  async #untilSent(sender: SpooledTopic, title: string): Promise<number> {
    const { deadlineMs, signal } = this.#until;
    const left = () => sender.records.spooled;
    const progress = new Progress(title, sender.recovered);
    if (left() > 0) sender.start();
    while (left() > 0 && performance.now() < deadlineMs && !signal.aborted) {
      progress.show(left());
      await pause(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
    progress.end();
    return left();
  }
}

function inBrackets(problem: string | null): string {
  return problem === null ? '' : ` (${problem})`;
}
