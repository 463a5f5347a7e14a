// Writes one partition's batches to its log in their order, grouped so that one sync serves many. It retries a failed
// write until it succeeds, and never reads the log or talks to Kafka.
import { setTimeout as pause } from 'node:timers/promises';
import { SpoolFullError, type SpoolLog } from './spool-log.ts';

/** Why the disk was not written or read. */
export interface DiskTrouble {
  /** `limit`: SPOOL_MAX_BYTES; `disk-full`: no space; `disk`: any other error of the system. */
  readonly cause: 'limit' | 'disk-full' | 'disk';
  readonly reason: string;
}

/** A batch to be written. */
export interface Writable {
  readonly bytes: Buffer | undefined;
}

export interface PartitionSpoolEvents<T extends Writable> {
  /** These batches are durable. They come in order. */
  durable(batches: readonly T[]): void;
  /** The disk refuses writes for this reason, or takes them again (null). */
  trouble(trouble: DiskTrouble | null): void;
}

/** The largest group that is written and synced at once. */
const GROUP_BYTES = 4 * 2 ** 20;
const RETRY_MS = 500;

export class PartitionSpool<T extends Writable> {
  readonly log: SpoolLog;
  readonly #events: PartitionSpoolEvents<T>;
  readonly #signal: AbortSignal;
  #pending: T[] = [];
  #writing: readonly T[] = [];
  #groupBytes = GROUP_BYTES;
  #isRunning = false;
  #isFailing = false;

  constructor(log: SpoolLog, events: PartitionSpoolEvents<T>, signal: AbortSignal) {
    this.log = log;
    this.#events = events;
    this.#signal = signal;
  }

  /** Batches that are not durable yet. */
  get waiting(): number {
    return this.#pending.length + this.#writing.length;
  }

  /** The disk refused the latest write. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  add(batch: T): void {
    this.#pending.push(batch);
    if (!this.#isRunning) {
      this.#isRunning = true;
      void this.#run();
    }
  }

  /** Takes all batches back unless some are being written. Used if Kafka takes batches and the disk does not. */
  takeBack(): T[] {
    if (this.#writing.length > 0) return [];
    // A failed write may have set the log's offsets. Kafka wants base offset zero.
    for (const { bytes } of this.#pending) bytes?.writeBigInt64BE(0n, 0);
    return this.#pending.splice(0);
  }

  async #run(): Promise<void> {
    while (this.#pending.length > 0 && !this.#signal.aborted) {
      this.#writing = this.#takeGroup();
      const group = this.#writing;
      try {
        await this.log.append(group.flatMap(({ bytes }) => bytes ?? []));
        this.#writing = [];
        this.#groupBytes = GROUP_BYTES;
        this.#endTrouble();
        this.#events.durable(group);
      } catch (error) {
        this.#writing = [];
        this.#pending.unshift(...group);
        // A single batch may fit if the group does not: the disk is nearly full, or other logs took the room meanwhile.
        this.#groupBytes = 0;
        this.#isFailing = true;
        this.#events.trouble(troubleOf(error));
        await pause(RETRY_MS, undefined, { signal: this.#signal }).catch(() => undefined);
      }
    }
    this.#endTrouble();
    this.#isRunning = false;
  }

  #endTrouble(): void {
    if (this.#isFailing) this.#events.trouble(null);
    this.#isFailing = false;
  }

  /** No more than there is room for, so that a group is not refused whose first batches fit. */
  #takeGroup(): T[] {
    const limit = Math.min(this.#groupBytes, this.log.room);
    let bytes = 0;
    const end = this.#pending.findIndex((batch, index) => {
      bytes += batch.bytes?.length ?? 0;
      return index > 0 && bytes > limit;
    });
    return this.#pending.splice(0, end < 0 ? this.#pending.length : end);
  }
}

/** @param work the one that failed, for the reason of an error that is neither the limit nor a full disk */
export function troubleOf(error: unknown, work = 'the spool’s disk fails'): DiskTrouble {
  if (error instanceof SpoolFullError) return { cause: 'limit', reason: error.message };
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return { cause: 'disk-full', reason: 'the spool’s disk is full' };
  return { cause: 'disk', reason: `${work}: ${code ?? message}` };
}
