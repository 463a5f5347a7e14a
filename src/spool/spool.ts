// Owns a part of the spool: one directory, its lock, and the topics in it.
import type { Histogram } from '../measure/histogram.ts';
import { awaitSpoolLock, type LockWait, lockSpool, type SpoolLock } from './lock.ts';
import { logsIn, topicsIn } from './names.ts';
import { type SpoolRemark, unreadableRemark } from './remark.ts';
import type { SpoolCap } from './spool-cap.ts';
import type { Recovered } from './spool-log.ts';
import { TopicSpool, type TopicSpoolOptions } from './topic-spool.ts';
import { unusable } from './unusable.ts';
import { upgradeSpool } from './upgrade.ts';

export interface SpoolOptions {
  readonly directory: string;
  /** For all logs together, including those of orphaned parts that this process sends. */
  readonly cap: SpoolCap;
  /** SPOOL_SEGMENT_BYTES. Segments are smaller if many partitions share the cap, so that space is freed in time. */
  readonly segmentBytes: number;
  readonly sync: 'batch' | 'os';
  /** The expected number of partitions of a topic. */
  readonly partitions: number;
  /** The first process of this gateway, which the lock names. Left out, this process. */
  readonly gatewayPid?: number | undefined;
  /** Gets the seconds of each sync of added batches. */
  readonly syncTimes?: Histogram | undefined;
  /** Called with messages for the operator, at the start and later. */
  readonly remark?: (remark: SpoolRemark, directory: string) => void;
}

export interface SpoolReport extends Recovered {
  /** Logs with records. */
  readonly logs: number;
}

/** The cap is divided into at least this many segments per partition, so that draining frees space early. */
const SEGMENTS_PER_CAP = 8;
const MIN_SEGMENT_BYTES = 2 ** 20;

export class Spool {
  readonly directory: string;
  readonly #options: SpoolOptions;
  readonly #lock: SpoolLock;
  readonly #topics = new Map<string, TopicSpool>();
  #isClosed = false;

  private constructor(options: SpoolOptions, lock: SpoolLock) {
    this.directory = options.directory;
    this.#options = options;
    this.#lock = lock;
  }

  /**
   * Locks the directory and recovers the logs in it.
   * @param wait how long to wait for another process that has the lock; left out, not at all
   * @throws SpoolLockedError if another gateway has the lock, SpoolFormatError if a newer program wrote the spool,
   * SpoolUnusableError or the system's error if the directory cannot be used
   */
  static async open(options: SpoolOptions, wait?: LockWait): Promise<{ spool: Spool; report: SpoolReport }> {
    const { directory, gatewayPid } = options;
    const lock =
      wait === undefined
        ? lockSpool(directory, gatewayPid)
        : await awaitSpoolLock(directory, wait, gatewayPid);
    const spool = new Spool(options, lock);
    const report = { logs: 0, records: 0, bytes: 0, cutBytes: 0, badBatches: 0, badRecords: 0 };
    try {
      const { remarks } = await upgradeSpool(directory);
      for (const remark of remarks) options.remark?.(remark, directory);
      const found = await logsIn(directory);
      for (const topic of await topicsIn(directory)) {
        const opened = await TopicSpool.open(spool.#topicOptions(topic), found);
        spool.#topics.set(topic, opened.spool);
        for (const recovered of opened.recovered) add(report, recovered);
      }
    } catch (error) {
      await spool.close();
      throw unusable(directory, error);
    }
    return { spool, report };
  }

  /** The topics with a log or a file in this part. */
  get topics(): readonly TopicSpool[] {
    return [...this.#topics.values()];
  }

  /** The topic, which is added if it is new. */
  async topic(topic: string): Promise<TopicSpool> {
    const known = this.#topics.get(topic);
    if (known !== undefined) return known;
    const { spool } = await TopicSpool.open(this.#topicOptions(topic), []);
    this.#topics.set(topic, spool);
    return spool;
  }

  /**
   * Removes a topic without records. False if bytes that were set aside keep one of its logs.
   * @throws the system's error; then the next start finds the topic again
   */
  async removeTopic(topic: TopicSpool): Promise<boolean> {
    this.#topics.delete(topic.topic);
    try {
      return await topic.remove();
    } finally {
      await topic.close();
    }
  }

  get bytes(): number {
    return this.#sum(({ bytes }) => bytes);
  }

  get records(): number {
    return this.#sum(({ records }) => records);
  }

  /**
   * Removes the whole directory if it holds no records, and keeps the lock until the directory is gone. False if records
   * or bytes that were set aside keep it; then the spool must still be closed.
   * @throws the system's error; then the spool must still be closed
   */
  async remove(): Promise<boolean> {
    if (this.records > 0) return false;
    for (const topic of this.topics) if (!(await this.removeTopic(topic))) return false;
    if (!(await this.#lock.removeDirectory())) return false;
    this.#isClosed = true;
    return true;
  }

  /** A second call does nothing. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const topic of this.#topics.values()) await topic.close();
    this.#lock.release();
  }

  #sum(read: (topic: TopicSpool) => number): number {
    return this.topics.reduce((total, topic) => total + read(topic), 0);
  }

  #topicOptions(topic: string): TopicSpoolOptions {
    const { directory, cap, segmentBytes, sync, syncTimes, partitions, remark } = this.#options;
    const share = Math.max(MIN_SEGMENT_BYTES, Math.floor(cap.maxBytes / SEGMENTS_PER_CAP / partitions));
    return {
      topic,
      directory,
      cap,
      segmentBytes: Math.min(segmentBytes, share),
      sync,
      syncTimes,
      reading: { unreadable: (lost) => remark?.(unreadableRemark(lost), directory) },
    };
  }
}

function add(report: { -readonly [K in keyof SpoolReport]: number }, recovered: Recovered): void {
  if (recovered.records > 0) report.logs++;
  report.records += recovered.records;
  report.bytes += recovered.bytes;
  report.cutBytes += recovered.cutBytes;
  report.badBatches += recovered.badBatches;
  report.badRecords += recovered.badRecords;
}
