// The schedule of an open loop: writes are due at fixed times, whatever the server does. A server that stalls is
// charged for every message it would have got meanwhile (no coordinated omission).

/** What has something due; a device, for the schedule. */
export interface Paced {
  readonly takesPart: boolean;
  schedule(dueUs: number, periodUs: number): void;
}

export interface PaceOptions {
  /** When the first write is due, microseconds. */
  readonly startUs: number;
  /** No write is due from then on. */
  readonly endUs: number;
  /** Microseconds between two writes of all. */
  readonly slotUs: number;
}

/**
 * Each device has its slot in every round; those that take no part leave theirs empty. Slots that follow each other
 * belong to devices far apart, so that with half of the devices open half of the slots are used at any time.
 */
export class Pace {
  readonly #options: PaceOptions;
  readonly #devices: readonly Paced[];
  readonly #stride: number;
  #slot = 0;
  #turn = 0;

  constructor(devices: readonly Paced[], options: PaceOptions) {
    this.#devices = devices;
    this.#options = options;
    this.#stride = strideFor(devices.length);
  }

  /** Tells the devices what has become due. Answers when the next write is, undefined after the last. */
  advance(nowUs: number): number | undefined {
    const { startUs, endUs, slotUs } = this.#options;
    const periodUs = slotUs * this.#devices.length;
    for (;;) {
      const dueUs = startUs + this.#slot * slotUs;
      if (dueUs >= endUs) return undefined;
      if (dueUs > nowUs) return dueUs;
      const device = this.#devices[this.#turn] as Paced;
      this.#turn = (this.#turn + this.#stride) % this.#devices.length;
      this.#slot++;
      if (device.takesPart) device.schedule(Math.round(dueUs), periodUs);
    }
  }
}

/** Near the golden section and without a common divisor, so that a round meets everybody once. */
function strideFor(count: number): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  let stride = Math.max(1, Math.round(count * 0.618));
  while (divisor(stride, count) !== 1) stride++;
  return stride;
}
