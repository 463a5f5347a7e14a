// The two ways in which a rule can end other than well.

/** The bytes on the connection of a failed rule, shortened for people. */
export interface Exchange {
  readonly sent: readonly string[];
  readonly came: readonly string[];
}

/** The gateway breaks the rule. */
export class Failed extends Error {
  /** The reply that was due, or a sentence. */
  readonly expected: string;
  readonly exchange: Exchange;

  constructor(expected: string, exchange: Exchange) {
    super(expected);
    this.expected = expected;
    this.exchange = exchange;
  }
}

/** The rule cannot be judged here. The message says why. */
export class NotChecked extends Error {}
