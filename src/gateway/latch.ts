// Turns a condition that may flicker into one that does not: it begins after the condition has held for a while, and ends
// after it has not held for a while.

export class Latch {
  readonly #beginsAfterMs: number;
  readonly #endsAfterMs: number;
  #isOn = false;
  /** Since when the condition has been other than #isOn. Undefined while they agree. */
  #otherSinceMs: number | undefined;

  constructor({ beginsAfterMs, endsAfterMs }: { beginsAfterMs: number; endsAfterMs: number }) {
    this.#beginsAfterMs = beginsAfterMs;
    this.#endsAfterMs = endsAfterMs;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** @param now monotonic milliseconds */
  note(holds: boolean, now: number): void {
    if (holds === this.#isOn) {
      this.#otherSinceMs = undefined;
      return;
    }
    this.#otherSinceMs ??= now;
    if (now - this.#otherSinceMs < (this.#isOn ? this.#endsAfterMs : this.#beginsAfterMs)) return;
    this.#isOn = holds;
    this.#otherSinceMs = undefined;
  }
}
