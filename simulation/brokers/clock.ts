// The time of simulated brokers: that of a world, or, for tests on real sockets, that of this process.

export interface Cancel {
  cancel(): void;
}

export interface BrokerClock {
  /** Monotonic milliseconds. */
  nowMs(): number;
  /** The brokers' wall clock, milliseconds since 1970. */
  wallMs(): number;
  after(delayMs: number, work: () => void): Cancel;
  /** From 0 to below 1. */
  random(): number;
}

/** The clock and the chance of this process. */
export const realClock: BrokerClock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, work) => {
    const timer = setTimeout(work, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  random: () => Math.random(),
};
