// Keeps some descriptors for the spool and the admin port. When the process has run out of them, these are released, and
// no device may take them. It opens and closes nothing else.
import { closeSync, openSync } from 'node:fs';
import type { Log } from '../log/log.ts';
import { beat } from '../time/beat.ts';

/** Enough for new segments of the spool, connections to brokers and a few scrapes. */
const RESERVED = 32;
/** The reserve is taken again only if this many descriptors are free. With fewer it would soon be released again. */
const FREE_BEFORE_TAKEN = 2 * RESERVED;
/** Connections that take this many descriptors between two beats are checked between them. */
const CHECK_AFTER_ACCEPTS = 256;

export class DescriptorReserve {
  readonly #log: Log;
  readonly #endBeat: () => void;
  #held: number[] = [];
  #exhausted = false;
  #accepted = 0;

  constructor(log: Log) {
    this.#log = log;
    this.#held = openMany(RESERVED);
    this.#endBeat = beat.follow(() => this.#check());
  }

  /** True while the reserve is released: a new device would take a descriptor from the spool. */
  get exhausted(): boolean {
    return this.#exhausted;
  }

  /** A connection has taken a descriptor. */
  accepted(): void {
    if (++this.#accepted >= CHECK_AFTER_ACCEPTS) this.#check();
  }

  close(): void {
    this.#endBeat();
    closeAll(this.#held);
    this.#held = [];
  }

  #check(): void {
    this.#accepted = 0;
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
