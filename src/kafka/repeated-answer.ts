// Whether brokers go on giving an answer that takes something away (the topic is gone, partitions are fewer). A single
// broker with old metadata gives such an answer too, and believing it would create a topic or place a whole spool again.

export interface RepeatedAnswerOptions {
  /** The same answer has to come so many times in a row. */
  readonly times: number;
  /** And for so long, milliseconds. */
  readonly forMs: number;
}

export class RepeatedAnswer {
  readonly #now: () => number;
  #answer: string | undefined;
  #times = 0;
  #sinceMs = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Counts the answer, and says whether it has come often and long enough to be believed. */
  isConfirmed(answer: string, { times, forMs }: RepeatedAnswerOptions): boolean {
    if (answer !== this.#answer) {
      this.#answer = answer;
      this.#times = 0;
      this.#sinceMs = this.#now();
    }
    this.#times++;
    return this.#times >= times && this.#now() - this.#sinceMs >= forMs;
  }

  /** Another answer came. */
  clear(): void {
    this.#answer = undefined;
  }
}
