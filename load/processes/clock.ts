// One clock for all processes of a run: microseconds since 1970 that never jump. The kernel's monotonic clock is
// the same in every process of a machine; only the offset to 1970 is noted once and handed on.

/** Microseconds from the monotonic clock's zero to this process's performance.now() zero. */
const ORIGIN_US = Number(process.hrtime.bigint() / 1000n) - performance.now() * 1000;

export class Clock {
  /** What is to be added to the monotonic clock, microseconds. */
  readonly offsetUs: number;

  /** @param offsetUs another process's, so that both tell the same time; absent: this is the first */
  constructor(offsetUs = Date.now() * 1000 - (ORIGIN_US + performance.now() * 1000)) {
    this.offsetUs = offsetUs;
  }

  /** A whole number of microseconds since 1970. */
  nowUs(): number {
    return Math.floor(performance.now() * 1000 + ORIGIN_US + this.offsetUs);
  }
}
