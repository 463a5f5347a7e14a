// A part of the spool: one directory with its lock, and in it the logs of any number of topics.
import type { SpoolLock } from './lock.ts';
import { awaitSpoolLock, type LockWait, lockSpool } from './lock.ts';
import { logsIn, topicsIn } from './names.ts';
import { type SpoolRemark, unreadableRemark } from './remark.ts';
import type { SpoolCap } from './spool-cap.ts';
import type { Recovered } from './spool-log.ts';
import { TopicSpool, type TopicSpoolOptions } from './topic-spool.ts';
import { upgradeSpool } from './upgrade.ts';

export interface SpoolOptions {
  readonly directory: string;
  /** For the segments of all logs together; the parts that a process sends for former ones share it. */
  readonly cap: SpoolCap;
  /** SPOOL_SEGMENT_BYTES; less if the cap is shared by many partitions, so that space comes back in time. */
  readonly segmentBytes: number;
  readonly sync: 'batch' | 'os';
  /** Partitions that a topic is thought to have. */
  readonly partitions: number;
  /** Called, at the start and later, with what the operator should know. */
  readonly remark?: (remark: SpoolRemark, directory: string) => void;
}

export interface SpoolReport extends Recovered {
  /** Logs that have records. */
  readonly logs: number;
}

/** A cap is cut into at least this many segments, so that draining frees space long before it is done. */
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
   * @param wait for a process that has the directory; left out, that is refused at once
   * @throws SpoolLockedError if another gateway has it, SpoolFormatError if a newer program wrote it, the system's
   * error if it cannot be used
   */
  static async open(options: SpoolOptions, wait?: LockWait): Promise<{ spool: Spool; report: SpoolReport }> {
    const { directory } = options;
    const lock = wait === undefined ? lockSpool(directory) : await awaitSpoolLock(directory, wait);
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
      throw error;
    }
    return { spool, report };
  }

  /** The topics that have anything here. */
  get topics(): readonly TopicSpool[] {
    return [...this.#topics.values()];
  }

  /** The topic's logs; it may have none yet. */
  async topic(topic: string): Promise<TopicSpool> {
    const known = this.#topics.get(topic);
    if (known !== undefined) return known;
    const { spool } = await TopicSpool.open(this.#topicOptions(topic), []);
    this.#topics.set(topic, spool);
    return spool;
  }

  /**
   * Removes a topic that has no records. False if something that was set aside keeps a log of it.
   * @throws the system's error; then the next start meets the topic again
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
   * Removes the whole directory if nothing but empty logs is in it. The lock is held until the directory is gone.
   * False if records or something that was set aside keep it: then it is still to be closed.
   * @throws the system's error; then it is still to be closed
   */
  async remove(): Promise<boolean> {
    if (this.records > 0) return false;
    for (const topic of this.topics) if (!(await this.removeTopic(topic))) return false;
    if (!(await this.#lock.removeDirectory())) return false;
    this.#isClosed = true;
    return true;
  }

  /** Once; called again it does nothing. */
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
    const { directory, cap, segmentBytes, sync, partitions, remark } = this.#options;
    const share = Math.max(MIN_SEGMENT_BYTES, Math.floor(cap.maxBytes / SEGMENTS_PER_CAP / partitions));
    return {
      topic,
      directory,
      cap,
      segmentBytes: Math.min(segmentBytes, share),
      sync,
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
