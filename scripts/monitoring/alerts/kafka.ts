// Alerts on the way to Kafka, and on records that Kafka refuses.
import { type Alert, gateways, grew } from './alert.ts';

export const KAFKA_ALERTS: readonly Alert[] = [
  {
    name: 'SluiceOutage',
    expr: 'sluice_spool_oldest_seconds > 120 or sluice_kafka_oldest_unconfirmed_seconds > 120',
    for: '1m',
    severity: 'page',
    summary:
      'Records have waited in {{ $labels.instance }} for more than two minutes: Kafka does not take them.',
    meaning:
      'Devices are served, and nothing is lost while the spool has room. Readers of the topic see nothing new of some or all devices. After an outage the alert goes on until what waited is sent.',
    confirm:
      '`curl -s localhost:9108/health`: the components `kafka`, `topic` and `spool` have the reason and what to do. The log tells the outage once a minute (`kafka_outage_continues`).',
    remedy:
      'Bring the brokers back, or do what the reason says. The log says how long the disk lasts. Records are sent by themselves after that, in their order.',
    cases: [
      gateways('3m', [['sluice_spool_oldest_seconds', '121+60x5', '120+0x5']]),
      gateways('3m', [['sluice_kafka_oldest_unconfirmed_seconds', '121+0x5', '120+0x5']]),
    ],
  },
  {
    name: 'SluiceKafkaUnreachable',
    expr: 'sluice_kafka_connected == 0',
    for: '5m',
    severity: 'ticket',
    summary: '{{ $labels.instance }} has had no answer from Kafka for five minutes.',
    meaning:
      'Readings wait in the spool. If there are any, [SluiceOutage](#sluiceoutage) fires too, and wakes somebody up. This alert also tells it while no device sends.',
    confirm:
      'From its machine: `nc -vz BROKER PORT` for each address in `KAFKA_BROKERS`; `sluice check` names what is wrong with each broker.',
    remedy:
      'See whether the brokers run, and whether their `advertised.listeners` can be reached from there. The gateway connects by itself.',
    cases: [gateways('6m', [['sluice_kafka_connected', '0+0x10', '0 0 0 1 0 0 0']])],
  },
  {
    name: 'SluicePartitionsHeld',
    expr: 'sluice_kafka_held_partitions > 0',
    for: '5m',
    severity: 'ticket',
    summary: 'Kafka refuses every record of some partitions of {{ $labels.instance }}.',
    meaning:
      'The topic, the broker or a clock is at fault and not the records. They wait in the spool; other partitions flow.',
    confirm: '`curl -s localhost:9108/health`: the component `topic` has the finding `held` and the reason.',
    remedy: 'The reason says what to do. The partitions are tried again every few seconds.',
    cases: [gateways('6m', [['sluice_kafka_held_partitions', '1+0x10', '1 1 1 0 1 1 1']])],
  },
  {
    name: 'SluiceMemoryFull',
    expr: 'sluice_kafka_buffers_full > 0',
    for: '1m',
    severity: 'page',
    summary: 'Memory for unconfirmed records is full in {{ $labels.instance }}, and devices are paused.',
    meaning:
      'Neither Kafka nor the spool takes records fast enough. Nothing is dropped. Devices that cannot wait lose their own readings.',
    confirm:
      "`curl -s 'localhost:9108/readyz?verbose'`; `sluice_kafka_buffer_bytes` against `sluice_kafka_buffer_capacity_bytes`.",
    remedy:
      'See [Kafka](#component-kafka) and the [spool](#component-spool): records leave memory when one of them takes records again. If it happens at peaks only, raise `KAFKA_BUFFER_BYTES`.',
    cases: [gateways('3m', [['sluice_kafka_buffers_full', '1+0x5', '1 0 1 0 1']])],
  },
  {
    name: 'SluiceKafkaThrottles',
    expr: 'rate(sluice_kafka_throttled_seconds_total[5m]) > 0.1',
    for: '10m',
    severity: 'ticket',
    summary: 'A quota of Kafka slows {{ $labels.instance }} down.',
    meaning: 'Batches wait in memory; if it is full, devices are paused. Nothing is lost.',
    confirm: '`kafka-configs.sh --describe --entity-type clients` or `users` shows the quotas.',
    remedy: 'Raise the quota of the client id (`KAFKA_CLIENT_ID`) or of the user.',
    cases: [gateways('20m', [['sluice_kafka_throttled_seconds_total', '0+6.6x30', '0+6x30']])],
  },
  {
    name: 'SluiceStoredSlowly',
    expr: 'histogram_quantile(0.99, rate(sluice_line_to_stored_seconds_bucket[5m])) > 1',
    for: '5m',
    severity: 'ticket',
    summary:
      'One line of a hundred waits in {{ $labels.instance }} for more than a second until it is told `stored`.',
    meaning: 'Devices that wait for `stored` are slower. Nothing is lost.',
    confirm:
      'The row Latency of the dashboard, or the [queries](metrics.md#queries), show which part is slow: the queue, the round trip to Kafka, or the disk.',
    remedy:
      'Queue: more CPU or `TCP_PROCESSES`. Round trip: the brokers and the network. Disk: a faster disk for `SPOOL_DIR`.',
    cases: [
      gateways(
        '12m',
        [
          ['sluice_line_to_stored_seconds_bucket{le="1"}', '0+980x20', '0+990x20'],
          ['sluice_line_to_stored_seconds_bucket{le="2"}', '0+1000x20', '0+1000x20'],
          ['sluice_line_to_stored_seconds_bucket{le="+Inf"}', '0+1000x20', '0+1000x20'],
        ],
        { labels: {} },
      ),
    ],
  },
  {
    name: 'SluiceRecordsRefused',
    expr: grew('sluice_records_dead_lettered_total', '15m', 900),
    for: '0m',
    severity: 'ticket',
    summary: 'Kafka has refused records of {{ $labels.instance }} for good.',
    meaning:
      'These records are not in the topic. The topic of dead letters has them, each with its reason, so nothing is lost.',
    confirm: '`sluice dead ls`, then `sluice dead show`.',
    remedy:
      'Mend the cause, often a limit of the topic such as `max.message.bytes`, then send them again: `sluice dead resend`.',
    cases: [
      gateways('3m', [
        ['sluice_records_dead_lettered_total', '3 3 4 4', '4 4 4 4'],
        ['sluice_uptime_seconds', '9000+60x5', '900+60x5'],
      ]),
      gateways('3m', [
        ['sluice_records_dead_lettered_total', '4+0x5', '0+0x5'],
        ['sluice_uptime_seconds', '0+60x5', '0+60x5'],
      ]),
    ],
  },
  {
    name: 'SluiceDeadLettersWaiting',
    expr: 'sluice_dead_letters_waiting > 0 unless sluice_kafka_connected == 0',
    for: '30m',
    severity: 'ticket',
    summary: 'Dead letters wait in {{ $labels.instance }}: their topic does not take them.',
    meaning:
      'Readings are not affected until `SPOOL_DEAD_BYTES` are full; then the partition of a refused record waits for its letter.',
    confirm:
      '`curl -s localhost:9108/health`: the component `dead_letters` has the reason; `sluice spool ls`.',
    remedy:
      'Make the topic of `KAFKA_TOPIC_DEAD_LETTERS` take records: it has to exist, and the gateway needs the right to write. They are sent by themselves after that.',
    cases: [
      gateways('40m', [
        ['sluice_dead_letters_waiting', '1+0x50', '1+0x50'],
        ['sluice_kafka_connected', '1+0x50', '0+0x50'],
      ]),
      gateways('40m', [
        ['sluice_dead_letters_waiting', '1+0x50', '0+0x50'],
        ['sluice_kafka_connected', '1+0x50', '1+0x50'],
      ]),
    ],
  },
  {
    name: 'SluiceDeadLettersDropped',
    expr: grew('sluice_dead_letters_dropped_total', '15m', 900),
    for: '0m',
    severity: 'ticket',
    summary: '{{ $labels.instance }} refuses more lines than it keeps as dead letters.',
    meaning:
      'The devices were told that these lines are refused. The lines themselves are not in the topic of dead letters: there were more than 100 a second, or no room.',
    confirm:
      '`sum by (code) (rate(sluice_refusals_total[15m]))` has the codes; `/refusals` of the admin port has the last line of each.',
    remedy:
      'Mend or block the devices that send them: `sluice connections` sorts by errors, `sluice kick` closes.',
    cases: [
      gateways('3m', [
        ['sluice_dead_letters_dropped_total', '0 0 9 9', '9 9 9 9'],
        ['sluice_uptime_seconds', '9000+60x5', '900+60x5'],
      ]),
      gateways('3m', [
        ['sluice_dead_letters_dropped_total', '4+0x5', '0+0x5'],
        ['sluice_uptime_seconds', '0+60x5', '0+60x5'],
      ]),
    ],
  },
  {
    name: 'SluicePresenceDropped',
    expr: grew('sluice_presence_dropped_total', '15m', 900),
    for: '0m',
    severity: 'ticket',
    summary: '{{ $labels.instance }} could not keep states of connections for the topic of presence.',
    meaning:
      'Readings are not affected. The topic of `KAFKA_TOPIC_PRESENCE` may show devices as connected that are gone, until they connect again.',
    confirm: '`curl -s localhost:9108/health`: the component `presence` has the reason.',
    remedy: 'Make the topic take records, or raise `SPOOL_DEAD_BYTES`, of which presence has an eighth.',
    cases: [
      gateways('3m', [
        ['sluice_presence_dropped_total', '0 0 9 9', '9 9 9 9'],
        ['sluice_uptime_seconds', '9000+60x5', '900+60x5'],
      ]),
      gateways('3m', [
        ['sluice_presence_dropped_total', '4+0x5', '0+0x5'],
        ['sluice_uptime_seconds', '0+60x5', '0+60x5'],
      ]),
    ],
  },
];
