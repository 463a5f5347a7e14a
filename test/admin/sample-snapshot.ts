// A snapshot with a different figure in every field, balanced as the real one is.
import type { Snapshot } from '../../src/admin/snapshot.ts';
import { CODE_NAMES, type Code } from '../../src/protocol/codes.ts';

const NOTHING_REFUSED = Object.fromEntries(CODE_NAMES.map((code) => [code, 0])) as Record<Code, number>;

export function sampleSnapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    version: '1.2.3',
    at: '2026-11-21T08:00:00.000Z',
    uptimeSeconds: 100,
    readiness: { ready: true, reasons: [] },
    connections: {
      active: 12,
      maximum: 10_000,
      identified: 11,
      accepted: 40,
      paused: 1,
      uniqueZipcodes: 9,
      scheduledTimers: 24,
      receivedBytes: 170_000,
      readRests: 37,
    },
    lines: {
      received: 1008,
      accepted: 1000,
      waiting: 5,
      refused: { ...NOTHING_REFUSED, invalid_json: 2, queue_full: 1, identify_timeout: 4 },
      refusedLines: 3,
    },
    queue: { depth: 7, capacity: 2000, bytes: 1190, capacityBytes: 8_388_608, workers: 8 },
    records: {
      recovered: 0,
      accepted: 990,
      open: 10,
      inFlight: 20,
      spooled: 30,
      confirmed: 929,
      deadLettered: 1,
      damaged: 0,
      abandoned: 0,
    },
    kafka: {
      connected: true,
      partitions: 6,
      batchesConfirmed: 50,
      bytesSent: 90_000,
      retries: 13,
      bufferBytes: 4096,
      bufferCapacityBytes: 67_108_864,
      oldestUnconfirmedSeconds: 0.25,
      lastError: null,
      problems: [],
      heldPartitions: 0,
      throttledSeconds: 1.5,
    },
    spool: {
      bytes: 0,
      capacityBytes: 1024,
      partitions: 0,
      oldestSeconds: 0,
      badBatches: 0,
      batchesWritten: 0,
      trouble: null,
      otherRecords: 0,
      otherTopics: [],
    },
    deadLetters: { sent: 0, dropped: 0, waiting: 0, bytes: 0, problem: null },
    process: {
      residentBytes: 80_000_000,
      heapUsedBytes: 30_000_000,
      cpuSeconds: 2.5,
      eventLoopLagP99Seconds: 0.003,
    },
    processes: { configured: 1, running: 1, restarts: 0, unseen: 0 },
    ...changes,
  };
}
