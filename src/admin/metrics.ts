// The Prometheus side of the snapshot: one table, and the text that a scrape gets. Keeps no figures itself.
import { Counter, Gauge, Registry } from 'prom-client';
import { CODE_NAMES } from '../protocol/codes.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * One metric. With `label`, `read` returns a value for each of the label's values, which must be a closed
 * set: nothing that a device sends may become a series.
 */
export interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly label?: string;
  readonly read: (snapshot: Snapshot) => number | Readonly<Record<string, number>>;
}

/** Everything /metrics exports, in its order; the docs are generated from it. */
export const METRICS: readonly Metric[] = [
  gauge('sluice_build_info', 'Always 1; the version is its label.', (s) => ({ [s.version]: 1 }), 'version'),
  gauge('sluice_uptime_seconds', 'Time since the start.', (s) => s.uptimeSeconds),
  gauge('sluice_ready', '1 when the gateway takes lines (as /readyz), else 0.', (s) =>
    flag(s.readiness.ready),
  ),

  gauge('sluice_processes', 'Server processes that run.', (s) => s.processes.running),
  gauge(
    'sluice_processes_max',
    'Server processes there should be (TCP_PROCESSES).',
    (s) => s.processes.configured,
  ),
  counter(
    'sluice_process_restarts_total',
    'Server processes that crashed and were started anew.',
    (s) => s.processes.restarts,
  ),

  gauge('sluice_connections', 'Open device connections.', (s) => s.connections.active),
  gauge('sluice_connections_max', 'The cap on open device connections.', (s) => s.connections.maximum),
  gauge(
    'sluice_connections_identified',
    'Open connections that have identified.',
    (s) => s.connections.identified,
  ),
  gauge(
    'sluice_connections_paused',
    'Open connections not being read, because the job queue or their own replies are full.',
    (s) => s.connections.paused,
  ),
  counter('sluice_connections_accepted_total', 'Connections accepted.', (s) => s.connections.accepted),
  gauge(
    'sluice_zipcodes',
    'Different zipcodes among the open connections.',
    (s) => s.connections.uniqueZipcodes,
  ),
  gauge('sluice_timers', 'Scheduled connection timers.', (s) => s.connections.scheduledTimers),
  counter('sluice_received_bytes_total', 'Bytes received from devices.', (s) => s.connections.receivedBytes),
  counter(
    'sluice_read_rests_total',
    'Rests of the event loop between reads, of up to 9 ms, while devices send many small packets.',
    (s) => s.connections.readRests,
  ),

  counter(
    'sluice_lines_received_total',
    'Lines received: equals accepted + refused + waiting.',
    (s) => s.lines.received,
  ),
  counter('sluice_lines_accepted_total', 'Lines accepted.', (s) => s.lines.accepted),
  counter('sluice_lines_refused_total', 'Lines answered with an error.', (s) => s.lines.refusedLines),
  gauge('sluice_lines_waiting', 'Lines received and not yet judged.', (s) => s.lines.waiting),
  counter(
    'sluice_refusals_total',
    'Error answers by reply code, those to a connection (timeouts, server_full) included.',
    refusals,
    'code',
  ),

  gauge('sluice_queue_jobs', 'Jobs waiting for a worker.', (s) => s.queue.depth),
  gauge('sluice_queue_capacity_jobs', "The job queue's limit in jobs.", (s) => s.queue.capacity),
  gauge('sluice_queue_bytes', 'Bytes of the waiting jobs.', (s) => s.queue.bytes),
  gauge('sluice_queue_capacity_bytes', "The job queue's limit in bytes.", (s) => s.queue.capacityBytes),
  gauge('sluice_workers', 'Workers taking jobs.', (s) => s.queue.workers),

  counter(
    'sluice_records_accepted_total',
    'Records accepted: with those recovered, equals confirmed + dead-lettered + damaged + abandoned + every state of sluice_records.',
    (s) => s.records.accepted,
  ),
  counter(
    'sluice_records_recovered_total',
    'Records that an earlier process left in the spool.',
    (s) => s.records.recovered,
  ),
  counter('sluice_records_confirmed_total', 'Records acknowledged by Kafka.', (s) => s.records.confirmed),
  counter(
    'sluice_records_dead_lettered_total',
    'Accepted records that Kafka refused for good.',
    (s) => s.records.deadLettered,
  ),
  counter(
    'sluice_records_damaged_total',
    'Records lost with a damaged place on the spool’s disk.',
    (s) => s.records.damaged,
  ),
  counter(
    'sluice_records_abandoned_total',
    'Records not confirmed when their process crashed; those on its disk are counted again as recovered.',
    (s) => s.records.abandoned,
  ),
  gauge(
    'sluice_records',
    'Records not yet confirmed: in an open batch, in flight to Kafka, or in the spool.',
    unconfirmed,
    'state',
  ),

  gauge('sluice_kafka_connected', '1 while Kafka answers, else 0.', (s) => flag(s.kafka.connected)),
  gauge('sluice_kafka_partitions', 'Partitions of the metrics topic.', (s) => s.kafka.partitions),
  counter(
    'sluice_kafka_batches_confirmed_total',
    'Record batches acknowledged by Kafka.',
    (s) => s.kafka.batchesConfirmed,
  ),
  counter(
    'sluice_kafka_sent_bytes_total',
    'Bytes of record batches sent to Kafka.',
    (s) => s.kafka.bytesSent,
  ),
  counter('sluice_kafka_retries_total', 'Record batches sent again after a failure.', (s) => s.kafka.retries),
  gauge('sluice_kafka_buffer_bytes', 'Unconfirmed records in memory.', (s) => s.kafka.bufferBytes),
  gauge(
    'sluice_kafka_buffer_capacity_bytes',
    'The limit of unconfirmed records in memory (KAFKA_BUFFER_BYTES).',
    (s) => s.kafka.bufferCapacityBytes,
  ),
  gauge(
    'sluice_kafka_oldest_unconfirmed_seconds',
    'Age of the oldest unconfirmed batch, 0 where there is none.',
    (s) => s.kafka.oldestUnconfirmedSeconds,
  ),
  gauge(
    'sluice_kafka_problems',
    'Different reasons why records are not delivered; /stats has them in words.',
    (s) => s.kafka.problems.length,
  ),
  gauge(
    'sluice_kafka_held_partitions',
    'Partitions that wait because Kafka refuses their records until somebody changes something.',
    (s) => s.kafka.heldPartitions,
  ),
  counter(
    'sluice_kafka_throttled_seconds_total',
    'Time that brokers made the gateway wait because of a quota.',
    (s) => s.kafka.throttledSeconds,
  ),

  gauge('sluice_spool_bytes', 'Bytes of the spool on disk.', (s) => s.spool.bytes),
  gauge('sluice_spool_capacity_bytes', 'The spool’s limit (SPOOL_MAX_BYTES).', (s) => s.spool.capacityBytes),
  gauge(
    'sluice_spool_partitions',
    'Partitions whose batches go through the disk.',
    (s) => s.spool.partitions,
  ),
  gauge(
    'sluice_spool_oldest_seconds',
    'Age of the oldest record in the spool, 0 where it is empty.',
    (s) => s.spool.oldestSeconds,
  ),
  gauge(
    'sluice_spool_other_topics_records',
    'Records in the spool of topics that KAFKA_TOPIC_METRICS does not name; /stats names the topics.',
    (s) => s.spool.otherRecords,
  ),
  gauge('sluice_spool_writable', '0 while the disk does not take batches or give them back, else 1.', (s) =>
    flag(s.spool.trouble === null),
  ),
  counter(
    'sluice_spool_batches_written_total',
    'Record batches written to the spool.',
    (s) => s.spool.batchesWritten,
  ),
  counter(
    'sluice_spool_bad_batches_total',
    'Damaged places in the spool that were passed over.',
    (s) => s.spool.badBatches,
  ),
  counter(
    'sluice_dead_letters_total',
    'Refused lines and records that the dead letters’ topic has acknowledged.',
    (s) => s.deadLetters.sent,
  ),
  counter(
    'sluice_dead_letters_dropped_total',
    'Refused lines that were not kept: over the rate, or no room.',
    (s) => s.deadLetters.dropped,
  ),
  gauge(
    'sluice_dead_letters_waiting',
    'Dead letters that Kafka has not acknowledged, in memory or on disk.',
    (s) => s.deadLetters.waiting,
  ),
  gauge('sluice_dead_letters_disk_bytes', 'Bytes of dead letters on disk.', (s) => s.deadLetters.bytes),

  // The names prom-client's own collectDefaultMetrics gives these, so that common dashboards find them. Not
  // collected by it: its timers and observers would measure a second time what the snapshot holds.
  gauge('process_resident_memory_bytes', 'Resident memory.', (s) => s.process.residentBytes),
  counter('process_cpu_seconds_total', 'User and system CPU time.', (s) => s.process.cpuSeconds),
  gauge('nodejs_heap_size_used_bytes', 'JavaScript heap in use.', (s) => s.process.heapUsedBytes),
  gauge(
    'nodejs_eventloop_lag_p99_seconds',
    "99th percentile of the event loop's lateness over the last 30 s.",
    (s) => s.process.eventLoopLagP99Seconds,
  ),
];

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/**
 * The Prometheus text of one snapshot. The registry lives for one scrape: a prom-client Counter can only
 * grow, and here the totals are counted elsewhere, so a new one takes the total as its first increment. No
 * state, and two scrapes at once cannot mix.
 */
export async function renderMetrics(snapshot: Snapshot): Promise<string> {
  const registry = new Registry();
  for (const { name, type, help, label, read } of METRICS) {
    const config = { name, help, labelNames: label === undefined ? [] : [label], registers: [registry] };
    const metric = type === 'counter' ? new Counter(config) : new Gauge(config);
    const value = read(snapshot);
    if (typeof value === 'number') {
      metric.inc(value);
    } else if (label !== undefined) {
      for (const [labelValue, part] of Object.entries(value)) metric.inc({ [label]: labelValue }, part);
    }
  }
  return registry.metrics();
}

/** Every code of the table, also those that never happened: a series that appears late hides its first increase. */
function refusals(snapshot: Snapshot): Record<string, number> {
  return Object.fromEntries(CODE_NAMES.map((code) => [code, snapshot.lines.refused[code]]));
}

function unconfirmed({ records }: Snapshot): Record<string, number> {
  return { open: records.open, in_flight: records.inFlight, spooled: records.spooled };
}

function flag(value: boolean): number {
  return value ? 1 : 0;
}

function counter(name: string, help: string, read: Metric['read'], label?: string): Metric {
  return { name, type: 'counter', help, read, ...(label !== undefined && { label }) };
}

function gauge(name: string, help: string, read: Metric['read'], label?: string): Metric {
  return { name, type: 'gauge', help, read, ...(label !== undefined && { label }) };
}
