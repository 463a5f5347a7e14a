// The rows of the dashboard on the way of a line: how many come through, and how long it takes.
import { EACH, lines, quantile, quantiles, type Row, rate, rateBy } from './panel.ts';

export const FLOW: Row = {
  title: 'Flow',
  panels: [
    lines(
      { title: 'Lines a second', help: 'Lines from devices.', page: 'metrics.md' },
      'ops',
      [{ expr: rate('sluice_lines_received_total'), legend: EACH }],
      { isStacked: true },
    ),
    lines(
      {
        title: 'Records a second into Kafka',
        help: 'Records that Kafka has acknowledged.',
        page: 'metrics.md',
      },
      'ops',
      [{ expr: rate('sluice_records_confirmed_total'), legend: EACH }],
      { isStacked: true },
    ),
    lines(
      {
        title: 'Lines refused',
        help: 'The part of the lines that is answered with an error.',
        page: 'operations.md#sluicelinesrefused',
      },
      'percentunit',
      [
        {
          expr: `${rate('sluice_lines_refused_total')} / ${rate('sluice_lines_received_total')}`,
          legend: EACH,
        },
      ],
    ),
    lines(
      {
        title: 'Bytes from devices',
        help: 'Bytes a second, and those of the replies.',
        page: 'metrics.md',
      },
      'Bps',
      [
        { expr: rate('sluice_received_bytes_total'), legend: `${EACH} in` },
        { expr: rate('sluice_sent_bytes_total'), legend: `${EACH} out` },
      ],
    ),
    lines(
      {
        title: 'Records not yet confirmed',
        help: 'In an open batch, in flight to Kafka, or in the spool.',
        page: 'architecture.md#the-spool',
      },
      'short',
      [{ expr: 'sum by (state) (sluice_records)', legend: '{{state}}' }],
      { isStacked: true },
    ),
    lines(
      {
        title: 'Plain lines a second',
        help: 'Lines of TCP_LINES_PORT by their fate.',
        page: 'protocol.md#plain-lines',
      },
      'ops',
      [{ expr: rateBy('fate', 'sluice_plain_lines_total'), legend: '{{fate}}' }],
    ),
  ],
};

export const LATENCY: Row = {
  title: 'Latency',
  panels: [
    lines(
      {
        title: 'From a line to `stored`',
        help: 'Seconds until a line is told `stored`. Above a second devices notice.',
        page: 'operations.md#sluicestoredslowly',
      },
      's',
      quantiles('sluice_line_to_stored_seconds'),
    ),
    lines(
      {
        title: 'From a line to Kafka',
        help: 'Seconds until Kafka has acknowledged the record. After an outage records from the spool count with the time that they waited.',
        page: 'metrics.md',
      },
      's',
      quantiles('sluice_line_to_kafka_seconds'),
    ),
    lines(
      {
        title: 'The part that is the round trip to Kafka',
        help: 'Seconds from a Produce request to its answer.',
        page: 'metrics.md',
      },
      's',
      quantiles('sluice_kafka_produce_seconds'),
    ),
    lines(
      {
        title: 'The part that is the queue',
        help: 'Seconds until a worker has handled a line. If it grows, the CPU is used up.',
        page: 'operations.md#component-queue',
      },
      's',
      quantiles('sluice_queue_wait_seconds'),
    ),
    lines(
      {
        title: 'The part that is the disk',
        help: 'Seconds of a sync of the spool.',
        page: 'operations.md#component-spool',
      },
      's',
      quantiles('sluice_spool_sync_seconds'),
    ),
    lines(
      {
        title: 'How late the event loop is',
        help: 'Seconds in 99 % of the time. If it grows, the CPU is used up.',
        page: 'operations.md#sluiceeventlooplate',
      },
      's',
      [{ expr: quantile(0.99, 'sluice_event_loop_delay_seconds'), legend: EACH }],
    ),
  ],
};
