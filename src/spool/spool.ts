// All partitions' spools in one directory: the cap they share, the lock, what was found at start, and why
// nothing can be written at the moment.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SpoolLayout } from './layout.ts';
import { awaitSpoolLock, type LockWait, lockSpool, type SpoolLock } from './lock.ts';
import { type Recovered, SpoolLog } from './spool-log.ts';

export interface SpoolOptions {
  readonly directory: string;
  readonly topic: string;
  /** Bytes of all segments together at most (SPOOL_MAX_BYTES, or SPOOL_DEAD_BYTES for dead letters). */
  readonly maxBytes: number;
  /** The setting that maxBytes comes from, for messages; SPOOL_MAX_BYTES if left out. */
  readonly maxBytesSetting?: string;
  /** SPOOL_SEGMENT_BYTES; less where the cap is shared by many partitions, so that space comes back in time. */
  readonly segmentBytes: number;
  readonly sync: 'batch' | 'os';
  /** Partitions the topic is thought to have. */
  readonly partitions: number;
}

export interface SpoolReport extends Recovered {
  readonly partitions: number;
}

/** A cap is cut into at least this many segments, so that draining frees space long before it is done. */
const SEGMENTS_PER_CAP = 8;
const MIN_SEGMENT_BYTES = 2 ** 20;

export class Spool {
  readonly #options: SpoolOptions;
  readonly #lock: SpoolLock;
  readonly #logs = new Map<number, SpoolLog>();
  #bytes = 0;
  #roomWaiters: (() => void)[] = [];
  // By partition, how many pieces of work may go beyond the cap.
  readonly #beyondCap = new Map<number, number>();

  readonly layout: SpoolLayout;

  private constructor(options: SpoolOptions, lock: SpoolLock, layout: SpoolLayout) {
    this.#options = options;
    this.#lock = lock;
    this.layout = layout;
  }

  /**
   * Locks the directory and recovers what is in it.
   * @param wait for a process that has the directory; left out, that is refused at once
   * @throws SpoolLockedError where another gateway has it, the system's error where it cannot be used
   */
  static async open(options: SpoolOptions, wait?: LockWait): Promise<{ spool: Spool; report: SpoolReport }> {
    const { directory } = options;
    const lock = wait === undefined ? lockSpool(directory) : await awaitSpoolLock(directory, wait);
    const spool = new Spool(options, lock, await SpoolLayout.open(options.directory, options.topic));
    const report = { partitions: 0, records: 0, bytes: 0, cutBytes: 0, badBatches: 0, badRecords: 0 };
    for (const partition of await partitionsIn(options.directory, options.topic)) {
      const recovered = await spool.#open(partition);
      if (recovered.records > 0) report.partitions++;
      report.records += recovered.records;
      report.bytes += recovered.bytes;
      report.cutBytes += recovered.cutBytes;
      report.badBatches += recovered.badBatches;
      report.badRecords += recovered.badRecords;
    }
    return { spool, report };
  }

  get bytes(): number {
    return this.#bytes;
  }

  get maxBytes(): number {
    return this.#options.maxBytes;
  }

  get records(): number {
    let records = 0;
    for (const log of this.#logs.values()) records += log.records;
    return records;
  }

  get badBatches(): number {
    let bad = 0;
    for (const log of this.#logs.values()) bad += log.badBatches;
    return bad;
  }

  /** Wall clock of the oldest record, to a segment's exactness; undefined where the spool is empty. */
  get oldestMs(): number | undefined {
    let oldest: number | undefined;
    for (const log of this.#logs.values()) {
      if (log.records > 0 && log.oldestMs !== undefined) oldest = Math.min(oldest ?? Infinity, log.oldestMs);
    }
    return oldest;
  }

  /** Records that damage passed over since the start has cost. */
  get badRecords(): number {
    let bad = 0;
    for (const log of this.#logs.values()) bad += log.badRecords;
    return bad;
  }

  /** Partitions that have something to drain. */
  get pending(): { partition: number; log: SpoolLog }[] {
    return [...this.#logs]
      .filter(([, log]) => log.records > 0)
      .map(([partition, log]) => ({ partition, log }));
  }

  /** Lets the logs go and opens those that a placing anew has put there. */
  async reopen(): Promise<void> {
    for (const log of this.#logs.values()) await log.close();
    this.#logs.clear();
    this.#release(this.#bytes);
    for (const partition of await partitionsIn(this.#options.directory, this.#options.topic)) {
      await this.#open(partition);
    }
  }

  async log(partition: number): Promise<SpoolLog> {
    const known = this.#logs.get(partition);
    if (known !== undefined) return known;
    await this.#open(partition);
    return this.#logs.get(partition) as SpoolLog;
  }

  /**
   * Lets a partition go beyond the cap until `work` is done. For work that has to write before it can make room: at the
   * cap it would wait for itself.
   */
  async beyondCap<T>(partition: number, work: Promise<T>): Promise<T> {
    const count = (change: number) =>
      this.#beyondCap.set(partition, (this.#beyondCap.get(partition) ?? 0) + change);
    count(1);
    try {
      return await work;
    } finally {
      count(-1);
    }
  }

  /** Resolves when bytes were freed. */
  freed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#roomWaiters.push(done);
      signal.addEventListener('abort', done);
    });
  }

  async close(): Promise<void> {
    for (const log of this.#logs.values()) await log.close();
    this.#lock.release();
  }

  async #open(partition: number): Promise<Recovered> {
    const { directory, topic, maxBytes, maxBytesSetting, segmentBytes, sync, partitions } = this.#options;
    const share = Math.max(MIN_SEGMENT_BYTES, Math.floor(maxBytes / SEGMENTS_PER_CAP / partitions));
    const { log, recovered } = await SpoolLog.open({
      directory: join(directory, `${topic}-${partition}`),
      segmentBytes: Math.min(segmentBytes, share),
      sync,
      ...(maxBytesSetting !== undefined && { capSetting: maxBytesSetting }),
      reserve: (bytes) => this.#reserve(partition, bytes),
      claim: (bytes) => {
        this.#bytes += bytes;
      },
      release: (bytes) => this.#release(bytes),
    });
    this.#logs.set(partition, log);
    return recovered;
  }

  #reserve(partition: number, bytes: number): boolean {
    const isCapped = (this.#beyondCap.get(partition) ?? 0) === 0;
    if (isCapped && this.#bytes + bytes > this.#options.maxBytes) return false;
    this.#bytes += bytes;
    return true;
  }

  #release(bytes: number): void {
    this.#bytes -= bytes;
    for (const waiter of this.#roomWaiters.splice(0)) waiter();
  }
}

/** The partitions of a topic that have a directory here. */
export async function partitionsIn(directory: string, topic: string): Promise<number[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const digits = /^(?:0|[1-9]\d{0,5})$/;
  return entries
    .filter((entry) => entry.isDirectory() && entry.name.startsWith(`${topic}-`))
    .map(({ name }) => name.slice(topic.length + 1))
    .filter((rest) => digits.test(rest))
    .map(Number)
    .sort((a, b) => a - b);
}
