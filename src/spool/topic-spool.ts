// Owns one topic's logs in a part of the spool: one for each partition, one for records whose partition is not certain
// (`unplaced`), and those of partitions that the topic no longer has (`gone`). The last two kinds are sources: their
// records are placed, that is copied into the partitions' logs, a chunk at a time.
//
// Invariants:
// - Each record counts in exactly one log. Copies are hidden until the source is durably acknowledged. They become
//   visible in the turn in which the source gives the records up.
// - The plan of a copy is on disk before the copy begins. The next start cuts off an unfinished copy.
// - Sources are copied in the order of `sources`. The log that was marked gone last holds the oldest records of a key,
//   because sources are only ever copied into partitions' logs.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '../disk/durable-file.ts';
import type { Histogram } from '../measure/histogram.ts';
import { type Chunk, ChunkCopy } from './chunk-copy.ts';
import { chunkBytes, requireCopyRoom } from './copy-room.ts';
import { readLayout, writeLayout } from './layout.ts';
import { type LogName, layoutName, logName, planName } from './names.ts';
import { type PlacingPlan, PlanFile, readPlan, removePlan } from './placing-plan.ts';
import type { ReaderOptions } from './segment-reader.ts';
import type { SpoolCap } from './spool-cap.ts';
import { type Recovered, SpoolLog } from './spool-log.ts';

export interface TopicSpoolOptions {
  readonly topic: string;
  /** The part of the spool. */
  readonly directory: string;
  readonly cap: SpoolCap;
  readonly segmentBytes: number;
  readonly sync: 'batch' | 'os';
  readonly reading?: ReaderOptions;
  readonly syncTimes?: Histogram | undefined;
}

export class TopicSpool {
  readonly topic: string;
  readonly #options: TopicSpoolOptions;
  readonly #plan: PlanFile;
  readonly #partitions = new Map<number, SpoolLog>();
  readonly #gone = new Map<number, SpoolLog>();
  #unplaced: SpoolLog | undefined;
  #partitionCount: number | undefined;
  #layoutWritten: Promise<void> = Promise.resolve();
  // How many pieces of work may exceed the cap, by partition or for all.
  readonly #beyondCap = new Map<number | 'all', number>();
  readonly #opening = new Map<string, Promise<Recovered>>();
  // Damage in logs that were removed.
  readonly #removed = { badBatches: 0, badRecords: 0 };
  #isClosed = false;

  private constructor(options: TopicSpoolOptions) {
    this.#options = options;
    this.topic = options.topic;
    this.#plan = new PlanFile(join(options.directory, planName(options.topic)));
  }

  /**
   * Opens the topic's logs and undoes a copy that a crash interrupted.
   * @param found the logs of all topics in the directory
   * @throws the system's error if the directory cannot be used
   */
  static async open(
    options: TopicSpoolOptions,
    found: readonly LogName[],
  ): Promise<{ spool: TopicSpool; recovered: Recovered[] }> {
    const spool = new TopicSpool(options);
    try {
      return { spool, recovered: await spool.#recover(found) };
    } catch (error) {
      // The caller may try again, so no file may stay open.
      await spool.close();
      throw error;
    }
  }

  /**
   * The number of partitions that Kafka last reported. Undefined if it is not known, if records are in partitions beyond
   * it, which shows that it is outdated, or if records have no partition yet.
   */
  get partitionCount(): number | undefined {
    const count = this.#partitionCount;
    if (this.sources.length > 0) return undefined;
    if (count === undefined || this.pending.some(({ partition }) => partition >= count)) return undefined;
    return count;
  }

  /**
   * The number of partitions that the records of sources are being placed for, perhaps since an earlier process.
   * Undefined if there are no such records, or none was placed yet.
   */
  get placedFor(): number | undefined {
    return this.sources.length > 0 ? this.#partitionCount : undefined;
  }

  get records(): number {
    return sum(this.#logs, ({ records }) => records);
  }

  get bytes(): number {
    return sum(this.#logs, ({ bytes }) => bytes);
  }

  get badBatches(): number {
    return this.#removed.badBatches + sum(this.#logs, ({ badBatches }) => badBatches);
  }

  /** Records that are missing because of damage that was skipped since the start. */
  get badRecords(): number {
    return this.#removed.badRecords + sum(this.#logs, ({ badRecords }) => badRecords);
  }

  /** Wall clock of the oldest segment with records, undefined if there are no records. */
  get oldestMs(): number | undefined {
    const times = this.#logs.flatMap(({ records, oldestMs }) => (records > 0 ? (oldestMs ?? []) : []));
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Partitions whose logs have records. */
  get pending(): { partition: number; log: SpoolLog }[] {
    return [...this.#partitions]
      .filter(([, log]) => log.records > 0)
      .map(([partition, log]) => ({ partition, log }));
  }

  /** The logs whose records have no partition yet, in the order in which they must be copied. */
  get sources(): SpoolLog[] {
    const gone = [...this.#gone].sort(([a], [b]) => b - a).map(([, log]) => log);
    return [...gone, ...(this.#unplaced ? [this.#unplaced] : [])].filter(({ records }) => records > 0);
  }

  /** How large a copy may be now, at most `maxBytes`. @throws the system's error */
  copyBytes(maxBytes: number): Promise<number> {
    return chunkBytes(this.#options.directory, maxBytes);
  }

  /** The log of a partition. @throws the system's error */
  log(partition: number): Promise<SpoolLog> {
    return this.#get({ topic: this.topic, kind: 'partition', number: partition });
  }

  /** The log of records whose partition is not certain. @throws the system's error */
  unplaced(): Promise<SpoolLog> {
    return this.#get({ topic: this.topic, kind: 'unplaced', number: 0 });
  }

  /** Stores the number of partitions that Kafka reports, durably. @throws the system's error */
  setPartitionCount(count: number): Promise<void> {
    // One after the other: all calls write the same temporary file, and the last number counts.
    const written = this.#layoutWritten.catch(() => undefined).then(() => this.#writeLayout(count));
    this.#layoutWritten = written;
    return written;
  }

  /** Makes the partition's log a source, which is no longer the partition's. @throws the system's error */
  async markGone(partition: number): Promise<void> {
    const log = this.#partitions.get(partition);
    if (log === undefined) return;
    const number = 1 + Math.max(0, ...this.#gone.keys());
    await log.rename(join(this.#options.directory, logName({ topic: this.topic, kind: 'gone', number })));
    this.#partitions.delete(partition);
    this.#gone.set(number, log);
  }

  /** Nobody else may write to partitions' logs while the copy runs. */
  copy(chunk: Chunk): ChunkCopy {
    return new ChunkCopy(chunk, { plan: this.#plan, openLog: (partition) => this.log(partition) });
  }

  /** Every record is placed: removes the plan and the logs of gone partitions. @throws the system's error */
  async endPlacing(): Promise<void> {
    // The plan first: it would apply to a later log of the same name.
    await this.#plan.remove();
    for (const [number, log] of this.#gone) {
      if (log.records > 0 || !(await log.remove())) continue;
      this.#gone.delete(number);
      this.#removed.badBatches += log.badBatches;
      this.#removed.badRecords += log.badRecords;
    }
  }

  /**
   * Lets one partition's batches, or those of `all` partitions, exceed the cap until `work` is done. For work that must
   * write before it can free space: at the cap it would wait for itself.
   */
  async beyondCap<T>(partition: number | 'all', work: Promise<T>): Promise<T> {
    const count = (change: number) =>
      this.#beyondCap.set(partition, (this.#beyondCap.get(partition) ?? 0) + change);
    count(1);
    try {
      return await work;
    } finally {
      count(-1);
    }
  }

  /**
   * Removes a topic without records from the disk. False if a log stays because it has records or bytes that were set
   * aside. After a crash in between, the next start finds a topic without records.
   * @throws the system's error
   */
  async remove(): Promise<boolean> {
    // The plan and the layout first: no start would look for them without a log.
    await this.#plan.remove();
    for (const path of [this.#layoutPath, `${this.#layoutPath}.new`]) await rm(path, { force: true });
    await syncDirectory(this.#options.directory);
    const removed = [];
    for (const log of this.#logs) removed.push(await log.remove());
    await syncDirectory(this.#options.directory);
    await this.close();
    return !removed.includes(false);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // Logs that are just being opened must be closed too.
    await Promise.allSettled(this.#opening.values());
    for (const log of this.#logs) await log.close();
    await this.#plan.close();
    // Other parts share the cap, and this part may be opened again.
    this.#options.cap.release(this.bytes);
  }

  get #logs(): SpoolLog[] {
    return [
      ...this.#partitions.values(),
      ...this.#gone.values(),
      ...(this.#unplaced ? [this.#unplaced] : []),
    ];
  }

  get #layoutPath(): string {
    return join(this.#options.directory, layoutName(this.topic));
  }

  async #writeLayout(count: number): Promise<void> {
    if (this.#partitionCount === count) return;
    await writeLayout(this.#layoutPath, count);
    this.#partitionCount = count;
  }

  /**
   * Whether a start must undo the copy. While the copy is unfinished, the source still has all of its records: they are
   * acknowledged or deleted only after it.
   */
  #isUnfinished({ source, from, to }: PlacingPlan): boolean {
    const log = this.#logs.find(({ name }) => name === source);
    return log !== undefined && log.acknowledged <= from && log.nextOffset >= to;
  }

  async #recover(found: readonly LogName[]): Promise<Recovered[]> {
    const plan = await readPlan(this.#plan.path);
    const recovered: Recovered[] = [];
    const names = found.filter(({ topic }) => topic === this.topic);
    for (const name of names.filter(({ kind }) => kind !== 'partition'))
      recovered.push(await this.#open(name));
    const ends = new Map(plan !== undefined && this.#isUnfinished(plan) ? plan.targets : []);
    for (const name of names.filter(({ kind }) => kind === 'partition'))
      recovered.push(await this.#open(name, ends.get(name.number)));
    // A later start would take batches that are written from now on for a part of that copy.
    await removePlan(this.#plan.path);
    this.#partitionCount = await readLayout(this.#layoutPath);
    return recovered;
  }

  #find({ kind, number }: LogName): SpoolLog | undefined {
    if (kind === 'partition') return this.#partitions.get(number);
    return kind === 'gone' ? this.#gone.get(number) : this.#unplaced;
  }

  async #get(name: LogName): Promise<SpoolLog> {
    const log = this.#find(name);
    if (log !== undefined) return log;
    if (this.#isClosed) throw new Error('the spool is closed');
    // A log that is opened twice would be written to by both.
    const key = logName(name);
    const opening = this.#opening.get(key) ?? this.#open(name);
    this.#opening.set(key, opening);
    try {
      await opening;
    } finally {
      this.#opening.delete(key);
    }
    return this.#find(name) as SpoolLog;
  }

  async #open(name: LogName, cutAt?: number): Promise<Recovered> {
    const { directory, cap, segmentBytes, sync, syncTimes, reading } = this.#options;
    const { log, recovered } = await SpoolLog.open({
      directory: join(directory, logName(name)),
      segmentBytes,
      sync,
      cap,
      syncTimes,
      mayExceedCap: () => this.#mayExceedCap(name),
      ...(reading && { reading }),
      cutAt,
      ...(name.kind === 'unplaced' && { beforeAppend: (bytes) => requireCopyRoom(directory, bytes) }),
    });
    if (name.kind === 'partition') this.#partitions.set(name.number, log);
    else if (name.kind === 'gone') this.#gone.set(name.number, log);
    else this.#unplaced = log;
    return recovered;
  }

  #mayExceedCap({ kind, number }: LogName): boolean {
    const isLifted = (partition: number | 'all') => (this.#beyondCap.get(partition) ?? 0) > 0;
    if (kind === 'partition') return isLifted('all') || isLifted(number);
    // One partition's batches may have gone to `unplaced`. `all` is only for batches that partitions hold in memory.
    return [...this.#beyondCap.keys()].some((partition) => partition !== 'all' && isLifted(partition));
  }
}

function sum(logs: readonly SpoolLog[], read: (log: SpoolLog) => number): number {
  return logs.reduce((total, log) => total + read(log), 0);
}
