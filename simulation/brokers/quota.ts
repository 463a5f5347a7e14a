// The quota of bytes that producers may send to a broker in a second (producer_byte_rate), measured as Kafka does: over
// eleven samples of a second, the present one included. Above it, the answer comes at once, says how long the broker will
// read nothing, and the broker keeps to that (KIP-219).

const SAMPLE_MS = 1000;
const SAMPLES = 11;

export class Quota {
  /** Bytes a second; Infinity = no quota. */
  bytesPerSecond = Infinity;
  #samples: { readonly startMs: number; bytes: number }[] = [];

  /** Counts a request. @returns for how many milliseconds its connection is muted */
  record(bytes: number, nowMs: number): number {
    const current = this.#samples.at(-1);
    if (current === undefined || nowMs - current.startMs >= SAMPLE_MS)
      this.#samples.push({ startMs: nowMs, bytes });
    else current.bytes += bytes;
    this.#samples = this.#samples.filter(({ startMs }) => nowMs - startMs < SAMPLES * SAMPLE_MS);
    if (this.bytesPerSecond === Infinity) return 0;
    const sum = this.#samples.reduce((all, sample) => all + sample.bytes, 0);
    // Rate.windowSize: missing samples count as if they had been empty.
    const elapsedMs = nowMs - (this.#samples[0]?.startMs ?? nowMs);
    const whole = Math.floor(elapsedMs / SAMPLE_MS);
    const windowMs = elapsedMs + Math.max(0, SAMPLES - 1 - whole) * SAMPLE_MS;
    const rate = (sum * 1000) / windowMs;
    if (rate <= this.bytesPerSecond) return 0;
    return Math.round(((rate - this.bytesPerSecond) / this.bytesPerSecond) * windowMs);
  }
}
