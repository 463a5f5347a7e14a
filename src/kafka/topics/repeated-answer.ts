// Decides whether to believe an answer by which a topic is gone or has lost partitions. A broker with old metadata gives
// such answers as often as it is asked. So there must be several in a row, over some time and from different brokers.
// Topic ids would settle it at once, but kafkajs 2.2.4 does not read them (docs/decisions/0022).

/** The evidence that is needed to believe an answer. */
export interface Evidence {
  /** Number of equal answers in a row. */
  readonly times: number;
  /** Milliseconds from the first of them to the last. */
  readonly forMs: number;
  /** The same if only one broker gives the answer; Infinity = one broker is never enough. */
  readonly fromOneForMs: number;
}

/** `one-broker`: the answer would be believed if a second broker gave it. */
export type Verdict = 'doubted' | 'one-broker' | 'believed';

export class RepeatedAnswer {
  readonly #now: () => number;
  #answer: string | undefined;
  #times = 0;
  #sinceMs = 0;
  readonly #from = new Set<number>();

  /** @param now monotonic milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Node ids of the brokers that gave the doubted answer; empty if there is none. */
  get from(): ReadonlySet<number> {
    return this.#from;
  }

  /**
   * Counts an answer.
   * @param from node id of the broker that gave it. An unknown one (undefined) does not count as a second broker
   */
  hear(answer: string, from: number | undefined, { times, forMs, fromOneForMs }: Evidence): Verdict {
    if (answer !== this.#answer) {
      this.clear();
      this.#answer = answer;
      this.#sinceMs = this.#now();
    }
    this.#times++;
    if (from !== undefined) this.#from.add(from);
    const heardForMs = this.#now() - this.#sinceMs;
    if (this.#times < times || heardForMs < forMs) return 'doubted';
    return this.#from.size > 1 || heardForMs >= fromOneForMs ? 'believed' : 'one-broker';
  }

  /** Forgets the doubted answer: another one came. */
  clear(): void {
    this.#answer = undefined;
    this.#times = 0;
    this.#from.clear();
  }
}
