// The one picture of the running gateway. The statistics line, /stats, /metrics and /readyz all read it, and nobody
// keeps a second set of figures.
import type { FigureValues } from './figures.ts';

export interface Snapshot extends FigureValues {
  readonly version: string;
  /** ISO 8601, when the snapshot was taken. */
  readonly at: string;
  readonly uptimeSeconds: number;
  readonly readiness: Readiness;
}

/** Whether devices are served; if not, each reason in words that an operator can act on. */
export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

/** There are no figures yet: no server process has started. */
export class NotStartedError extends Error {
  readonly code = 'NOT_STARTED';
  readonly retriable = true;

  constructor() {
    super('the gateway is starting');
  }
}
