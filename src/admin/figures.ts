// The table of all figures: their metrics, and how they add up over processes. The type of the snapshot, /metrics,
// docs/metrics.md and the sum over processes follow from it. gateway/gateway-snapshot.ts fills the figures in.
import { type Code, countsByCode } from '../protocol/codes.ts';
import { countsByProtocol, type ForeignProtocol } from '../protocol/foreign-protocol.ts';
import { countsByReason, type ServerFullReason } from '../protocol/server-full.ts';
import { mergeOtherTopics, type OtherTopic } from './other-topics.ts';

export interface Figure<T> {
  /** The value if there is nothing to tell. In `merge` it changes nothing. */
  readonly empty: T;
  /** True if the value stays in the sum after its process has crashed. */
  readonly outlives: boolean;
  /** A figure without a metric is only in /stats. */
  readonly metric?: FigureMetric<T>;
  /** The value for several processes. */
  merge(values: readonly T[]): T;
}

/** The value of a metric, or one for each value of its label. Devices must not be able to add label values. */
export type Series = number | HistogramValue | Readonly<Record<string, number>>;

export interface HistogramValue {
  readonly sum: number;
  /** As in Prometheus: upper bounds that rise to '+Inf', with cumulative counts. */
  readonly buckets: readonly (readonly [bound: string, count: number])[];
}

interface FigureMetric<T> {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly label?: string;
  series(value: T): Series;
}

/** The list is for people, so it must not grow with the number of partitions. */
const MAX_PROBLEMS = 10;

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const max = (values: readonly number[]) => Math.max(0, ...values);

/** A figure of any type. Only fixes the type for the functions inside. */
function figure<T>(parts: Figure<T>): Figure<T> {
  return parts;
}

/** A total since the start. */
function counter(name: string, help: string): Figure<number> {
  return {
    empty: 0,
    outlives: true,
    merge: sum,
    metric: { name, type: 'counter', help, series: (value) => value },
  };
}

/** A level now, which a crashed process no longer has. */
function gauge(name: string, help: string, merge = sum): Figure<number> {
  return {
    empty: 0,
    outlives: false,
    merge,
    metric: { name, type: 'gauge', help, series: (value) => value },
  };
}

/** A distribution since the start. */
export function histogram(name: string, help: string): Figure<HistogramValue> {
  return {
    empty: { sum: 0, buckets: [] },
    outlives: true,
    merge: (values) => ({
      sum: sum(values.map((value) => value.sum)),
      buckets: [...sumByName(values.flatMap(({ buckets }) => buckets))],
    }),
    metric: { name, type: 'histogram', help, series: (value) => value },
  };
}

/** 1 while `isOne` holds, else 0. */
function flag<T>(name: string, help: string, isOne: (value: T) => boolean): { metric: FigureMetric<T> } {
  return { metric: { name, type: 'gauge', help, series: (value) => (isOne(value) ? 1 : 0) } };
}

/** A number that only /stats has. */
function statsOnly({ outlives }: { outlives: boolean }): Figure<number> {
  return { empty: 0, outlives, merge: sum };
}

/** Totals since the start, one for each name. @param empty 0 for each name */
function counters<Name extends string>(
  { name, help, label }: { name: string; help: string; label: string },
  empty: Readonly<Record<Name, number>>,
): Figure<Readonly<Record<Name, number>>> {
  const names = Object.keys(empty) as Name[];
  const all = (values: ReadonlyMap<string, number>) =>
    Object.fromEntries(names.map((one) => [one, values.get(one) ?? 0])) as Record<Name, number>;
  return {
    empty,
    outlives: true,
    merge: (values) => all(sumByName(values.flatMap((value) => Object.entries<number>(value)))),
    // Names that never occurred are listed too: a series that appears late hides its first increase.
    metric: {
      name,
      type: 'counter',
      help,
      label,
      series: (value) => all(new Map(Object.entries<number>(value))),
    },
  };
}

/** Why something does not work, null if it does. */
const REASON: Figure<string | null> = {
  empty: null,
  outlives: false,
  merge: (values) => values.find((value) => value !== null) ?? null,
};

/** Each reason once, at most MAX_PROBLEMS: processes that share a Kafka mostly share its problems. */
export function distinctProblems(problems: readonly string[]): readonly string[] {
  return [...new Set(problems)].slice(0, MAX_PROBLEMS);
}

/** Counts are since the start of the process, sizes in bytes. The keys are those of /stats. */
export const FIGURES = {
  connections: {
    active: gauge('sluice_connections', 'Open device connections.'),
    maximum: gauge('sluice_connections_max', 'The cap on open device connections.'),
    identified: gauge('sluice_connections_identified', 'Open connections that have identified.'),
    accepted: counter('sluice_connections_accepted_total', 'Connections accepted.'),
    /** Why connections got `server_full`. */
    refused: counters<ServerFullReason>(
      {
        name: 'sluice_connections_refused_total',
        help: 'Connections answered server_full, by reason: the cap on all, on the address, its rate, overload, stopping.',
        label: 'reason',
      },
      countsByReason(),
    ),
    waiting: gauge(
      'sluice_connections_waiting',
      'Connections that are accepted and wait for their place or for the rate of their address.',
    ),
    paused: gauge(
      'sluice_connections_paused',
      'Open connections that are not read at present: the job queue or the memory is full, the device does not read its replies, or it is slowed down.',
    ),
    slowed: gauge(
      'sluice_connections_slowed',
      'Open connections that are read more slowly because of refused lines or a rate.',
    ),
    bufferBytes: gauge(
      'sluice_connections_buffer_bytes',
      'Memory of unfinished lines, lines that wait in connections and unsent replies.',
    ),
    bufferCapacityBytes: gauge(
      'sluice_connections_buffer_capacity_bytes',
      'The limit of that memory (TCP_BUFFER_BYTES).',
    ),
    wrongProtocol: counters<ForeignProtocol>(
      {
        name: 'sluice_wrong_protocol_total',
        help: 'Connections closed because they began in another protocol.',
        label: 'protocol',
      },
      countsByProtocol(),
    ),
    uniqueZipcodes: gauge('sluice_zipcodes', 'Different zipcodes among the open connections.'),
    scheduledTimers: gauge('sluice_timers', 'Scheduled connection timers.'),
    receivedBytes: counter('sluice_received_bytes_total', 'Bytes received from devices.'),
    readRests: counter(
      'sluice_read_rests_total',
      'Pauses of the event loop between reads, of up to 9 ms, while devices send many small packets.',
    ),
  },
  /** received = accepted + refusedLines + waiting, at any moment. */
  lines: {
    received: counter('sluice_lines_received_total', 'Lines received: equals accepted + refused + waiting.'),
    accepted: counter('sluice_lines_accepted_total', 'Lines accepted.'),
    waiting: gauge('sluice_lines_waiting', 'Lines received that are neither accepted nor refused yet.'),
    refused: counters<Code>(
      {
        name: 'sluice_refusals_total',
        help: 'Error replies by code, also those to a connection (timeouts, server_full).',
        label: 'code',
      },
      countsByCode(),
    ),
    /** The part of `refused` that answered a received line. */
    refusedLines: counter('sluice_lines_refused_total', 'Lines answered with an error.'),
  },
  queue: {
    depth: gauge('sluice_queue_jobs', 'Jobs waiting for a worker.'),
    capacity: gauge('sluice_queue_capacity_jobs', "The job queue's limit in jobs."),
    bytes: gauge('sluice_queue_bytes', 'Bytes of the waiting jobs.'),
    capacityBytes: gauge('sluice_queue_capacity_bytes', "The job queue's limit in bytes."),
    workers: gauge('sluice_workers', 'Workers taking jobs.'),
  },
  /**
   * accepted + recovered = confirmed + spooled + inFlight + open + deadLettered + damaged + abandoned, at any moment.
   * `open`, `inFlight` and `spooled` are the states of sluice_records.
   */
  records: {
    accepted: counter(
      'sluice_records_accepted_total',
      'Records accepted: with those recovered, equals confirmed + dead-lettered + damaged + abandoned + every state of sluice_records.',
    ),
    recovered: counter(
      'sluice_records_recovered_total',
      'Records that an earlier process left in the spool.',
    ),
    open: statsOnly({ outlives: false }),
    inFlight: statsOnly({ outlives: false }),
    spooled: statsOnly({ outlives: false }),
    confirmed: counter('sluice_records_confirmed_total', 'Records acknowledged by Kafka.'),
    deadLettered: counter(
      'sluice_records_dead_lettered_total',
      'Accepted records that Kafka refused for good.',
    ),
    damaged: counter('sluice_records_damaged_total', 'Records lost to damage on the disk of the spool.'),
    abandoned: counter(
      'sluice_records_abandoned_total',
      'Records not confirmed when their process crashed; those on its disk are counted again as recovered.',
    ),
  },
  kafka: {
    connected: figure<boolean>({
      empty: true,
      outlives: false,
      merge: (values) => values.every(Boolean),
      ...flag<boolean>('sluice_kafka_connected', '1 while Kafka answers, else 0.', (connected) => connected),
    }),
    partitions: {
      ...gauge('sluice_kafka_partitions', 'Partitions of the metrics topic.', max),
      // The topic is the same for all processes.
      outlives: true,
    },
    batchesConfirmed: counter(
      'sluice_kafka_batches_confirmed_total',
      'Record batches acknowledged by Kafka.',
    ),
    bytesSent: counter('sluice_kafka_sent_bytes_total', 'Bytes of record batches sent to Kafka.'),
    retries: counter('sluice_kafka_retries_total', 'Record batches sent again after a failure.'),
    bufferBytes: gauge('sluice_kafka_buffer_bytes', 'Unconfirmed records in memory.'),
    bufferCapacityBytes: gauge(
      'sluice_kafka_buffer_capacity_bytes',
      'The limit of unconfirmed records in memory (KAFKA_BUFFER_BYTES).',
    ),
    oldestUnconfirmedSeconds: gauge(
      'sluice_kafka_oldest_unconfirmed_seconds',
      'Age of the oldest unconfirmed batch, 0 if there is none.',
      max,
    ),
    /** The last failure in words, null after a success. */
    lastError: REASON,
    /** Why records are not delivered, and the remedy. */
    problems: figure<readonly string[]>({
      empty: [],
      outlives: false,
      merge: (values) => distinctProblems(values.flat()),
      metric: {
        name: 'sluice_kafka_problems',
        type: 'gauge',
        help: 'How many different reasons keep records from Kafka; /stats has them in words.',
        series: (problems) => problems.length,
      },
    }),
    heldPartitions: gauge(
      'sluice_kafka_held_partitions',
      'Partitions that wait because Kafka refuses their records until somebody changes something.',
    ),
    throttledSeconds: counter(
      'sluice_kafka_throttled_seconds_total',
      'Time that brokers made the gateway wait because of a quota.',
    ),
  },
  spool: {
    bytes: gauge('sluice_spool_bytes', 'Bytes of the spool on disk.'),
    capacityBytes: gauge('sluice_spool_capacity_bytes', 'The spool’s limit (SPOOL_MAX_BYTES).'),
    partitions: gauge('sluice_spool_partitions', 'Partitions whose batches go through the disk.'),
    /** As exact as the age of a segment. */
    oldestSeconds: gauge(
      'sluice_spool_oldest_seconds',
      'Age of the oldest record in the spool, 0 if it is empty.',
      max,
    ),
    badBatches: counter('sluice_spool_bad_batches_total', 'Damaged places in the spool that were skipped.'),
    batchesWritten: counter('sluice_spool_batches_written_total', 'Record batches written to the spool.'),
    /** Why the disk takes nothing now. */
    trouble: figure<string | null>({
      ...REASON,
      ...flag<string | null>(
        'sluice_spool_writable',
        '0 while batches cannot be written to the disk or read from it, else 1.',
        (trouble) => trouble === null,
      ),
    }),
    /** A part of `records.spooled`. */
    otherRecords: gauge(
      'sluice_spool_other_topics_records',
      'Records in the spool of topics that KAFKA_TOPIC_METRICS does not name; /stats names the topics.',
    ),
    otherTopics: figure<readonly OtherTopic[]>({
      empty: [],
      outlives: false,
      merge: (values) => mergeOtherTopics(values.flat()),
    }),
  },
  deadLetters: {
    sent: counter(
      'sluice_dead_letters_total',
      'Refused lines and records that the dead letters’ topic has acknowledged.',
    ),
    dropped: counter(
      'sluice_dead_letters_dropped_total',
      'Refused lines that were not kept: more than 100 a second, or no room.',
    ),
    waiting: gauge(
      'sluice_dead_letters_waiting',
      'Dead letters that Kafka has not acknowledged, in memory or on disk.',
    ),
    bytes: gauge('sluice_dead_letters_disk_bytes', 'Bytes of dead letters on disk.'),
    /** Why they wait. */
    problem: REASON,
  },
  // The metrics have the names of prom-client's collectDefaultMetrics, so that common dashboards find them. It does not
  // collect them itself: its timers would measure the same a second time.
  process: {
    residentBytes: gauge('process_resident_memory_bytes', 'Resident memory.'),
    heapUsedBytes: gauge('nodejs_heap_size_used_bytes', 'JavaScript heap in use.'),
    cpuSeconds: counter('process_cpu_seconds_total', 'User and system CPU time.'),
    eventLoopLagP99Seconds: gauge(
      'nodejs_eventloop_lag_p99_seconds',
      "99th percentile of the event loop's lateness over the last 30 s.",
      max,
    ),
  },
  /** Server processes (TCP_PROCESSES). The first process fills these in. */
  processes: {
    configured: gauge('sluice_processes_max', 'Server processes that should run (TCP_PROCESSES).'),
    running: gauge('sluice_processes', 'Server processes that run.'),
    degraded: gauge(
      'sluice_processes_degraded',
      'Server processes that run and do not answer: they get no new devices, and are killed and started again after 10 s.',
    ),
    restarts: counter(
      'sluice_process_restarts_total',
      'Server processes that crashed and were started again.',
    ),
    /** Crashes before the first figures. The records that these processes accepted are in no total. */
    unseen: statsOnly({ outlives: true }),
  },
};

type Values<Section> = {
  readonly [Name in keyof Section]: Section[Name] extends Figure<infer T> ? T : never;
};

/** The value of each figure. */
export type FigureValues = { readonly [Name in keyof typeof FIGURES]: Values<(typeof FIGURES)[Name]> };

type Reader<T> = (values: FigureValues) => T;

/** Calls `visit` for each figure, in the order of the table. */
export function eachFigure<R>(
  visit: <T>(figure: Figure<T>, read: Reader<T>) => R,
): Record<string, Record<string, R>> {
  const sections: Readonly<Record<string, Readonly<Record<string, Figure<unknown>>>>> = FIGURES;
  const entries = Object.entries(sections).map(([section, figures]) => {
    const results = Object.entries(figures).map(([name, figure]) => {
      const read = (values: Readonly<Record<string, Readonly<Record<string, unknown>>>>) =>
        values[section]?.[name];
      return [name, visit(figure, read)] as const;
    });
    return [section, Object.fromEntries(results)] as const;
  });
  return Object.fromEntries(entries);
}

/** A value for each figure. Object.fromEntries loses the types, so the cast is here once. */
export function mapFigures(value: <T>(figure: Figure<T>, read: Reader<T>) => T): FigureValues {
  return eachFigure<unknown>(value) as FigureValues;
}

export function emptyFigures(): FigureValues {
  return mapFigures(({ empty }) => empty);
}

function sumByName(entries: readonly (readonly [string, number])[]): Map<string, number> {
  const total = new Map<string, number>();
  for (const [name, value] of entries) total.set(name, (total.get(name) ?? 0) + value);
  return total;
}
