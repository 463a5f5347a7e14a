// Owns the folder `resend` of SPOOL_DIR: letters that were taken for sending, until Kafka has them.
//
// - `lock`: one run at a time. `sent`: the letters that were taken (sent-letters.ts). `spool`: the records, as in any spool.
// - Letters are taken in two steps: their records are added to the logs `~unplaced` and synced, then `sent` is replaced,
//   which names both the letters and the new ends of the logs. A start cuts off records behind these ends. So after a
//   crash at any point a letter is either not taken, or its records are here.
// - From there records go the way of all records on disk, with a producer whose identity is stored. So a batch whose
//   answer was lost is recognised by Kafka, also after a crash.
// - Records that Kafka refuses again become letters again, in the topic of dead letters or in `spool/dead-letters`.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Codec } from '../kafka/batches/compression.ts';
import { HEADER_BYTES, RecordBatchWriter, stampUnsent } from '../kafka/batches/record-batch.ts';
import type { RawRecord } from '../kafka/batches/split-batch.ts';
import { spoolOptions } from '../kafka/from-settings.ts';
import { createDeadLetterPipeline } from '../kafka/pipelines/dead-letter-pipeline.ts';
import { DeadLetters, letterOf } from '../kafka/pipelines/dead-letters.ts';
import { closePipeline, createDiskPipeline, type PipelineContext } from '../kafka/pipelines/pipeline.ts';
import { SpooledTopic } from '../kafka/pipelines/spooled-topic.ts';
import { lockSpool, type SpoolLock } from '../spool/lock.ts';
import { logName, logsIn } from '../spool/names.ts';
import { DEAD_LETTERS_NAME, deadLettersDirectory } from '../spool/parts.ts';
import { unlessMissing } from '../spool/read-errors.ts';
import { cutSegments, recoverSegments } from '../spool/recovery.ts';
import { Spool } from '../spool/spool.ts';
import { outboxDirectory, outboxOptions, outboxSpool } from './outbox-place.ts';
import { type LetterLog, SentLetters } from './sent-letters.ts';

/** A letter, and the records that are sent for it. */
export interface TakenLetter {
  readonly log: LetterLog;
  readonly offset: number;
  readonly body: Uint8Array;
  readonly topic: string;
  readonly records: readonly RawRecord[];
}

/** When sending ends although records are left. */
export interface Until {
  /** Monotonic milliseconds. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

export interface SendResult {
  /** Records that Kafka took. */
  readonly sent: number;
  /** Records that Kafka refused again. Their new letters are durable. */
  readonly refused: number;
  readonly left: number;
  /** Why records are left, or null. */
  readonly problem: string | null;
}

const SENT = 'sent';

const BATCH_BYTES = 512 * 1024;
const POLL_MS = 10;
/** A problem that stands so long while a broker is connected does not pass by itself. */
const STUCK_MS = 6_000;
/** Letters of records that were refused again get so long to reach their topic. Then they wait on disk. */
const LETTERS_MS = 3_000;

/** The letters that earlier runs sent. Without a lock, so a run may be adding to them. @throws SentUnreadableError */
export function readSent(root: string): Promise<SentLetters> {
  return SentLetters.read(join(outboxDirectory(root), SENT));
}

export class Outbox {
  readonly sent: SentLetters;
  readonly #context: PipelineContext;
  readonly #lock: SpoolLock;
  readonly #spool: Spool;
  readonly #lettersSpool: Spool;
  readonly #letters: DeadLetters;
  #isStarted = false;

  private constructor(parts: {
    sent: SentLetters;
    context: PipelineContext;
    lock: SpoolLock;
    spool: Spool;
    lettersSpool: Spool;
  }) {
    this.sent = parts.sent;
    this.#context = parts.context;
    this.#lock = parts.lock;
    this.#spool = parts.spool;
    this.#lettersSpool = parts.lettersSpool;
    const { settings, log } = parts.context;
    const { cap } = spoolOptions(settings, 'SPOOL_DEAD_BYTES', log);
    const topic = settings.KAFKA_TOPIC_DEAD_LETTERS;
    this.#letters = new DeadLetters(createDeadLetterPipeline(parts.context), { topic, cap }, log);
  }

  /**
   * Opens the outbox, and undoes a step that a crash interrupted.
   * @throws SpoolLockedError if another run has it, SentUnreadableError, or the system's error
   */
  static async open(context: PipelineContext): Promise<Outbox> {
    const root = context.settings.SPOOL_DIR;
    const lock = lockSpool(outboxDirectory(root));
    const opened: Spool[] = [];
    try {
      const sent = await SentLetters.read(join(outboxDirectory(root), SENT));
      await cutUntaken(outboxSpool(root), sent);
      for (const directory of [outboxSpool(root), deadLettersDirectory(outboxSpool(root))])
        opened.push((await Spool.open({ ...outboxOptions(context), directory })).spool);
      const [spool, lettersSpool] = opened as [Spool, Spool];
      const outbox = new Outbox({ sent, context, lock, spool, lettersSpool });
      await outbox.#rememberEnds();
      outbox.#letters.useSpool(await lettersSpool.topic(DEAD_LETTERS_NAME));
      return outbox;
    } catch (error) {
      for (const spool of opened) await spool.close();
      lock.release();
      throw error;
    }
  }

  /** Records that wait to be sent. */
  get waiting(): number {
    return this.#spool.records;
  }

  /** Letters that Kafka refused again and that wait for the topic of dead letters. */
  get lettersOnDisk(): number {
    return this.#lettersSpool.records;
  }

  /**
   * Makes the letters' records durable here. Once this resolves, no later run takes these letters again.
   * @throws the system's error; then the outbox must be closed: the next one finds out whether they were taken
   */
  async take(letters: readonly TakenLetter[]): Promise<void> {
    for (const topic of new Set(letters.map((letter) => letter.topic))) {
      const ofTopic = letters.filter((letter) => letter.topic === topic);
      const log = await (await this.#spool.topic(topic)).unplaced();
      await log.append(
        await batchesOf(
          ofTopic.flatMap(({ records }) => records),
          this.#context.codec,
        ),
      );
      this.sent.setEnd(log.name, log.nextOffset);
    }
    for (const { log, offset, body } of letters) this.sent.add(log, offset, body);
    await this.sent.write();
  }

  /** Sends all records that were taken. Those that cannot be sent now stay for the next run. */
  async send(until: Until, progress: (left: number) => void = () => undefined): Promise<SendResult> {
    this.#start();
    const senders = this.#spool.topics
      .filter(({ records }) => records > 0)
      .map((topic) => new SpooledTopic(topic, () => this.#pipeline(topic.topic)));
    const sum = (read: (sender: SpooledTopic) => number) =>
      senders.reduce((total, sender) => total + read(sender), 0);
    const left = () => sum(({ records }) => records.spooled);
    try {
      for (const sender of senders) sender.start();
      const patience = new Patience(() => this.#context.cluster?.connected ?? false);
      while (!until.signal.aborted && performance.now() < until.deadlineMs) {
        const unsent = senders.filter(({ isSent }) => !isSent);
        if (unsent.length === 0 || patience.isOver(unsent)) break;
        progress(left());
        await sleep(POLL_MS);
      }
      const problem = this.#letters.blocked ?? senders.find(({ isSent }) => !isSent)?.problem ?? null;
      return {
        sent: sum(({ records }) => records.confirmed),
        refused: sum(({ records }) => records.deadLettered),
        left: left(),
        problem,
      };
    } finally {
      for (const sender of senders) await sender.close();
    }
  }

  /** Gives letters of records that were refused again a moment to reach their topic. False if some stay on disk. */
  async sendLetters(): Promise<boolean> {
    const { pipeline, topic } = this.#letters;
    this.#start();
    pipeline.batcher.flush();
    const deadlineMs = performance.now() + LETTERS_MS;
    while (topic !== null && this.#letters.waiting > 0 && performance.now() < deadlineMs)
      await sleep(POLL_MS);
    return this.#letters.waiting === 0;
  }

  async close(): Promise<void> {
    if (this.#isStarted) await this.sendLetters();
    await closePipeline(this.#letters.pipeline);
    await this.#lettersSpool.close();
    await this.#spool.close();
    this.#lock.release();
  }

  #start(): void {
    if (!this.#isStarted) this.#letters.start();
    this.#isStarted = true;
  }

  #pipeline(topic: string) {
    return createDiskPipeline(
      this.#context,
      topic,
      (record, reason) =>
        this.#letters.record({ ...letterOf(record, { reason, topic }).letter, remoteAddress: '' }),
      { givesUpAlone: true },
    );
  }

  /** If damage or a lost cursor moved the end of a log, later records must count from there. */
  async #rememberEnds(): Promise<void> {
    let isChanged = false;
    for (const { topic, kind } of await logsIn(this.#spool.directory)) {
      if (kind !== 'unplaced') continue;
      const { name, nextOffset } = await (await this.#spool.topic(topic)).unplaced();
      isChanged ||= this.sent.endOf(name) !== nextOffset;
      this.sent.setEnd(name, nextOffset);
    }
    if (isChanged) await this.sent.write();
  }
}

/** Ends the wait for topics that a connected broker does not take. */
class Patience {
  readonly #isConnected: () => boolean;
  #sinceMs: number | undefined;

  constructor(isConnected: () => boolean) {
    this.#isConnected = isConnected;
  }

  isOver(unsent: readonly SpooledTopic[]): boolean {
    const isStuck = this.#isConnected() && unsent.every(({ problem }) => problem !== null);
    this.#sinceMs = isStuck ? (this.#sinceMs ?? performance.now()) : undefined;
    return this.#sinceMs !== undefined && performance.now() - this.#sinceMs >= STUCK_MS;
  }
}

/** Removes records of letters that were never taken. */
async function cutUntaken(directory: string, sent: SentLetters): Promise<void> {
  for (const name of (await unlessMissing(logsIn(directory))) ?? []) {
    if (name.kind !== 'unplaced') continue;
    const { segments } = await recoverSegments(join(directory, logName(name)));
    await cutSegments(segments, sent.endOf(logName(name)));
  }
}

async function batchesOf(records: readonly RawRecord[], codec: Codec): Promise<Buffer[]> {
  const batches: Buffer[] = [];
  let writer = new RecordBatchWriter(HEADER_BYTES);
  const seal = async () => {
    if (writer.count === 0) return;
    const { bytes } = await writer.seal(codec);
    stampUnsent(bytes, undefined);
    batches.push(bytes);
    writer = new RecordBatchWriter(HEADER_BYTES);
  };
  for (const { timestampMs, body } of records) {
    if (writer.bytes + body.length > BATCH_BYTES) await seal();
    writer.appendRaw(timestampMs, body);
  }
  await seal();
  return batches;
}
