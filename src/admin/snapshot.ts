// The one picture of the running gateway. The statistics line, /stats, /metrics, /health and /readyz all read it, and
// nobody keeps a second set of figures.
import type { Component } from '../health/component.ts';
import type { FigureValues } from './figures.ts';

/** The figures of one process, or of several together. */
export interface Figures extends FigureValues {
  readonly version: string;
  /** ISO 8601, when the figures were read. */
  readonly at: string;
  readonly uptimeSeconds: number;
}

/** The figures of the whole gateway, and all that follows from them. */
export interface Snapshot extends Figures {
  readonly readiness: Readiness;
  /** Each component once. */
  readonly components: readonly Component[];
}

/** Whether data sent now would be kept; if not, each reason in words that an operator can act on. */
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
