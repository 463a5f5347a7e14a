// The form of the health of a component: its state, the finding that it follows from, the reason and the remedy. It
// imports nothing, so that the snapshot can hold components.

/**
 * - `ok`: works as it should.
 * - `degraded`: works in part, or will not for long.
 * - `failed`: does not do its work. Whether data is kept all the same is another question (readiness.ts).
 * - `unknown`: nothing is known that would tell.
 */
export type State = 'ok' | 'degraded' | 'failed' | 'unknown';

/** One thing that can be found out about a component, with words for docs/operations.md. */
export interface Finding {
  readonly state: State;
  /** The meaning for the data and for devices. */
  readonly meaning: string;
  /** How to see more: a command, a page of the admin port or a metric. */
  readonly look?: string;
  /** The advice. Findings of the state `ok` have none. */
  readonly remedy?: string;
}

/** The health of one component at one moment. */
export interface Component {
  /** `kafka`, or with the name of a topic `topic weather-metrics`. Unique in a snapshot. */
  readonly id: string;
  readonly state: State;
  /** A name in the table of findings, such as `login_refused`. It stays the same while the reason changes. */
  readonly finding: string;
  /** All that is known now, in words and numbers. */
  readonly reason: string;
  /** The advice; null if nobody has to do anything. */
  readonly remedy: string | null;
}
