// The figures of all processes together. How a figure adds up, and whether it outlives its process, is in
// admin/figures.ts.
import { emptyFigures, mapFigures } from '../admin/figures.ts';
import type { Figures } from '../admin/snapshot.ts';
import type { StopResult } from '../gateway/stop-result.ts';

type Records = StopResult['records'];

/** @param all at least one; `retired` ones of crashed processes may be among them */
export function sumOf(all: readonly [Figures, ...Figures[]]): Figures {
  const [{ version, at }] = all;
  return {
    version,
    at,
    uptimeSeconds: Math.max(...all.map(({ uptimeSeconds }) => uptimeSeconds)),
    ...mapFigures(({ merge }, read) => merge(all.map(read))),
  };
}

/** A crashed process keeps its totals, so that no counter falls, and holds nothing. */
export function retired(last: Figures): Figures {
  const kept = mapFigures(({ outlives, empty }, read) => (outlives ? read(last) : empty));
  const { records, lines } = last;
  const lost = records.open + records.inFlight + records.spooled;
  return {
    ...last,
    ...kept,
    uptimeSeconds: 0,
    // The balances have to hold without the lines and records that the process held.
    lines: { ...kept.lines, received: lines.received - lines.waiting },
    records: { ...kept.records, abandoned: records.abandoned + lost },
  };
}

/** What a process left that ended without a report, according to its last figures. */
export function leftBy(last: Figures | undefined): Pick<StopResult, 'records' | 'spoolBytes'> {
  return { records: last?.records ?? emptyFigures().records, spoolBytes: last?.spool.bytes ?? 0 };
}

/** If one process gave no number, the sum is unknown: any number would be too low. */
export function sumOfStops(results: readonly StopResult[]): StopResult {
  const counts = results.map(({ unconfirmed }) => unconfirmed);
  const known = counts.filter((count) => count !== 'unknown');
  return {
    complete: results.every(({ complete }) => complete),
    unconfirmed: known.length < counts.length ? 'unknown' : known.reduce((sum, count) => sum + count, 0),
    refusal: results.find(({ refusal }) => refusal !== null)?.refusal ?? null,
    records: sumOfRecords(results.map(({ records }) => records)),
    spoolBytes: results.reduce((sum, { spoolBytes }) => sum + spoolBytes, 0),
  };
}

function sumOfRecords(all: readonly Records[]): Records {
  const names = Object.keys(emptyFigures().records) as (keyof Records)[];
  const sum = (name: keyof Records) => all.reduce((total, records) => total + records[name], 0);
  return Object.fromEntries(names.map((name) => [name, sum(name)])) as unknown as Records;
}
