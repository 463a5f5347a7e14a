// The one typed picture of the running gateway. The statistics line, /stats, /metrics and the health
// endpoints all read it; nobody keeps a second set of figures.
import type { Code } from '../protocol/codes.ts';

/** Every count is since the start of the process unless its name says otherwise; sizes in bytes. */
export interface Snapshot {
  readonly version: string;
  /** ISO 8601, when the snapshot was taken. */
  readonly at: string;
  readonly uptimeSeconds: number;
  readonly readiness: Readiness;
  readonly connections: {
    readonly active: number;
    readonly maximum: number;
    readonly identified: number;
    readonly accepted: number;
    /** Sockets that are not being read because the queue or their own replies are full. */
    readonly paused: number;
    readonly uniqueZipcodes: number;
    readonly scheduledTimers: number;
    readonly receivedBytes: number;
    /** Rests between looks at the sockets, of up to 9 ms, while devices send many small packets. */
    readonly readRests: number;
  };
  /** received = accepted + every refused code that answers a line + waiting. */
  readonly lines: {
    readonly received: number;
    readonly accepted: number;
    readonly waiting: number;
    /** By reply code; a code that answers a connection and not a line (timeouts, server_full) is counted here too. */
    readonly refused: Readonly<Record<Code, number>>;
    /** The part of `refused` that answered a received line. */
    readonly refusedLines: number;
  };
  readonly queue: {
    readonly depth: number;
    readonly capacity: number;
    readonly bytes: number;
    readonly capacityBytes: number;
    readonly workers: number;
  };
  /** accepted + recovered = confirmed + spooled + inFlight + open + deadLettered + damaged + abandoned, at any instant. */
  readonly records: {
    readonly accepted: number;
    /** Found in the spool at start: accepted by an earlier process. */
    readonly recovered: number;
    readonly open: number;
    readonly inFlight: number;
    readonly spooled: number;
    readonly confirmed: number;
    readonly deadLettered: number;
    /** Lost with a damaged place on the spool's disk. */
    readonly damaged: number;
    /**
     * Not confirmed when their process crashed, as far as was known a moment before. What it had on disk is counted
     * again as recovered; the rest is gone, and no device was told that it is stored.
     */
    readonly abandoned: number;
  };
  readonly kafka: {
    readonly connected: boolean;
    readonly partitions: number;
    readonly batchesConfirmed: number;
    readonly bytesSent: number;
    readonly retries: number;
    readonly bufferBytes: number;
    readonly bufferCapacityBytes: number;
    /** Age of the oldest unconfirmed batch in seconds, 0 where there is none. */
    readonly oldestUnconfirmedSeconds: number;
    /** The last failure in words, null once something has succeeded after it. */
    readonly lastError: string | null;
    /** Why records are not delivered, each reason once and with what to do, at most MAX_PROBLEMS. Empty if all is well. */
    readonly problems: readonly string[];
    /** Partitions that wait because Kafka refuses their records until somebody changes something. */
    readonly heldPartitions: number;
    /** Time that brokers made the gateway wait because of a quota. */
    readonly throttledSeconds: number;
  };
  readonly spool: {
    readonly bytes: number;
    readonly capacityBytes: number;
    /** Partitions whose batches go through the disk now. */
    readonly partitions: number;
    /** Age of the oldest record in seconds, to a segment's exactness; 0 where the spool is empty. */
    readonly oldestSeconds: number;
    /** Damaged places met in the files and passed over. */
    readonly badBatches: number;
    readonly batchesWritten: number;
    /** Why the disk takes nothing at the moment, null where it does. */
    readonly trouble: string | null;
    /** Records of topics that KAFKA_TOPIC_METRICS does not name; part of `records.spooled`. */
    readonly otherRecords: number;
    /** Those topics, the ones with most records first, at most MAX_OTHER_TOPICS. */
    readonly otherTopics: readonly OtherTopic[];
  };
  readonly deadLetters: {
    /** Acknowledged by Kafka. */
    readonly sent: number;
    /** Refused lines that were not kept: over the rate, or no room while Kafka does not take them. */
    readonly dropped: number;
    /** Not acknowledged by Kafka, in memory or on disk. */
    readonly waiting: number;
    /** On disk. */
    readonly bytes: number;
    /** Why they wait, null when none does. */
    readonly problem: string | null;
  };
  readonly process: {
    readonly residentBytes: number;
    readonly heapUsedBytes: number;
    readonly cpuSeconds: number;
    /** The worst of all processes. */
    readonly eventLoopLagP99Seconds: number;
  };
  /** Server processes (TCP_PROCESSES); every other figure is the sum over them. */
  readonly processes: {
    readonly configured: number;
    readonly running: number;
    /** Processes that crashed and were started again. */
    readonly restarts: number;
    /** Those of them that had given no figures yet: what they had accepted is unknown and in no total. */
    readonly unseen: number;
  };
}

/** A topic whose records are on disk although KAFKA_TOPIC_METRICS does not name it. They are sent under its name. */
export interface OtherTopic {
  readonly topic: string;
  readonly records: number;
  readonly bytes: number;
  /** Why they are not delivered now and, if that does not pass by itself, what to do. Null if they are being sent. */
  readonly problem: string | null;
}

/** How many of them are listed. Nothing limits how many topics a directory can hold. */
export const MAX_OTHER_TOPICS = 20;

/** One entry for each topic. */
export function mergeOtherTopics(entries: readonly OtherTopic[]): readonly OtherTopic[] {
  const merged = new Map<string, OtherTopic>();
  for (const { topic, records, bytes, problem } of entries) {
    const known = merged.get(topic);
    merged.set(topic, {
      topic,
      records: records + (known?.records ?? 0),
      bytes: bytes + (known?.bytes ?? 0),
      problem: known?.problem ?? problem,
    });
  }
  return [...merged.values()].sort((a, b) => b.records - a.records).slice(0, MAX_OTHER_TOPICS);
}

/** A list of sentences is for people, and its length must not grow with partitions. */
export const MAX_PROBLEMS = 10;

/** There are no figures yet: no server process has started. */
export class NotStartedError extends Error {
  readonly code = 'NOT_STARTED';
  readonly retriable = true;

  constructor() {
    super('the gateway is starting');
  }
}

/** Ready to take devices' lines; where not, each reason in words an operator can act on. */
export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}
