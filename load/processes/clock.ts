// One clock for all processes of a run: microseconds since 1970, without jumps. It adds an offset to the kernel's
// monotonic clock, which all processes of a machine share. The first process takes the offset; the others get it.

/** Where performance.now() of this process begins on the monotonic clock, microseconds. */
const ORIGIN_US = Number(process.hrtime.bigint() / 1000n) - performance.now() * 1000;

export class Clock {
  /** Microseconds between the monotonic clock and 1970. */
  readonly offsetUs: number;

  /** @param offsetUs that of the first process; absent in the first process */
  constructor(offsetUs = Date.now() * 1000 - (ORIGIN_US + performance.now() * 1000)) {
    this.offsetUs = offsetUs;
  }

  /** A whole number of microseconds since 1970. */
  nowUs(): number {
    return Math.floor(performance.now() * 1000 + ORIGIN_US + this.offsetUs);
  }
}
