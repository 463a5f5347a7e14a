// Lets work of one kind through one by one, and few of them wait: clients of the admin port may ask as fast as they can.

/** How many may wait. Together they leave some of QUESTION_LIMITS.maxWaiting to other questions. */
export const MAX_WAITING = { connections: 4, kicks: 15 } as const;

export class Gate {
  readonly #maxWaiting: number;
  #inside = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting;
  }

  /** Undefined if too many wait: the work is not begun. */
  enter<T>(work: () => Promise<T>): Promise<T> | undefined {
    if (this.#inside > this.#maxWaiting) return undefined;
    this.#inside++;
    const result = this.#last.then(work).finally(() => {
      this.#inside--;
    });
    this.#last = result.catch(() => {});
    return result;
  }
}
