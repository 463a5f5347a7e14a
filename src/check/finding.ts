// A finding of `sluice check`: a fact about the settings, this machine or Kafka, and its effect on the gateway. How
// findings are shown is not decided here.

/** From the best to the worst. A note is no fault: something that is worth knowing, or that could not be found out. */
export const LEVELS = ['ok', 'note', 'warning', 'error'] as const;

export type Level = (typeof LEVELS)[number];

export interface Finding {
  readonly level: Level;
  /** A name that stays the same for ever, for programs. Of a finding that is also a log line, the line's name. */
  readonly name: string;
  readonly what: string;
  /** The effect on the data or the devices. */
  readonly why?: string | undefined;
  /** The next step, to be typed or set. Each error and each warning has it. */
  readonly remedy?: string | undefined;
  /** Each error has it. */
  readonly effect?: Effect | undefined;
}

/** Of an error, the worst first. `docs/operating.md` explains them. */
export const EFFECTS = ['start_refused', 'records_wait', 'connections_refused', 'unknown'] as const;

export type Effect = (typeof EFFECTS)[number];

export function ok(name: string, what: string): Finding {
  return { level: 'ok', name, what };
}

type Words = Omit<Finding, 'level'>;
type Advice = Words & { readonly remedy: string; readonly why: string };

export const note = (words: Words): Finding => ({ level: 'note', ...words });
export const warning = (words: Advice): Finding => ({ level: 'warning', ...words });
export const error = (effect: Effect, words: Advice): Finding => ({ level: 'error', ...words, effect });
