// Lets TLS connections take turns that send tiny records. A record costs about 3 us however small it is, and one read may
// bring hundreds of them, so a few such connections would hold the event loop. It reads nothing itself.

/** A connection may send so many records, */
const MAX_RECORDS = 256;
/** unless they come faster than in this time. Then it has to wait for its turn. */
const FAST_MS = 5;
/** Connections that go on in one turn of the event loop. Each has one read. */
const RESUMED = 2;

export class RecordTurns {
  /** First come, first served. */
  readonly #waiting = new Set<() => void>();

  /** Calls back in a later turn of the event loop. */
  wait(goOn: () => void): void {
    if (this.#waiting.size === 0) setImmediate(() => this.#next());
    this.#waiting.add(goOn);
  }

  #next(): void {
    let left = RESUMED;
    for (const goOn of this.#waiting) {
      if (left-- === 0) break;
      this.#waiting.delete(goOn);
      goOn();
    }
    if (this.#waiting.size > 0) setImmediate(() => this.#next());
  }
}

/** Counts the records of one connection. */
export class RecordCount {
  #records = 0;
  #sinceMs = 0;

  /** A record came. True if the connection has to wait. */
  add(): boolean {
    if (this.#records === 0) this.#sinceMs = performance.now();
    if (++this.#records < MAX_RECORDS) return false;
    this.#records = 0;
    return performance.now() - this.#sinceMs < FAST_MS;
  }
}

/** One for the process. */
export const recordTurns = new RecordTurns();
