// The snapshot of all processes together. How a figure adds up, and whether it outlives its process, is in
// admin/figures.ts.
import { mapFigures } from '../admin/figures.ts';
import type { Snapshot } from '../admin/snapshot.ts';

/** @param snapshots at least one; `retired` ones of crashed processes may be among them */
export function sumOf(snapshots: readonly [Snapshot, ...Snapshot[]]): Snapshot {
  const [{ version, at }] = snapshots;
  const reasons = [...new Set(snapshots.flatMap(({ readiness }) => readiness.reasons))];
  return {
    version,
    at,
    uptimeSeconds: Math.max(...snapshots.map(({ uptimeSeconds }) => uptimeSeconds)),
    readiness: { ready: reasons.length === 0, reasons },
    ...mapFigures(({ merge }, read) => merge(snapshots.map(read))),
  };
}

/** A crashed process keeps its totals, so that no counter falls, and holds nothing. */
export function retired(last: Snapshot): Snapshot {
  const kept = mapFigures(({ outlives, empty }, read) => (outlives ? read(last) : empty));
  const { records, lines } = last;
  const lost = records.open + records.inFlight + records.spooled;
  return {
    ...last,
    ...kept,
    uptimeSeconds: 0,
    readiness: { ready: true, reasons: [] },
    // The balances have to hold without the lines and records that the process held.
    lines: { ...kept.lines, received: lines.received - lines.waiting },
    records: { ...kept.records, abandoned: records.abandoned + lost },
  };
}
