// A loop's sleep that others can end. raise() ends the current wait or, if nobody waits, the next one, so no wake-up is
// lost between checking a condition and waiting for it.

export class WakeUp {
  #isRaised = false;
  #waiters: (() => void)[] = [];

  raise(): void {
    if (this.#waiters.length === 0) this.#isRaised = true;
    for (const wake of this.#waiters.splice(0)) wake();
  }

  /** Resolves once raise() is called, or after `ms`. */
  wait(ms?: number): Promise<void> {
    if (this.#isRaised) {
      this.#isRaised = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const wake = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiters.push(wake);
      if (ms === undefined) return;
      timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((other) => other !== wake);
        resolve();
      }, ms);
      // The wait itself must not keep the process alive.
      timer.unref();
    });
  }
}
