// The result of a stop: whether all are safe, and the last figures.
import { emptyFigures, type FigureValues } from '../admin/figures.ts';

export interface StopResult {
  /** True if every accepted record is confirmed or in the spool. */
  readonly complete: boolean;
  /** Accepted records, and lines read but not handled, that are neither. Unknown if a process ended without a report. */
  readonly unconfirmed: number | 'unknown';
  /** Why the spool took no more; null if it did not refuse anything. */
  readonly refusal: string | null;
  /** The last figures. */
  readonly records: FigureValues['records'];
  readonly spoolBytes: number;
}

/** The stop of a process that never served. */
export function nothingToStop(): StopResult {
  const { records } = emptyFigures();
  return { complete: true, unconfirmed: 0, refusal: null, records, spoolBytes: 0 };
}
