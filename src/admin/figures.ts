// The table of all figures: their metrics, and how they add up over processes. The type of the snapshot, /metrics,
// docs/metrics.md and the sum over processes follow from it. gateway/gateway-snapshot.ts fills the figures in.
import { BATCH_BYTES, BATCH_RECORDS, LINE_SECONDS, OPERATION_SECONDS } from '../measure/buckets.ts';
import { emptyHistogram, type HistogramValue, mergeHistograms } from '../measure/histogram.ts';
import { type CloseReason, countsByClose } from '../protocol/close-reasons.ts';
import { type Code, countsByCode } from '../protocol/codes.ts';
import { countsByProtocol, type ForeignProtocol } from '../protocol/foreign-protocol.ts';
import { countsByFailure, type HandshakeFailure } from '../protocol/handshake-failures.ts';
import { countsByProxyResult, type ProxyResult } from '../protocol/proxy-results.ts';
import { countsByResumeAnswer, type ResumeAnswer } from '../protocol/resume-answers.ts';
import { countsByReason, type ServerFullReason } from '../protocol/server-full.ts';
import { countsByUnauthorized, type UnauthorizedReason } from '../protocol/unauthorized.ts';
import { type AccessReason, countsByAccessReason } from './access/refusals.ts';
import {
  distinctProblems,
  type KafkaTrouble,
  mergeTopics,
  type SpoolRefusal,
  type TopicFigures,
  worstTrouble,
} from './kafka-figures.ts';
import { mergeOtherTopics, type OtherTopic } from './other-topics.ts';
import { type CountedStage, countsByStage } from './stages.ts';

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

/** By name of a process (per-process.ts). */
export type ByProcess = Readonly<Record<string, number>>;

interface FigureMetric<T> {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly label?: string;
  series(value: T): Series;
}

export interface HungProcess {
  readonly index: number;
  readonly pid: number | undefined;
}

const DAY_SECONDS = 24 * 60 * 60;

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
export function histogram(name: string, help: string, bounds: readonly number[]): Figure<HistogramValue> {
  return {
    empty: emptyHistogram(bounds),
    outlives: true,
    merge: (values) => mergeHistograms(bounds, values),
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

interface Labelled {
  readonly name: string;
  readonly help: string;
  readonly label: string;
}

/** Totals since the start, one for each name. @param empty 0 for each name */
function counters<Name extends string>(
  metric: Labelled,
  empty: Readonly<Record<Name, number>>,
): Figure<Readonly<Record<Name, number>>> {
  return numbers({ ...metric, type: 'counter' }, empty);
}

/** Levels now, one for each name. @param empty 0 for each name */
function gauges<Name extends string>(
  metric: Labelled,
  empty: Readonly<Record<Name, number>>,
): Figure<Readonly<Record<Name, number>>> {
  return numbers({ ...metric, type: 'gauge' }, empty);
}

function numbers<Name extends string>(
  { name, help, label, type }: Labelled & { type: 'counter' | 'gauge' },
  empty: Readonly<Record<Name, number>>,
): Figure<Readonly<Record<Name, number>>> {
  const names = Object.keys(empty) as Name[];
  const all = (values: ReadonlyMap<string, number>) =>
    Object.fromEntries(names.map((one) => [one, values.get(one) ?? 0])) as Record<Name, number>;
  return {
    empty,
    outlives: type === 'counter',
    merge: (values) => all(sumByName(values.flatMap((value) => Object.entries<number>(value)))),
    // Names that never occurred are listed too: a series that appears late hides its first increase.
    metric: {
      name,
      type,
      help,
      label,
      series: (value) => all(new Map(Object.entries<number>(value))),
    },
  };
}

/** A figure of each process. A crashed one begins again, so its last value is not kept. */
function perProcess(name: string, type: 'counter' | 'gauge', help: string): Figure<ByProcess> {
  return {
    empty: {},
    outlives: false,
    merge: (values) => Object.fromEntries(sumByName(values.flatMap((value) => Object.entries(value)))),
    metric: { name, type, help, label: 'process', series: (value) => value },
  };
}

/** Why something does not work, null if it does. */
const REASON: Figure<string | null> = {
  empty: null,
  outlives: false,
  merge: (values) => values.find((value) => value !== null) ?? null,
};

/** A number that is not always known. Without it the metric has no sample. */
function known(
  name: string,
  help: string,
  pick: (known: readonly number[]) => number,
): Figure<number | null> {
  return {
    empty: null,
    outlives: false,
    merge: (values) => {
      const numbers = values.filter((value) => value !== null);
      return numbers.length === 0 ? null : pick(numbers);
    },
    metric: { name, type: 'gauge', help, series: (value) => value ?? {} },
  };
}

const farthestFromZero = (values: readonly number[]) =>
  values.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);

const inSeconds = (days: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(days).map(([file, each]) => [file, each * DAY_SECONDS]));

/** Counts are since the start of the process, sizes in bytes. The keys are those of /stats. */
const FIGURES = {
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
      'Connections that are accepted and not served yet: they wait for their PROXY header, their place, the rate of their address or their TLS handshake.',
    ),
    stages: gauges<CountedStage>(
      {
        name: 'sluice_connections_in_stage',
        help: 'Open connections by how far they have come: they wait for their PROXY header (proxy), for a place or the rate of their address (place), for their TLS handshake (tls), for the identify line (identify), have identified, or send plain lines (lines).',
        label: 'stage',
      },
      countsByStage(),
    ),
    closed: counters<CloseReason>(
      {
        name: 'sluice_connections_closed_total',
        help: 'Connections that have ended, by reason: the code of the last reply, or without one device_end (in order), reset (broken), tls_failed. Those that were refused before they were served count as well.',
        label: 'reason',
      },
      countsByClose(),
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
    outOfFiles: gauge(
      'sluice_processes_out_of_files',
      'Server processes that have run out of open files (ulimit -n) and turn new devices away.',
    ),
    wrongProtocol: counters<ForeignProtocol>(
      {
        name: 'sluice_wrong_protocol_total',
        help: 'Connections closed because they began in another protocol.',
        label: 'protocol',
      },
      countsByProtocol(),
    ),
    proxyHeaders: counters<ProxyResult>(
      {
        name: 'sluice_proxy_headers_total',
        help: 'Connections of trusted proxies by their PROXY header: it names a client (client) or not, as health checks do (own), or the connection was closed for the fault named.',
        label: 'result',
      },
      countsByProxyResult(),
    ),
    unauthorized: counters<UnauthorizedReason>(
      {
        name: 'sluice_unauthorized_total',
        help: 'Devices answered unauthorized, by reason: no token, an unknown one, one that does not cover the device_id, a certificate with another device_id, a revoked token. Connections to TCP_LINES_PORT from a network that may not connect (network) are closed without an answer.',
        label: 'reason',
      },
      countsByUnauthorized(),
    ),
    uniqueZipcodes: gauge('sluice_zipcodes', 'Different zipcodes among the open connections.'),
    scheduledTimers: gauge('sluice_timers', 'Scheduled connection timers.'),
    receivedBytes: counter('sluice_received_bytes_total', 'Bytes received from devices.'),
    sentBytes: counter('sluice_sent_bytes_total', 'Bytes of replies to devices.'),
    readRests: counter(
      'sluice_read_rests_total',
      'Pauses of the event loop between reads, of up to 19 ms, while devices send small packets.',
    ),
  },
  /** The TLS port. */
  tls: {
    handshakes: counter('sluice_tls_handshakes_total', 'TLS handshakes of devices that succeeded.'),
    resumed: counter('sluice_tls_resumed_total', 'TLS handshakes that resumed a session by its ticket.'),
    failures: counters<HandshakeFailure>(
      {
        name: 'sluice_tls_failures_total',
        help: 'Connections to the TLS port that ended before they were served, by reason.',
        label: 'reason',
      },
      countsByFailure(),
    ),
    waiting: gauge(
      'sluice_tls_waiting',
      'Connections that wait for their handshake (TCP_TLS_MAX_HANDSHAKES).',
    ),
    underWay: gauge('sluice_tls_handshakes_under_way', 'TLS handshakes under way.'),
    /** By file: `cert`, `ca`. Empty without TLS. */
    daysLeft: figure<Readonly<Record<string, number>>>({
      empty: {},
      outlives: false,
      merge: (values) => minByName(values.flatMap((value) => Object.entries(value))),
      metric: {
        name: 'sluice_tls_certificate_remaining_seconds',
        type: 'gauge',
        help: 'Time until the first certificate in the file of TCP_TLS_CERT or TCP_TLS_CA expires; negative after that.',
        label: 'file',
        series: inSeconds,
      },
    }),
    /** By file: the whole lifetime of the certificate that `daysLeft` is about, in days. */
    lifetimeDays: figure<Readonly<Record<string, number>>>({
      empty: {},
      outlives: false,
      merge: (values) => minByName(values.flatMap((value) => Object.entries(value))),
      metric: {
        name: 'sluice_tls_certificate_lifetime_seconds',
        type: 'gauge',
        help: 'The whole lifetime of that certificate, from its first second to its last.',
        label: 'file',
        series: inSeconds,
      },
    }),
  },
  /** Devices that resume (docs/protocol.md#resume). */
  resume: {
    answers: counters<ResumeAnswer>(
      {
        name: 'sluice_resumes_total',
        help: 'Connections that resumed, by their answer: the stored seq (known), or null because nothing is known of the device (unknown) or because its former connection had not settled within 5 s (unsettled).',
        label: 'answer',
      },
      countsByResumeAnswer(),
    ),
    devices: gauge(
      'sluice_resume_devices',
      'Devices whose stored seq is remembered or counted: connected ones with a device_id, and ended ones.',
    ),
    evicted: counter(
      'sluice_resume_evictions_total',
      'Devices that were forgotten because more had ended than are remembered. They are told null.',
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
    warnings: counter(
      'sluice_unknown_field_warnings_total',
      'Connections that were told of an unknown field (TCP_STRICT=warn).',
    ),
    /** The part of `accepted` that was not written again. */
    alreadyStored: counter(
      'sluice_lines_already_stored_total',
      'Accepted lines that were answered `stored` and not written again, because their device had resumed above their seq.',
    ),
    /** The lines of TCP_LINES_PORT, which are part of `accepted` and `refusedLines`. */
    plain: counters<'accepted' | 'refused'>(
      {
        name: 'sluice_plain_lines_total',
        help: 'Plain lines by their fate: accepted or refused. sluice_lines_* count them too.',
        label: 'fate',
      },
      { accepted: 0, refused: 0 },
    ),
    withoutTopic: counter(
      'sluice_plain_lines_without_topic_total',
      'Plain lines whose field named none of TCP_LINES_TOPICS: they went to TCP_LINES_TOPIC.',
    ),
    toStoredSeconds: histogram(
      'sluice_line_to_stored_seconds',
      'Time from the reception of a line with seq until its record was durable, in Kafka or on the disk, and its `stored` was written. Each line counts, also those that share a `stored`. To the millisecond.',
      LINE_SECONDS,
    ),
    toKafkaSeconds: histogram(
      'sluice_line_to_kafka_seconds',
      'Time from the reception of a line until Kafka acknowledged its record. Each record counts: to the millisecond if it came from memory; from the spool with the middle of its batch, whose latest sending counts as reception with KAFKA_TIMESTAMP=sent.',
      LINE_SECONDS,
    ),
  },
  queue: {
    depth: gauge('sluice_queue_jobs', 'Jobs waiting for a worker.'),
    capacity: gauge('sluice_queue_capacity_jobs', "The job queue's limit in jobs."),
    bytes: gauge('sluice_queue_bytes', 'Bytes of the waiting jobs.'),
    capacityBytes: gauge('sluice_queue_capacity_bytes', "The job queue's limit in bytes."),
    workers: gauge('sluice_workers', 'Workers taking jobs.'),
    waitSeconds: histogram(
      'sluice_queue_wait_seconds',
      'Time from the reception of a line until a worker had handled it and the others of the same turn. Each line counts, to the millisecond.',
      LINE_SECONDS,
    ),
    full: gauge('sluice_queues_full', 'Server processes whose job queue has been full for 5 s or longer.'),
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
    withoutKey: counter(
      'sluice_records_without_key_total',
      "Records accepted whose key is the connection's id, because they cannot have that of KAFKA_KEY or TCP_LINES_KEY.",
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
    produceSeconds: histogram(
      'sluice_kafka_produce_seconds',
      'Time from a Produce request to its answer. Requests without an answer do not count. Dead letters are included.',
      OPERATION_SECONDS,
    ),
    batchRecords: histogram(
      'sluice_kafka_batch_records',
      'Records of each batch that Kafka acknowledged.',
      BATCH_RECORDS,
    ),
    batchBytes: histogram(
      'sluice_kafka_batch_bytes',
      'Bytes of each batch that Kafka acknowledged, compressed.',
      BATCH_BYTES,
    ),
    bytesSent: counter('sluice_kafka_sent_bytes_total', 'Bytes of record batches sent to Kafka.'),
    retries: counter('sluice_kafka_retries_total', 'Record batches sent again after a failure.'),
    bufferBytes: gauge('sluice_kafka_buffer_bytes', 'Unconfirmed records in memory.'),
    bufferCapacityBytes: gauge(
      'sluice_kafka_buffer_capacity_bytes',
      'Unconfirmed records in memory at which devices are paused: KAFKA_BUFFER_BYTES, less the room for one message in each process.',
    ),
    buffersFull: gauge(
      'sluice_kafka_buffers_full',
      'Server processes whose memory for unconfirmed records has been full for 2 s or longer: their devices are paused.',
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
    /** Why brokers or leaders cannot be used, or only in part; null if they can. */
    trouble: figure<KafkaTrouble | null>({
      empty: null,
      outlives: false,
      merge: worstTrouble,
    }),
    /** The topics that Kafka is asked about, each once. */
    topics: figure<readonly TopicFigures[]>({
      empty: [],
      outlives: false,
      merge: (values) => mergeTopics(values.flat()),
    }),
    heldPartitions: gauge(
      'sluice_kafka_held_partitions',
      'Partitions that wait because Kafka refuses their records until somebody changes something.',
    ),
    throttledSeconds: counter(
      'sluice_kafka_throttled_seconds_total',
      'Time that brokers made the gateway wait because of a quota.',
    ),
    throttled: gauge(
      'sluice_kafka_throttled',
      'Server processes that a broker has made wait within the last 10 s because of a quota.',
    ),
    /** By the broker’s clock less ours. */
    clockOffsetSeconds: known(
      'sluice_clock_offset_seconds',
      "The broker's clock less that of the gateway, from answers of topics with message.timestamp.type=LogAppendTime.",
      farthestFromZero,
    ),
  },
  spool: {
    bytes: gauge('sluice_spool_bytes', 'Bytes of the spool on disk.'),
    capacityBytes: gauge('sluice_spool_capacity_bytes', 'The spool’s limit (SPOOL_MAX_BYTES).'),
    /** Each process has its share of the limit. */
    fullestRatio: gauge(
      'sluice_spool_fullest_ratio',
      'How much of its share of SPOOL_MAX_BYTES the fullest server process uses, 0 to 1.',
      max,
    ),
    partitions: gauge('sluice_spool_partitions', 'Partitions whose batches go through the disk.'),
    /** As exact as the age of a segment. */
    oldestSeconds: gauge(
      'sluice_spool_oldest_seconds',
      'Age of the oldest record in the spool, 0 if it is empty.',
      max,
    ),
    badBatches: counter('sluice_spool_bad_batches_total', 'Damaged places in the spool that were skipped.'),
    batchesWritten: counter('sluice_spool_batches_written_total', 'Record batches written to the spool.'),
    syncSeconds: histogram(
      'sluice_spool_sync_seconds',
      'Time of each fdatasync of records or dead letters, one for all batches that were written together. None with SPOOL_SYNC=os.',
      OPERATION_SECONDS,
    ),
    /** Why the disk takes nothing now. */
    trouble: figure<string | null>({
      ...REASON,
      ...flag<string | null>(
        'sluice_spool_writable',
        '0 while batches cannot be written to the disk or read from it, else 1.',
        (trouble) => trouble === null,
      ),
    }),
    /** The write that the disk or the limit refused, until writes have succeeded for 5 s. */
    refusal: figure<SpoolRefusal | null>({
      empty: null,
      outlives: false,
      merge: (values) => {
        const refusals = values.filter((one) => one !== null);
        return refusals.find(({ cause }) => cause !== 'limit') ?? refusals[0] ?? null;
      },
      ...flag<SpoolRefusal | null>(
        'sluice_spool_limit_reached',
        '1 while the spool takes no batch because SPOOL_MAX_BYTES is reached, else 0. Then its disk is not at fault.',
        (refusal) => refusal?.cause === 'limit',
      ),
    }),
    growthBytesPerSecond: gauge(
      'sluice_spool_growth_bytes_per_second',
      'How fast the spool has grown over the last minute; negative while it shrinks.',
    ),
    diskFreeBytes: known(
      'sluice_spool_disk_free_bytes',
      'Free space of the disk of SPOOL_DIR, at most 10 s old.',
      (values) => Math.min(...values),
    ),
    /** A part of `records.spooled`. */
    otherRecords: gauge(
      'sluice_spool_other_topics_records',
      'Records in the spool of topics that no setting names; /stats names the topics.',
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
    /** Why refused records have to wait for their letters. */
    blocked: REASON,
  },
  /**
   * The first process fills these in. noted + recovered = written + waiting + merged + dropped, as long as none is
   * damaged on disk.
   */
  presence: {
    /** KAFKA_TOPIC_PRESENCE; null if it is empty. */
    topic: REASON,
    noted: counter(
      'sluice_presence_states_total',
      'States of connections for the topic of presence, and tombstones: with those recovered, equals written + waiting + merged + dropped.',
    ),
    recovered: counter(
      'sluice_presence_recovered_total',
      'Presence records that an earlier process left on disk.',
    ),
    written: counter(
      'sluice_presence_written_total',
      'Presence records that Kafka has acknowledged, tombstones included.',
    ),
    merged: counter(
      'sluice_presence_merged_total',
      'States that a newer one of the same key replaced before there was room for them.',
    ),
    dropped: counter(
      'sluice_presence_dropped_total',
      'States that were not kept: too many keys waited, or Kafka refused the record.',
    ),
    waiting: gauge(
      'sluice_presence_waiting',
      'Presence records that Kafka has not acknowledged, in memory or on disk.',
    ),
    bytes: gauge('sluice_presence_disk_bytes', 'Bytes of presence records on disk.'),
    /** Why they wait. */
    problem: REASON,
    /** Why they are only merged in memory: the disk does not take them either. */
    blocked: REASON,
  },
  /** The first process fills these in. */
  admin: {
    refused: counters<AccessReason>(
      {
        name: 'sluice_admin_refusals_total',
        help: 'Requests to the admin port that were refused, by reason: their Host, their Origin, or the token.',
        label: 'reason',
      },
      countsByAccessReason(),
    ),
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
    eventLoopDelaySeconds: histogram(
      'sluice_event_loop_delay_seconds',
      'How late the event loop was, ten times a second in each process. A stall counts once for each time that it swallowed. A loop that works for less than 1 % of the time is not late.',
      OPERATION_SECONDS,
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
    /** Those that run and do not answer. */
    hung: figure<readonly HungProcess[]>({
      empty: [],
      outlives: false,
      merge: (values) => values.flat(),
    }),
    restarts: counter(
      'sluice_process_restarts_total',
      'Server processes that crashed and were started again.',
    ),
    /** Crashes before the first figures. The records that these processes accepted are in no total. */
    unseen: statsOnly({ outlives: true }),
  },
  /** Of each process, by its number; `first` opens the ports for several others. Filled in beside the admin port. */
  byProcess: {
    up: perProcess('sluice_process_up', 'gauge', '1 while the server process runs and answers, else 0.'),
    connections: perProcess('sluice_process_connections', 'gauge', 'Open device connections by process.'),
    linesReceived: perProcess(
      'sluice_process_lines_received_total',
      'counter',
      'Lines received by process, since its start.',
    ),
    recordsConfirmed: perProcess(
      'sluice_process_records_confirmed_total',
      'counter',
      'Records acknowledged by Kafka by process, since its start.',
    ),
    kafkaBufferBytes: perProcess(
      'sluice_process_kafka_buffer_bytes',
      'gauge',
      'Unconfirmed records in memory by process.',
    ),
    cpuSeconds: perProcess(
      'sluice_process_cpu_seconds_total',
      'counter',
      'User and system CPU time by process; `first` is the one that opens the ports.',
    ),
    residentBytes: perProcess('sluice_process_resident_memory_bytes', 'gauge', 'Resident memory by process.'),
    eventLoopLagP99Seconds: perProcess(
      'sluice_process_eventloop_lag_p99_seconds',
      'gauge',
      "99th percentile of the event loop's lateness over the last 30 s by process.",
    ),
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

function minByName(entries: readonly (readonly [string, number])[]): Record<string, number> {
  const least: Record<string, number> = {};
  for (const [name, value] of entries) least[name] = Math.min(least[name] ?? value, value);
  return least;
}
