// Log lines about Kafka: its brokers, topics and answers. Those about records on disk are in spool.ts.
import type { LineTable } from '../line.ts';

const LOST_NOTHING = 'Nothing is lost.';

export const KAFKA_LINES = {
  kafka_usable: {
    level: 'info',
    text: 'Kafka is reachable, records are flowing',
    fields: { brokers: 'texts' },
    meaning: 'For the first time since the start, each leader of the topic is connected.',
  },
  kafka_outage_began: {
    level: 'warn',
    text: '{what}: {reason}. Devices are served, and {whose} go to the spool on disk ({directory}), which has room for {roomBytes}; nothing is dropped{advice}',
    fields: {
      what: 'words',
      whose: 'words',
      advice: 'words',
      brokers: 'texts',
      directory: 'text',
      isPartial: 'flag',
      reason: 'text',
      roomBytes: 'bytes',
    },
    meaning: `Kafka takes no readings, or those of some partitions not (\`isPartial\`). They wait on disk and are sent later, in order. Devices get \`stored\` as always. ${LOST_NOTHING} A line each minute says how much waits and how long the disk lasts.`,
    look: '`curl -s localhost:9108/readyz?verbose`, and the brokers’ own logs',
    remedy: 'Do what `reason` says. The gateway connects by itself. Watch how long the disk lasts.',
  },
  kafka_outage_continues: {
    level: 'warn',
    text: 'Kafka outage for {durationMs}: {waiting} readings wait, {spoolBytes} on disk, and {outlook}. {reason}',
    fields: {
      outlook: 'words',
      durationMs: 'ms',
      waiting: 'count',
      spooled: 'count',
      spoolBytes: 'bytes',
      lastsMs: 'ms?',
      pausedConnections: 'count',
      reason: 'text',
    },
    meaning:
      'Once a minute during an outage, or when its reason has become another one. `lastsMs` is the time until the spool is full at the rate of the last minute. After that readings wait in memory, and when that is full, devices are paused.',
    look: '`sluice_spool_bytes`, `sluice spool ls`, `df -h` of `SPOOL_DIR`',
    remedy:
      'Bring Kafka back. If that will take longer than the disk lasts: make space, raise `SPOOL_MAX_BYTES` and restart.',
  },
  kafka_returned: {
    level: 'info',
    text: 'Kafka takes readings again, after {durationMs}. {spooled} readings wait on disk and are being sent',
    fields: { durationMs: 'ms', waiting: 'count', spooled: 'count' },
    meaning: 'The brokers are back. What waits on disk is sent, oldest first; a line says when that is done.',
  },
  backlog_draining: {
    level: 'info',
    text: '{spooled} readings still wait on disk ({spoolBytes}); {perSecond} a second are sent',
    fields: { spooled: 'count', spoolBytes: 'bytes', perSecond: 'count' },
    meaning: 'Once a minute after an outage, until everything that waited is sent.',
  },
  kafka_outage_over: {
    level: 'info',
    text: 'The Kafka outage is over. It lasted {durationMs}, and {outcome}',
    fields: { outcome: 'words', durationMs: 'ms', waited: 'count', sent: 'count' },
    meaning:
      'Everything that waited is sent, and new readings go straight to Kafka. `waited` is the largest number that waited at once. `sent` counts all readings that Kafka has taken since its return.',
  },
  topic_trouble_began: {
    level: 'debug',
    text: 'Topic {topic} cannot be used: {reason}',
    fields: { topic: 'text', reason: 'text', isPartial: 'flag' },
    meaning: 'What one process finds about one topic. The lines of the outage say the same once for all.',
  },
  topic_trouble_ended: {
    level: 'debug',
    text: 'Topic {topic}: each leader is connected',
    fields: { topic: 'text', partitions: 'number?' },
    meaning: 'The end of `topic_trouble_began`, for one topic in one process.',
  },
  cluster_changed: {
    level: 'warn',
    once: true,
    text: 'Another Kafka cluster answers at the same address; records go to it under a new producer id',
    fields: { clusterId: 'text?', before: 'text?' },
    meaning: 'The brokers were replaced, or the address leads to another cluster. Records go to the new one.',
    remedy: 'If that was not intended, correct `KAFKA_BROKERS` or its DNS name, and restart.',
  },
  topic_created: {
    level: 'info',
    text: 'Topic {topic} created',
    fields: { topic: 'text', partitions: 'number' },
    meaning: 'The topic was missing, and the gateway has created it.',
  },
  topic_created_again: {
    level: 'info',
    text: 'Topic {topic} created again',
    fields: { topic: 'text', partitions: 'number' },
    meaning: 'The topic was deleted while the gateway ran, and the gateway has created it again.',
  },
  topic_has_fewer_partitions: {
    level: 'warn',
    once: true,
    text: 'Topic {topic} has {partitions} partitions now and had {before}: somebody deleted it and created it again. Records of the partitions that are gone go to those that are left; nothing is dropped',
    fields: { topic: 'text', partitions: 'number', before: 'number', brokers: 'numbers' },
    meaning:
      'The topic has fewer partitions than before. Keys may be in other partitions from now on. `brokers` are the ids of those that said so.',
    look: '`kafka-topics.sh --describe --topic TOPIC`',
    remedy: 'If the number matters to readers, create the topic again with the former number of partitions.',
  },
  other_topic_failed: {
    level: 'warn',
    once: true,
    text: '{explanation}',
    fields: { explanation: 'words', topic: 'text' },
    meaning:
      'A topic that the gateway should create, and does not write to itself, is missing. No record waits for it.',
    remedy: 'Create the topic, or give the gateway the right that the text names.',
  },
  other_topic_not_looked_for: {
    level: 'debug',
    text: '{explanation}',
    fields: { explanation: 'words', topic: 'text' },
    meaning: 'No broker could be asked about a topic that the gateway should create. It is tried again.',
  },
  topic_limit_warned: {
    level: 'warn',
    once: true,
    text: '{warning}',
    fields: { warning: 'words', topic: 'text' },
    meaning: 'A setting of the topic may make Kafka refuse or drop records. The text says which, and when.',
    look: '`kafka-configs.sh --describe --entity-type topics --entity-name TOPIC --all`',
    remedy: 'Change the setting of the topic or of the gateway that the text names.',
  },
  topic_limits_unreadable: {
    level: 'debug',
    text: 'Could not read the limits of topic {topic}',
    fields: { topic: 'text', err: 'error' },
    meaning:
      'The gateway may not read the settings of the topic. It finds out about limits when Kafka refuses a batch.',
  },
  leaders_asked: {
    level: 'debug',
    text: 'Asking Kafka for the partitions’ leaders',
    fields: { reason: 'text' },
    meaning: 'Leaders are looked up again, for the given reason.',
  },
  quota_throttled: {
    level: 'debug',
    text: 'Kafka makes the gateway wait because of a quota. Batches wait in memory; if it fills, devices are paused. Nothing is lost. Raise the quota of the client id or the user (kafka-configs)',
    fields: { throttledMs: 'ms' },
    everyMs: 60_000,
    meaning:
      'A quota of the brokers slows the gateway down. `throttledMs` is the time waited since the start.',
    look: '`kafka-configs.sh --describe --entity-type clients` and `--entity-type users`.',
    remedy:
      'Raise the quota: `kafka-configs.sh --alter --add-config producer_byte_rate=BYTES --entity-type clients --entity-name CLIENT_ID`.',
  },
  login_token_not_renewed: {
    level: 'warn',
    text: 'The token for the login to Kafka could not be renewed. The old one serves for {remainingMs} more. {reason}',
    fields: { reason: 'text', remainingMs: 'ms' },
    everyMs: 60_000,
    meaning:
      'The token endpoint gives no new token. New connections log in with the old one until it ends, then readings wait on disk. It is asked again whenever a connection is made.',
    look: 'the log of the token endpoint',
    remedy: 'Do what `reason` says. The gateway goes on by itself.',
  },
  kafkajs_said: {
    level: 'debug',
    text: 'kafkajs: {message}',
    fields: { message: 'text' },
    meaning: 'A message of the library that makes the connections. What matters of it has a line of its own.',
  },
  batch_not_taken: {
    level: 'debug',
    text: 'Kafka did not take a batch, trying again; nothing is lost',
    fields: { topic: 'text', partition: 'number', attempts: 'number?', reason: 'text', remedy: 'text?' },
    everyMs: 10_000,
    meaning: 'A batch was refused or not answered. The same bytes are sent again, so nothing is there twice.',
    remedy:
      'Nothing if it passes. Else do what `remedy` says. All errors: [delivery-guarantees.md](delivery-guarantees.md#what-an-answer-of-kafka-means).',
  },
  refused_record_searched: {
    level: 'warn',
    text: 'Kafka refuses a record of a batch, looking for it',
    fields: { topic: 'text', partition: 'number', records: 'count', reason: 'text' },
    everyMs: 10_000,
    meaning:
      'Kafka refuses a batch because of one record. The batch is halved until that record stands alone; it becomes a dead letter, and the others are stored.',
    look: '`sluice dead show`, or the topic of `KAFKA_TOPIC_DEAD_LETTERS`.',
    remedy:
      'Look at the dead letter for what is wrong with the record. Once that is mended, `sluice dead resend` sends it again.',
  },
  producer_id_renewed: {
    level: 'warn',
    text: 'Kafka lost track of the producer sequence, going on under a new producer id; a batch may be there twice',
    fields: { topic: 'text', partition: 'number', reason: 'text' },
    everyMs: 10_000,
    meaning:
      'The broker has forgotten the producer, for example because the topic was created again. One batch may be in Kafka twice. Nothing is missing.',
    remedy: 'Readers that mind duplicates compare `device_id` and `seq`.',
  },
  records_out_of_order: {
    level: 'warn',
    text: 'The topic was created again while several batches were in flight, and Kafka took a later one first: some records are out of order and there twice',
    fields: { topic: 'text', partition: 'number', reason: 'text' },
    meaning:
      'Around the moment of the deletion, some records of the partition are out of order and twice in Kafka.',
    remedy: 'Readers that mind compare `device_id` and `seq`. Do not delete a topic that is written to.',
  },
} as const satisfies LineTable;
