// The schedule of an open loop: writes are due at fixed times, however slow the server is. So a stall counts for every
// message that was due during the stall (no coordinated omission).

/** A device, as the schedule sees it. */
export interface Paced {
  readonly takesPart: boolean;
  schedule(dueUs: number, periodUs: number): void;
}

export interface PaceOptions {
  /** When the first write is due, microseconds. */
  readonly startUs: number;
  /** No write is due at or after this time. */
  readonly endUs: number;
  /** Microseconds from one write to the next, over all devices. */
  readonly slotUs: number;
}

/**
 * Each device has one slot in every round. Slots of devices that take no part stay empty. Neighbouring slots belong to
 * devices that are far apart, so if half of the devices are open, half of the slots are used at any time.
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

  /** Schedules all writes that are due by `nowUs`. Returns the time of the next write, or undefined after the last. */
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

/** Near the golden section. Without a common divisor with `count`, so each round has every device once. */
function strideFor(count: number): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  let stride = Math.max(1, Math.round(count * 0.618));
  while (divisor(stride, count) !== 1) stride++;
  return stride;
}
