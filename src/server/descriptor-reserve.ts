// Keeps some descriptors for the spool and the admin port. When the process has run out of them, these are released, and
// no device may take them. It opens and closes nothing else.
import { closeSync, openSync } from 'node:fs';
import type { Logger } from 'pino';

/** Enough for new segments of the spool, connections to brokers and a few scrapes. */
const RESERVED = 32;
/** So many descriptors have to be free before the reserve is taken again, or it would come and go. */
const FREE_BEFORE_TAKEN = 2 * RESERVED;
const CHECK_MS = 500;

export class DescriptorReserve {
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  #held: number[] = [];
  #exhausted = false;

  constructor(log: Logger) {
    this.#log = log;
    this.#held = openMany(RESERVED);
    this.#timer = setInterval(() => this.#check(), CHECK_MS);
    this.#timer.unref();
  }

  /** True while the reserve is released: whoever opens something now takes it from the spool. */
  get exhausted(): boolean {
    return this.#exhausted;
  }

  close(): void {
    clearInterval(this.#timer);
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
      this.#log.info('There are open files to spare again, new devices are accepted');
    } else if (!isEnough && !this.#exhausted) {
      this.#exhausted = true;
      closeAll(this.#held);
      this.#held = [];
      this.#log.error(
        'The process has run out of open files (ulimit -n): new devices are turned away, so that the spool and the admin port have what is left',
      );
    }
    closeAll(opened);
  }
}

/** As many descriptors as there are, up to `count`. */
function openMany(count: number): number[] {
  const opened: number[] = [];
  try {
    while (opened.length < count) opened.push(openSync('/dev/null', 'r'));
  } catch {
    // EMFILE or ENFILE: that is the answer.
  }
  return opened;
}

function closeAll(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) closeSync(descriptor);
}
