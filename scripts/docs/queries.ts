// Queries and alerts for operators: docs/metrics.md shows both, and examples/prometheus-rules.yml has the alerts for
// Prometheus. A test parses each expression, and holds that its metrics exist.
import { textTable } from './markdown.ts';

export interface Query {
  readonly shows: string;
  readonly expr: string;
}

export interface Alert {
  readonly name: string;
  readonly expr: string;
  /** In Prometheus's syntax. */
  readonly for: string;
  readonly severity: 'page' | 'ticket';
  readonly says: string;
}

const quantile = (share: number, metric: string) =>
  `histogram_quantile(${share}, sum by (le) (rate(${metric}_bucket[5m])))`;

export const QUERIES: readonly Query[] = [
  { shows: 'records a second into Kafka', expr: 'sum(rate(sluice_records_confirmed_total[5m]))' },
  { shows: 'bytes a second from devices', expr: 'sum(rate(sluice_received_bytes_total[5m]))' },
  {
    shows: 'seconds until 99 % of the lines are told `stored`',
    expr: quantile(0.99, 'sluice_line_to_stored_seconds'),
  },
  {
    shows: 'seconds until Kafka has 99 % of the records',
    expr: quantile(0.99, 'sluice_line_to_kafka_seconds'),
  },
  {
    shows: 'the part of it that is the round trip to Kafka',
    expr: quantile(0.99, 'sluice_kafka_produce_seconds'),
  },
  { shows: 'the part of it that is the queue', expr: quantile(0.99, 'sluice_queue_wait_seconds') },
  { shows: 'seconds of a sync of the disk', expr: quantile(0.99, 'sluice_spool_sync_seconds') },
  {
    shows: 'records of a batch, on average',
    expr: 'sum(rate(sluice_kafka_batch_records_sum[5m])) / sum(rate(sluice_kafka_batch_records_count[5m]))',
  },
  {
    shows: 'how late the event loop is in 99 % of the time',
    expr: quantile(0.99, 'sluice_event_loop_delay_seconds'),
  },
  { shows: 'cores that each process uses', expr: 'rate(sluice_process_cpu_seconds_total[5m])' },
  {
    shows: 'refused lines, by code',
    expr: 'sum by (code) (rate(sluice_refusals_total[5m]))',
  },
  {
    shows: 'connections that end, by reason',
    expr: 'sum by (reason) (rate(sluice_connections_closed_total[5m]))',
  },
  {
    shows: 'seconds until the spool is full, at the pace of the last 15 minutes',
    expr: '(sluice_spool_capacity_bytes - sluice_spool_bytes) / (deriv(sluice_spool_bytes[15m]) > 0)',
  },
];

export const ALERTS: readonly Alert[] = [
  {
    name: 'SluiceUnaccounted',
    expr: 'sluice_unaccounted_records != 0 or sluice_unaccounted_lines != 0',
    for: '1m',
    severity: 'page',
    says: 'Lines or records are in no state that they can have: a bug. Keep the log and the spool, and report it.',
  },
  {
    name: 'SluiceNotReady',
    expr: 'sluice_ready == 0',
    for: '1m',
    severity: 'page',
    says: 'Data sent now would not be kept, or the gateway stops. /readyz says why.',
  },
  {
    name: 'SluiceRecordsLost',
    expr: 'increase(sluice_records_damaged_total[1h]) > 0',
    for: '0m',
    severity: 'page',
    says: 'The disk of the spool has damaged records. Replace it.',
  },
  {
    name: 'SluiceOutage',
    expr: 'sluice_spool_oldest_seconds > 120',
    for: '1m',
    severity: 'page',
    says: 'Records have waited in the spool for two minutes. Kafka does not take them. Nothing is lost yet.',
  },
  {
    name: 'SluiceSpoolNearlyFull',
    expr: 'sluice_spool_fullest_ratio > 0.8',
    for: '1m',
    severity: 'page',
    says: 'When the spool is full, devices are paused. Bring Kafka back, or raise SPOOL_MAX_BYTES.',
  },
  {
    name: 'SluiceSpoolFullInAnHour',
    expr: 'predict_linear(sluice_spool_bytes[15m], 3600) > sluice_spool_capacity_bytes',
    for: '5m',
    severity: 'ticket',
    says: 'At this pace the spool is full within an hour.',
  },
  {
    name: 'SluiceDiskRefuses',
    expr: 'sluice_spool_writable == 0',
    for: '1m',
    severity: 'page',
    says: 'The disk of the spool takes no records. /readyz?verbose says why.',
  },
  {
    name: 'SluiceStoredSlowly',
    expr: `${quantile(0.99, 'sluice_line_to_stored_seconds')} > 1`,
    for: '5m',
    severity: 'ticket',
    says: 'One line of a hundred waits longer than a second for its `stored`. The queries show in which part.',
  },
  {
    name: 'SluiceDevicesPaused',
    expr: 'sluice_connections_paused > 0.5 * (sluice_connections > 10)',
    for: '5m',
    severity: 'ticket',
    says: 'Half of the devices are held back: the gateway, Kafka or the disk is too slow for them.',
  },
  {
    name: 'SluiceNearlyFull',
    expr: 'sluice_connections > 0.9 * sluice_connections_max',
    for: '5m',
    severity: 'ticket',
    says: 'At TCP_MAX_CONNECTIONS new devices are answered server_full.',
  },
  {
    name: 'SluiceProcessDown',
    expr: 'sluice_process_up == 0',
    for: '30s',
    severity: 'ticket',
    says: 'A server process hangs or is gone. It is started again; if that goes on, look at its log.',
  },
  {
    name: 'SluiceProcessCrashed',
    expr: 'increase(sluice_process_restarts_total[15m]) > 0',
    for: '0m',
    severity: 'ticket',
    says: 'A server process crashed and was started again. The log has the reason.',
  },
  {
    name: 'SluiceRecordsRefused',
    expr: 'increase(sluice_records_dead_lettered_total[15m]) > 0',
    for: '0m',
    severity: 'ticket',
    says: 'Kafka refused records for good. The topic of dead letters has them with the reason.',
  },
  {
    name: 'SluiceKafkaThrottles',
    expr: 'rate(sluice_kafka_throttled_seconds_total[5m]) > 0.1',
    for: '10m',
    severity: 'ticket',
    says: 'A quota of the brokers slows the gateway down. Raise it for the client id or the user.',
  },
  {
    name: 'SluiceCertificateExpires',
    expr: 'sluice_tls_certificate_remaining_seconds < 14 * 86400',
    for: '1h',
    severity: 'ticket',
    says: 'Renew the certificate of the TLS port. The new file is read without a restart.',
  },
];

/** The two sections of docs/metrics.md. */
export function querySections(): string {
  const queries = QUERIES.map(({ shows, expr }) => [shows, `\`${expr}\``]);
  const alerts = ALERTS.map(({ name, expr, for: time, severity, says }) => [
    name,
    `\`${expr}\``,
    time,
    severity,
    says,
  ]);
  return `## Queries
${textTable(['shows', 'PromQL'], queries)}

## Alerts
[examples/prometheus-rules.yml](../examples/prometheus-rules.yml) has them for \`rule_files\` of Prometheus. \`page\` wakes somebody up, \`ticket\` can wait until the morning. Change the limits to what your devices need.

${textTable(['alert', 'PromQL', 'for', 'severity', 'what to do'], alerts)}
`;
}

/** A file of rules for Prometheus. */
export function rulesFile(): string {
  const rules = ALERTS.map(
    ({ name, expr, for: time, severity, says }) => `      - alert: ${name}
        expr: ${JSON.stringify(expr)}
        for: ${time}
        labels:
          severity: ${severity}
        annotations:
          summary: ${JSON.stringify(says)}
`,
  );
  return `# Generated from scripts/docs/queries.ts by \`npm run docs\`. Do not edit. For rule_files of Prometheus.
groups:
  - name: sluice
    rules:
${rules.join('')}`;
}
