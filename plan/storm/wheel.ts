// The events of devices, in slots of a millisecond. A device has one event at most, so the slots are lists through two
// arrays, and to add, move or remove an event costs the same for a thousand devices and for a million.

const NONE = -1;
/** Milliseconds that an event may lie ahead: a power of two. */
const SLOTS = 2 ** 20;

export class Wheel {
  readonly #heads = new Int32Array(SLOTS).fill(NONE);
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** The slot of a device, or NONE. */
  readonly #slot: Int32Array;
  #nowMs = 0;
  #size = 0;

  constructor(devices: number) {
    this.#next = new Int32Array(devices).fill(NONE);
    this.#previous = new Int32Array(devices).fill(NONE);
    this.#slot = new Int32Array(devices).fill(NONE);
  }

  /** Events that are to come. */
  get size(): number {
    return this.#size;
  }

  /**
   * Replaces the event of the device. A time that has passed counts as the next millisecond.
   * @throws RangeError beyond 17 minutes
   */
  at(device: number, atMs: number): void {
    this.cancel(device);
    const dueMs = Math.max(Math.ceil(atMs), this.#nowMs + 1);
    if (dueMs - this.#nowMs >= SLOTS) throw new RangeError(`an event lies ${dueMs - this.#nowMs} ms ahead`);
    const slot = dueMs & (SLOTS - 1);
    const head = this.#heads[slot] as number;
    this.#next[device] = head;
    this.#previous[device] = NONE;
    if (head !== NONE) this.#previous[head] = device;
    this.#heads[slot] = device;
    this.#slot[device] = slot;
    this.#size++;
  }

  cancel(device: number): void {
    const slot = this.#slot[device] as number;
    if (slot === NONE) return;
    const [next, previous] = [this.#next[device] as number, this.#previous[device] as number];
    if (previous === NONE) this.#heads[slot] = next;
    else this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
    this.#slot[device] = NONE;
    this.#size--;
  }

  /** Goes to this millisecond and calls `fire` for each event that is due in it. */
  advance(nowMs: number, fire: (device: number) => void): void {
    this.#nowMs = nowMs;
    const slot = nowMs & (SLOTS - 1);
    for (let device = this.#heads[slot] as number; device !== NONE; device = this.#heads[slot] as number) {
      this.cancel(device);
      fire(device);
    }
  }
}
