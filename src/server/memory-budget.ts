// The bytes that all connections of a process hold: unfinished lines, lines that wait, and unsent replies. If they come
// near the limit, those that hold most are paused, and at the limit closed. A device that holds little feels nothing.

/** A connection as the budget sees it. Only the budget writes its fields. */
export interface MemoryHolder {
  /** Its bytes as of the last call of charge(). */
  chargedBytes: number;
  /** Connections are sorted by the power of two of their bytes. -1 = holds too little to matter. */
  sizeClass: number;
  /** Is not read any more until resumeForMemory(). */
  pauseForMemory(): void;
  resumeForMemory(): void;
  /** Frees its memory and ends. */
  overloaded(): void;
}

/** A connection that holds less is never paused or closed: closing it would free next to nothing. */
const MIN_BYTES = 1024;
const CLASSES = 32;
/** Shares of the capacity. Above `pause` the largest holders are paused, below `resume` they are read again. */
const PAUSE = 3 / 4;
const RESUME = 1 / 2;
/** The share of the capacity for which room is made at once, so that scans are rare. */
const STEP = 1 / 16;
/** Connections that are read again in one turn of the event loop. */
const RESUME_SLICE = 256;

export class MemoryBudget {
  readonly capacity: number;
  #used = 0;
  // By size class. The largest are found without a scan of all connections.
  readonly #classes: Set<MemoryHolder>[] = Array.from({ length: CLASSES }, () => new Set());
  readonly #paused = new Set<MemoryHolder>();
  #pauseAbove: number;
  #isClosing = false;
  #isResuming = false;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#pauseAbove = PAUSE * capacity;
  }

  get used(): number {
    return this.#used;
  }

  /** The holder has `bytes` now. May pause or close this holder or others. */
  charge(holder: MemoryHolder, bytes: number): void {
    this.#used += bytes - holder.chargedBytes;
    holder.chargedBytes = bytes;
    const sizeClass = bytes < MIN_BYTES ? -1 : CLASSES - 1 - Math.clz32(bytes);
    if (sizeClass !== holder.sizeClass) {
      this.#classes[holder.sizeClass]?.delete(holder);
      this.#classes[sizeClass]?.add(holder);
      holder.sizeClass = sizeClass;
    }
    if (this.#used > this.#pauseAbove) this.#relieve();
    else if (this.#paused.size > 0 && !this.#isResuming) this.#resume();
  }

  /** The holder has ended. */
  forget(holder: MemoryHolder): void {
    this.#paused.delete(holder);
    this.charge(holder, 0);
  }

  #relieve(): void {
    if (this.#isClosing) return;
    if (this.#used > this.capacity) this.#close();
    if (this.#used <= PAUSE * this.capacity) return;
    this.#pauseAbove = Math.min(this.capacity, this.#used + STEP * this.capacity);
    // Those that hold half of the bytes. The others can hardly double theirs before the next step.
    let left = this.#used / 2;
    for (const holder of this.#largestFirst()) {
      if (left <= 0) break;
      left -= holder.chargedBytes;
      if (this.#paused.has(holder)) continue;
      this.#paused.add(holder);
      holder.pauseForMemory();
    }
  }

  #close(): void {
    this.#isClosing = true;
    for (const holder of this.#largestFirst()) {
      if (this.#used <= (1 - STEP) * this.capacity) break;
      this.#paused.delete(holder);
      holder.overloaded();
    }
    this.#isClosing = false;
  }

  #resume(): void {
    // Holders charge within resumeForMemory(). That must not begin another round: with thousands the stack would overflow.
    this.#isResuming = true;
    if (this.#used < RESUME * this.capacity) {
      this.#pauseAbove = PAUSE * this.capacity;
      let left = RESUME_SLICE;
      for (const holder of this.#paused) {
        if (left-- === 0) {
          setImmediate(() => this.#resume());
          return;
        }
        this.#paused.delete(holder);
        holder.resumeForMemory();
      }
    }
    this.#isResuming = false;
  }

  *#largestFirst(): Iterable<MemoryHolder> {
    for (const holders of this.#classes.toReversed()) yield* holders;
  }
}
