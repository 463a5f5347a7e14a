// Looks once a second at conditions that may last for moments only, so that the health of the gateway does not flap: a finding begins
// after a condition has held for a while, and ends after it has not for a while. Also measures the spool's growth and the
// free space of its disk. It decides nothing.
import { statfs } from 'node:fs/promises';
import type { Kafka } from '../kafka/kafka.ts';
import type { JobSink } from '../queue/job.ts';
import type { DiskTrouble } from '../spool/partition-spool.ts';
import { beat } from '../time/beat.ts';
import { Growth } from './growth.ts';
import { Latch } from './latch.ts';

/** A hanging network disk answers late, so nobody waits for it. */
const STATFS_EVERY_MS = 10_000;
/** Asked earlier if the spool has taken this share of the free space since: a small disk would be full before its warning. */
const STATFS_SHARE = 1 / 20;

export interface HealthWatchOptions {
  readonly kafka: Kafka;
  readonly sink: JobSink;
  /** SPOOL_DIR of this process. */
  readonly directory: string;
}

export class HealthWatch {
  readonly #options: HealthWatchOptions;
  readonly #bufferFull = new Latch({ beginsAfterMs: 2_000, endsAfterMs: 5_000 });
  readonly #queueFull = new Latch({ beginsAfterMs: 5_000, endsAfterMs: 5_000 });
  readonly #throttled = new Latch({ beginsAfterMs: 0, endsAfterMs: 10_000 });
  readonly #refused = new Latch({ beginsAfterMs: 0, endsAfterMs: 5_000 });
  readonly #growth = new Growth();
  readonly #endBeat: () => void;
  #refusal: DiskTrouble | null = null;
  #freed = 0;
  #throttledMs = 0;
  #freeBytes: number | null = null;
  #askedDiskAtMs = Number.NEGATIVE_INFINITY;
  #bytesWhenAsked = 0;
  #isAskingDisk = false;

  constructor(options: HealthWatchOptions) {
    this.#options = options;
    this.#endBeat = beat.follow(() => this.#look());
  }

  /** Memory for unconfirmed records has had no room for 2 s, and nothing has left it. */
  get isBufferFull(): boolean {
    return this.#bufferFull.isOn;
  }

  get isQueueFull(): boolean {
    return this.#queueFull.isOn;
  }

  /** A broker made us wait within the last 10 s. */
  get isThrottled(): boolean {
    return this.#throttled.isOn;
  }

  /** The last write that the disk or the limit refused, until none has been refused for 5 s. */
  get refusal(): DiskTrouble | null {
    // Now, because a refusal since the last look would pass for a disk that cannot be read.
    const present = this.#noteRefusal(performance.now());
    if (this.#refusal === null || !this.#refused.isOn) return present;
    // The write is tried twice a second, so it may have been refused before the spool became empty.
    const isEmpty = this.#options.kafka.spoolCap.bytes === 0;
    if (present !== null && !(present.cause === 'limit' && isEmpty)) return present;
    const { cause, reason } = this.#refusal;
    return { cause, reason: `${reason} (until a moment ago; this state ends when it has been over for 5 s)` };
  }

  get growthBytesPerSecond(): number {
    return this.#growth.perSecond;
  }

  /** Of the spool's disk; null if it is not known. */
  get freeBytes(): number | null {
    return this.#freeBytes;
  }

  stop(): void {
    this.#endBeat();
  }

  #look(): void {
    const { kafka, sink } = this.#options;
    const now = performance.now();
    const { budget, cluster, spoolCap } = kafka;
    this.#bufferFull.note(!budget.hasRoom() && budget.freed === this.#freed, now);
    this.#freed = budget.freed;
    const { depth, capacity, bytes, capacityBytes } = sink.stats;
    this.#queueFull.note(depth >= capacity || bytes >= capacityBytes, now);
    const throttledMs = cluster?.throttledMs ?? 0;
    this.#throttled.note(throttledMs > this.#throttledMs || (cluster?.throttled ?? false), now);
    this.#throttledMs = throttledMs;
    this.#noteRefusal(now);
    this.#growth.note(spoolCap.bytes, now);
    const taken = spoolCap.bytes - this.#bytesWhenAsked;
    const isOutdated = this.#freeBytes !== null && taken > this.#freeBytes * STATFS_SHARE;
    if (now - this.#askedDiskAtMs >= STATFS_EVERY_MS || isOutdated) void this.#askDisk(now);
  }

  /** @returns the refusal of the last try; null if it was written */
  #noteRefusal(now: number): DiskTrouble | null {
    const present = this.#options.kafka.readings.spoolRefusal;
    this.#refused.note(present !== null, now);
    this.#refusal = present ?? this.#refusal;
    return present;
  }

  async #askDisk(now: number): Promise<void> {
    if (this.#isAskingDisk) return;
    this.#isAskingDisk = true;
    this.#askedDiskAtMs = now;
    this.#bytesWhenAsked = this.#options.kafka.spoolCap.bytes;
    try {
      const { bavail, bsize } = await statfs(this.#options.directory);
      this.#freeBytes = bavail * bsize;
    } catch {
      this.#freeBytes = null;
    }
    this.#isAskingDisk = false;
  }
}
