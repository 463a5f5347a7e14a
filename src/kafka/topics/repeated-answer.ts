// Whether an answer that takes something away from a topic (it is gone, its partitions are fewer) is believed. A broker
// with old metadata gives such an answer too, as often as it is asked, so it takes several answers in a row, over some
// time, and from different brokers. Topic ids would settle it at once, but kafkajs 2.2.4 does not read them
// (docs/decisions/0022).

/** What is enough to believe an answer. */
export interface Proof {
  /** The same answer has to come so many times in a row. */
  readonly times: number;
  /** And for so long, milliseconds. */
  readonly forMs: number;
  /** So long if it comes from one broker alone, milliseconds; Infinity = one broker is never enough. */
  readonly fromOneForMs: number;
}

/** `one-broker`: it would be believed if a second broker said the same. */
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

  /** Node ids of the brokers that have given the latest answer; empty if no answer is doubted. */
  get from(): ReadonlySet<number> {
    return this.#from;
  }

  /**
   * Counts an answer.
   * @param from node id of the broker that gave it. Undefined = not known, so it is no second broker
   */
  hear(answer: string, from: number | undefined, { times, forMs, fromOneForMs }: Proof): Verdict {
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

  /** Another answer came. */
  clear(): void {
    this.#answer = undefined;
    this.#times = 0;
    this.#from.clear();
  }
}
