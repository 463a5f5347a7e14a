// The two balances of the gateway: every line and record that came in is counted somewhere, at any moment. It keeps no figure.
import type { FigureValues } from './figures.ts';

/** Lines received that are neither accepted nor refused nor waiting. Anything but 0 is a bug. */
export function unaccountedLines({ lines }: Pick<FigureValues, 'lines'>): number {
  return lines.received - lines.accepted - lines.refusedLines - lines.waiting;
}

/** Records that came in and are in none of the states in which a record can be. Anything but 0 is a bug. */
export function unaccountedRecords({ records }: Pick<FigureValues, 'records'>): number {
  const { accepted, recovered, confirmed, open, inFlight, spooled, deadLettered, damaged, abandoned } =
    records;
  return accepted + recovered - confirmed - open - inFlight - spooled - deadLettered - damaged - abandoned;
}
