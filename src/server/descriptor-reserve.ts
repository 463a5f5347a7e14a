// Keeps some descriptors for the spool and the admin port. When the process has run out of them, these are released, and
// no device may take them. It opens and closes nothing else.
import { closeSync, openSync } from 'node:fs';
import type { Log } from '../log/log.ts';
import { beat } from '../time/beat.ts';
import { openFilesLimit, RESERVED_DESCRIPTORS } from './limits.ts';

/** Enough for new segments of the spool, connections to brokers and a few scrapes. */
const RESERVED = 32;
/** The reserve is taken again only if this many descriptors are free. With fewer it would soon be released again. */
const FREE_BEFORE_TAKEN = 2 * RESERVED;

export class DescriptorReserve {
  readonly #log: Log;
  readonly #endBeat: () => void;
  #held: number[] = [];
  #exhausted = false;
  /** The highest descriptor of a connection. The system gives the lowest that is free, so those above were never used. */
  #highest = 0;
  /** Highest descriptors with which many are free. Undefined after each beat: the limit on open files may have changed. */
  #plentyBelow: number | undefined;

  constructor(log: Log) {
    this.#log = log;
    this.#held = openMany(RESERVED);
    this.#endBeat = beat.follow(() => {
      this.#plentyBelow = undefined;
      this.#check();
    });
  }

  /** True while the reserve is released: a new device would take a descriptor from the spool. */
  get exhausted(): boolean {
    return this.#exhausted;
  }

  /**
   * A connection has this descriptor. If fewer than RESERVED_DESCRIPTORS may be left, looks at once whether one is: a
   * hundred devices can come between two beats, and without a descriptor the admin port answers nobody until the next one.
   */
  accepted(descriptor: number): void {
    if (descriptor > this.#highest) this.#highest = descriptor;
    this.#plentyBelow ??= (openFilesLimit() ?? 0) - RESERVED_DESCRIPTORS;
    if (this.#highest >= this.#plentyBelow && !this.#exhausted) this.#check();
  }

  close(): void {
    this.#endBeat();
    closeAll(this.#held);
    this.#held = [];
  }

  #check(): void {
    const wanted = this.#exhausted ? FREE_BEFORE_TAKEN : 1;
    const opened = openMany(wanted);
    const isEnough = opened.length === wanted;
    if (isEnough && this.#exhausted) {
      this.#exhausted = false;
      this.#held = opened.splice(0, RESERVED);
      this.#log.write('open_files_available');
    } else if (!isEnough && !this.#exhausted) {
      this.#exhausted = true;
      closeAll(this.#held);
      this.#held = [];
      this.#log.write('open_files_exhausted');
    }
    closeAll(opened);
  }
}

/** Opens `count` descriptors, or as many as are left. */
function openMany(count: number): number[] {
  const opened: number[] = [];
  try {
    while (opened.length < count) opened.push(openSync('/dev/null', 'r'));
  } catch {
    // EMFILE or ENFILE: none is left.
  }
  return opened;
}

function closeAll(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) closeSync(descriptor);
}
