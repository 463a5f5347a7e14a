// A snapshot whose lines and records balance. Figures that no test looks at are empty.
import { emptyFigures } from '../../src/admin/figures.ts';
import type { Figures, Snapshot } from '../../src/admin/snapshot.ts';

const CONNECTIONS = { active: 12, maximum: 10_000, identified: 11, uniqueZipcodes: 9, scheduledTimers: 24 };
const RECORDS = { accepted: 990, open: 10, inFlight: 20, spooled: 30, confirmed: 929, deadLettered: 1 };

export function sampleSnapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return { ...sampleFigures(), readiness: { ready: true, reasons: [] }, components: [], ...changes };
}

export function sampleFigures(changes: Partial<Figures> = {}): Figures {
  const empty = emptyFigures();
  return {
    ...empty,
    version: '1.2.3',
    at: '2026-11-21T08:00:00.000Z',
    uptimeSeconds: 100,
    connections: { ...empty.connections, ...CONNECTIONS },
    lines: {
      ...empty.lines,
      received: 1008,
      accepted: 1000,
      waiting: 5,
      refused: { ...empty.lines.refused, invalid_json: 2, queue_full: 1, identify_timeout: 4 },
      refusedLines: 3,
    },
    tls: { ...empty.tls, daysLeft: { cert: 60, ca: 900 }, lifetimeDays: { cert: 90, ca: 3650 } },
    queue: { ...empty.queue, depth: 7, capacity: 2000 },
    records: { ...empty.records, ...RECORDS },
    kafka: {
      ...empty.kafka,
      partitions: 6,
      bufferBytes: 4096,
      oldestUnconfirmedSeconds: 0.25,
      throttledSeconds: 1.5,
    },
    process: {
      ...empty.process,
      residentBytes: 8e7,
      heapUsedBytes: 3e7,
      cpuSeconds: 2.5,
      eventLoopLagP99Seconds: 0.003,
    },
    ...changes,
  };
}
