// The rows of the dashboard on Kafka and its topics.
import { EACH, figure, lines, NOT_ONE, NOT_ZERO, type Row, rate } from './panel.ts';

export const KAFKA: Row = {
  title: 'Kafka',
  panels: [
    figure(
      {
        title: 'Connected',
        help: 'Whether Kafka answers. If not, records wait in the spool.',
        page: 'operations.md#sluicekafkaunreachable',
      },
      'short',
      { expr: 'sluice_kafka_connected', legend: EACH },
      { thresholds: NOT_ONE, words: { 0: 'no', 1: 'yes' } },
    ),
    figure(
      {
        title: 'Reasons that keep records from Kafka',
        help: '/stats has them in words.',
        page: 'operations.md#component-kafka',
      },
      'short',
      { expr: 'sluice_kafka_problems', legend: EACH },
      { thresholds: NOT_ZERO },
    ),
    figure(
      {
        title: 'Partitions that Kafka refuses records of',
        help: 'They wait until somebody changes something.',
        page: 'operations.md#sluicepartitionsheld',
      },
      'short',
      { expr: 'sluice_kafka_held_partitions', legend: EACH },
      { thresholds: NOT_ZERO },
    ),
    figure(
      {
        title: 'The clock of the broker is ahead by',
        help: 'Known only for topics with message.timestamp.type=LogAppendTime.',
        page: 'operations.md#component-clock',
      },
      's',
      { expr: 'sluice_clock_offset_seconds', legend: EACH },
      {
        thresholds: [
          ['red', -3600],
          ['green', -5],
          ['red', 5],
        ],
      },
    ),
    lines(
      { title: 'Bytes to Kafka', help: 'Bytes of batches a second, compressed.', page: 'metrics.md' },
      'Bps',
      [{ expr: rate('sluice_kafka_sent_bytes_total'), legend: EACH }],
    ),
    lines(
      {
        title: 'Records of a batch, on average',
        help: 'Larger batches cost the brokers less.',
        page: 'architecture.md',
      },
      'short',
      [
        {
          expr: `${rate('sluice_kafka_batch_records_sum')} / ${rate('sluice_kafka_batch_records_count')}`,
          legend: EACH,
        },
      ],
    ),
    lines(
      {
        title: 'Batches sent again',
        help: 'Batches a second that Kafka did not take the first time.',
        page: 'delivery-guarantees.md#what-an-answer-of-kafka-means',
      },
      'ops',
      [{ expr: rate('sluice_kafka_retries_total'), legend: EACH }],
    ),
    lines(
      {
        title: 'Oldest record that Kafka has not acknowledged',
        help: 'In memory and in the spool.',
        page: 'operations.md#sluiceoutage',
      },
      's',
      [
        { expr: 'sluice_kafka_oldest_unconfirmed_seconds', legend: `${EACH} memory` },
        { expr: 'sluice_spool_oldest_seconds', legend: `${EACH} spool` },
      ],
      {
        thresholds: [
          ['green', 0],
          ['red', 120],
        ],
      },
    ),
    lines(
      {
        title: 'Memory for unconfirmed records',
        help: 'As a part of KAFKA_BUFFER_BYTES. At 1 devices are paused.',
        page: 'operations.md#component-buffer',
      },
      'percentunit',
      [{ expr: 'sluice_kafka_buffer_bytes / sluice_kafka_buffer_capacity_bytes', legend: EACH }],
      { max: 1 },
    ),
    lines(
      {
        title: 'Waits for a quota',
        help: 'Seconds in each second that the brokers make the gateway wait.',
        page: 'operations.md#sluicekafkathrottles',
      },
      's',
      [{ expr: rate('sluice_kafka_throttled_seconds_total'), legend: EACH }],
    ),
  ],
};

export const DEAD_LETTERS_AND_PRESENCE: Row = {
  title: 'Dead letters and presence',
  panels: [
    lines(
      {
        title: 'Dead letters a second',
        help: 'Refused lines and records that the topic of dead letters has, and lines that were not kept.',
        page: 'operating.md#dead-letters',
      },
      'ops',
      [
        { expr: rate('sluice_dead_letters_total'), legend: `${EACH} kept` },
        { expr: rate('sluice_dead_letters_dropped_total'), legend: `${EACH} not kept` },
      ],
    ),
    lines(
      {
        title: 'Records that Kafka refused for good',
        help: 'Records a second. The topic of dead letters has them.',
        page: 'operations.md#sluicerecordsrefused',
      },
      'ops',
      [{ expr: rate('sluice_records_dead_lettered_total'), legend: EACH }],
    ),
    lines(
      {
        title: 'Dead letters and presence records that wait',
        help: 'Kafka has not acknowledged them.',
        page: 'operations.md#component-dead_letters',
      },
      'short',
      [
        { expr: 'sluice_dead_letters_waiting', legend: `${EACH} dead letters` },
        { expr: 'sluice_presence_waiting', legend: `${EACH} presence` },
      ],
    ),
  ],
};
