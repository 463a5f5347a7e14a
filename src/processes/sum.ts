// One picture of all processes: sums, but for what is the worst of them or the same for all.
import { MAX_PROBLEMS, mergeOtherTopics, type Snapshot } from '../admin/snapshot.ts';

/** @param snapshots at least one; those of processes that are no more, by `retired`, may be among them */
export function sumOf(snapshots: readonly [Snapshot, ...Snapshot[]]): Snapshot {
  const [first] = snapshots;
  const max = (read: (s: Snapshot) => number) => Math.max(...snapshots.map(read));
  const reasons = [...new Set(snapshots.flatMap(({ readiness }) => readiness.reasons))];
  return {
    ...first,
    uptimeSeconds: max((s) => s.uptimeSeconds),
    readiness: { ready: reasons.length === 0, reasons },
    connections: sums(snapshots.map((s) => s.connections)),
    lines: {
      ...sums(snapshots.map(({ lines: { refused: _, ...rest } }) => rest)),
      refused: sums(snapshots.map((s) => s.lines.refused)),
    },
    queue: sums(snapshots.map((s) => s.queue)),
    records: sums(snapshots.map((s) => s.records)),
    kafka: {
      ...sums(snapshots.map(({ kafka }) => ({ ...kafka, connected: 0, lastError: 0, problems: 0 }))),
      connected: snapshots.every((s) => s.kafka.connected),
      partitions: max((s) => s.kafka.partitions),
      oldestUnconfirmedSeconds: max((s) => s.kafka.oldestUnconfirmedSeconds),
      lastError: firstText(snapshots.map((s) => s.kafka.lastError)),
      // Processes that share a Kafka mostly share its reasons.
      problems: [...new Set(snapshots.flatMap((s) => s.kafka.problems))].slice(0, MAX_PROBLEMS),
    },
    spool: {
      ...sums(snapshots.map(({ spool }) => ({ ...spool, trouble: 0, otherTopics: 0 }))),
      oldestSeconds: max((s) => s.spool.oldestSeconds),
      trouble: firstText(snapshots.map((s) => s.spool.trouble)),
      otherTopics: mergeOtherTopics(snapshots.flatMap((s) => s.spool.otherTopics)),
    },
    deadLetters: {
      ...sums(snapshots.map(({ deadLetters }) => ({ ...deadLetters, problem: 0 }))),
      problem: firstText(snapshots.map((s) => s.deadLetters.problem)),
    },
    process: {
      ...sums(snapshots.map((s) => s.process)),
      eventLoopLagP99Seconds: max((s) => s.process.eventLoopLagP99Seconds),
    },
  };
}

/** What is left of a crashed process: its totals, so that no counter falls, and nothing that it held. */
export function retired(last: Snapshot): Snapshot {
  const { records, lines, connections, queue, kafka, spool, deadLetters, process } = last;
  const { open, inFlight, spooled, abandoned } = records;
  return {
    ...last,
    uptimeSeconds: 0,
    readiness: { ready: true, reasons: [] },
    connections: { ...connections, active: 0, identified: 0, paused: 0, scheduledTimers: 0 },
    lines: { ...lines, received: lines.received - lines.waiting, waiting: 0 },
    queue: { ...queue, depth: 0, bytes: 0, capacity: 0, capacityBytes: 0, workers: 0 },
    records: {
      ...records,
      open: 0,
      inFlight: 0,
      spooled: 0,
      abandoned: abandoned + open + inFlight + spooled,
    },
    kafka: {
      ...kafka,
      connected: true,
      bufferBytes: 0,
      bufferCapacityBytes: 0,
      oldestUnconfirmedSeconds: 0,
      lastError: null,
      problems: [],
      heldPartitions: 0,
    },
    spool: {
      ...spool,
      bytes: 0,
      capacityBytes: 0,
      partitions: 0,
      oldestSeconds: 0,
      trouble: null,
      otherRecords: 0,
      otherTopics: [],
    },
    deadLetters: { ...deadLetters, waiting: 0, bytes: 0, problem: null },
    process: { ...process, residentBytes: 0, heapUsedBytes: 0, eventLoopLagP99Seconds: 0 },
  };
}

function sums<T extends Readonly<Record<keyof T, number>>>(parts: readonly T[]): T {
  const total: Record<string, number> = {};
  for (const part of parts) {
    for (const [name, value] of Object.entries<number>(part)) total[name] = (total[name] ?? 0) + value;
  }
  return total as T;
}

function firstText(texts: readonly (string | null)[]): string | null {
  return texts.find((text) => text !== null) ?? null;
}
