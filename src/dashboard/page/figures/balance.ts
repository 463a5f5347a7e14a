// The balances of the gateway as ledgers: all that came in, and each place that has it now. They add up at any moment.
import type { SnapshotShape } from '../api/shapes.ts';

export interface Entry {
  readonly label: string;
  readonly value: number;
  /** The section of the page, or the term, that explains it. */
  readonly target: string;
  /** An operator should look at it if it is not 0. */
  readonly isBad?: boolean;
}

export interface Ledger {
  readonly title: string;
  readonly unit: string;
  readonly incoming: readonly Entry[];
  readonly places: readonly Entry[];
  readonly total: number;
  /** Incoming less the places. Anything but 0 is a bug of the gateway. */
  readonly difference: number;
}

export function linesLedger({ lines }: SnapshotShape): Ledger {
  return ledger('Lines', 'lines', {
    incoming: [{ label: 'Received', value: lines.received, target: 'term-received' }],
    places: [
      { label: 'Accepted', value: lines.accepted, target: 'term-accepted' },
      { label: 'Refused', value: lines.refusedLines, target: 'refusals' },
      { label: 'Waiting', value: lines.waiting, target: 'term-waiting' },
    ],
  });
}

export function recordsLedger({ records }: SnapshotShape): Ledger {
  return ledger('Records', 'records', {
    incoming: [
      { label: 'Accepted', value: records.accepted, target: 'term-records' },
      { label: 'Recovered', value: records.recovered, target: 'term-recovered' },
    ],
    places: [
      { label: 'Stored in Kafka', value: records.confirmed, target: 'term-stored' },
      { label: 'In the spool', value: records.spooled, target: 'spool' },
      { label: 'In flight', value: records.inFlight, target: 'term-in-flight' },
      { label: 'Open', value: records.open, target: 'term-open' },
      { label: 'Dead-lettered', value: records.deadLettered, target: 'term-dead-lettered', isBad: true },
      { label: 'Damaged', value: records.damaged, target: 'term-damaged', isBad: true },
      { label: 'Abandoned', value: records.abandoned, target: 'term-abandoned', isBad: true },
    ],
  });
}

export function connectionsLedger({ connections }: SnapshotShape): Ledger {
  const { active, waiting, stages } = connections;
  const stage = (name: string) => stages[name] ?? 0;
  return ledger('Connections', 'connections', {
    incoming: [{ label: 'Open', value: active + waiting, target: 'connections' }],
    places: [
      { label: 'Identified', value: stage('identified'), target: 'term-identified' },
      { label: 'Before identify', value: stage('identify'), target: 'term-identified' },
      { label: 'TLS handshake', value: stage('tls'), target: 'term-tls' },
      { label: 'Waiting for a place', value: stage('proxy') + stage('place'), target: 'term-place' },
    ],
  });
}

function ledger(
  title: string,
  unit: string,
  { incoming, places }: { incoming: readonly Entry[]; places: readonly Entry[] },
): Ledger {
  const sum = (entries: readonly Entry[]) => entries.reduce((total, { value }) => total + value, 0);
  const total = sum(incoming);
  return { title, unit, incoming, places, total, difference: total - sum(places) };
}
