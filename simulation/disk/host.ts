// The part of a world that the disk needs. `World` has it; tests of the disk alone bring a smaller one.

/** A simulated process of the operating system, as far as descriptors and locks are concerned. */
export interface DiskProcess {
  readonly pid: number;
  /** Calls this when the process has died. */
  onDeath(end: () => void): void;
}

/** A stream of random numbers of its own. */
export interface DiskRandom {
  /** From 0 up to, but not including, 1. */
  next(): number;
}

export interface DiskHost {
  /** Milliseconds since 1970, for the times of files. */
  readonly wallMs: number;
  /** The process whose code runs now. */
  readonly current: DiskProcess;
  random(name: string): DiskRandom;
  /** Adds a line in words to the trace. */
  note(words: string): void;
  /** Runs `work` later as `owner`, and never if the owner has died. */
  after(delayMs: number, work: () => void, owner?: DiskProcess): unknown;
}
