// The findings about the settings of a topic: replicas against acks, its largest message against the longest line, and the
// times that it takes against our clock.

import { bytesText } from '../../config/amounts.ts';
import { sizeText } from '../../config/kinds.ts';
import type { Settings } from '../../config/settings.ts';
import { counted } from '../../health/found.ts';
import type { MetadataAnswer } from '../../kafka/client/control-apis.ts';
import {
  BROKER_LIMITS,
  TOPIC_LIMIT_NAMES,
  type TopicLimits,
  topicLimits,
} from '../../kafka/client/topic-limits.ts';
import type { GatewayTopic } from '../../kafka/topics/gateway-topics.ts';
import { limitWarnings } from '../../kafka/topics/topic-warnings.ts';
import { kafkaError } from '../../kafka/wire/errors.ts';
import { LINES } from '../../log/lines.ts';
import { error, type Finding, note, ok, warning } from '../finding.ts';
import type { KafkaSurvey } from './survey.ts';

const TOPIC = 2;
const BROKER = 4;
/** Room that the gateway leaves for the key, the headers and the fields around a reading, as long as they fit into it. */
const FRAME_BYTES = 1536;

type Topic = MetadataAnswer['topicMetadata'][number];

interface Asked {
  readonly settings: Settings;
  readonly kafka: KafkaSurvey;
}

export async function existingLimits(
  { topic, isCompacted = false }: Pick<GatewayTopic, 'topic' | 'isCompacted'>,
  { found, settings, kafka }: Asked & { found: Topic },
): Promise<Finding[]> {
  const resources = [{ type: TOPIC, name: topic, configNames: TOPIC_LIMIT_NAMES }];
  const answer = await kafka.ask('DescribeConfigs', { resources });
  const [resource] = answer.ok ? answer.value.resources : [];
  if (resource === undefined || resource.errorCode !== 0) {
    const reason = resource === undefined ? 'no answer' : kafkaError(resource.errorCode).name;
    return [
      note({
        name: 'topic_limits_unknown',
        what: `Topic ${topic}: its settings are not known (${reason})`,
        why: LINES.topic_limits_unreadable.meaning,
        remedy:
          'Give the login the right DescribeConfigs on the topic, or compare the settings yourself: kafka-configs.sh --describe --entity-type topics --all',
      }),
      ...inSyncFindings(topic, found, { settings, minInsync: undefined }),
    ];
  }
  const limits = topicLimits(resource.configEntries);
  const size = sizeFinding(`Topic ${topic}`, limits.maxMessageBytes, { settings, name: 'max.message.bytes' });
  return [
    ...inSyncFindings(topic, found, { settings, minInsync: limits.minInsyncReplicas }),
    ...(size === undefined ? [] : [size]),
    ...(await timeFindings(topic, limits, { settings, kafka, isCompacted })),
  ];
}

/** A topic that is missing gets the limits of the broker when it is created. */
export async function newTopicLimits(
  { topic }: { topic: string },
  { settings, kafka }: Asked,
): Promise<Finding[]> {
  const metadata = await kafka.metadata();
  const [broker] = metadata.ok ? metadata.value.brokers : [];
  if (broker === undefined) return [];
  const resources = [{ type: BROKER, name: `${broker.nodeId}`, configNames: BROKER_LIMITS.names }];
  const answer = await kafka.ask('DescribeConfigs', { resources });
  const [resource] = answer.ok ? answer.value.resources : [];
  if (resource === undefined || resource.errorCode !== 0) return [];
  const values = new Map(
    resource.configEntries.map(({ configName, configValue }) => [configName, Number(configValue)]),
  );
  const size = sizeFinding(`Topic ${topic}, once created,`, values.get(BROKER_LIMITS.maxMessageBytes), {
    settings,
    name: `the broker's ${BROKER_LIMITS.maxMessageBytes}`,
  });
  return size === undefined ? [] : [size];
}

function sizeFinding(
  subject: string,
  maxBytes: number | undefined,
  { settings, name }: { settings: Settings; name: string },
): Finding | undefined {
  if (maxBytes === undefined) return undefined;
  const { TCP_MAX_LINE_BYTES: line } = settings;
  if (line + FRAME_BYTES <= maxBytes)
    return ok(
      'message_size_enough',
      `${subject} takes messages of ${bytesText(maxBytes)} (${name}=${maxBytes}), and a line has at most ${sizeText(line)}`,
    );
  return warning({
    name: 'message_size_short',
    what: `${subject} takes messages of at most ${bytesText(maxBytes)} (${name}=${maxBytes}), and TCP_MAX_LINE_BYTES=${sizeText(line)} allows longer lines`,
    why: 'A reading that becomes too large a message is refused: its device hears `record_too_large`, and it goes to the dead letters.',
    remedy: `Set max.message.bytes=${line + FRAME_BYTES} on the topic (kafka-configs.sh --alter), or lower TCP_MAX_LINE_BYTES`,
  });
}

/** Kafka refuses writes with acks=all while fewer replicas are in sync than min.insync.replicas. */
export function inSyncFindings(
  topic: string,
  { partitionMetadata }: Topic,
  { settings, minInsync }: { settings: Settings; minInsync: number | undefined },
): Finding[] {
  const replicas = Math.min(...partitionMetadata.map((partition) => partition.replicas.length));
  const inSync = Math.min(...partitionMetadata.map(({ isr }) => isr.length));
  const isAll = settings.KAFKA_REQUIRED_ACKS === -1;
  const facts = `Topic ${topic} has ${counted(replicas, 'replica')}, ${inSync} in sync${minInsync === undefined ? '' : `, and min.insync.replicas=${minInsync}`}`;
  if (partitionMetadata.length === 0) return [];
  const alter = (value: number) =>
    `kafka-configs.sh --alter --topic ${topic} --add-config min.insync.replicas=${value}`;
  if (isAll && minInsync !== undefined && inSync < minInsync)
    return [
      error('records_wait', {
        name: 'replicas_not_in_sync',
        what: facts,
        why: 'Kafka answers NOT_ENOUGH_REPLICAS to each batch, so records wait in the spool.',
        remedy:
          replicas < minInsync
            ? `Give the topic ${minInsync} replicas (kafka-reassign-partitions.sh), or ${alter(replicas)}`
            : 'Bring the brokers that are missing back',
      }),
    ];
  if (replicas === 1)
    return [
      note({
        name: 'replicas_one',
        what: facts,
        why: 'If the disk of a broker is lost, its records are lost, whatever the acks.',
        remedy: 'In production give the topic three replicas',
      }),
    ];
  if (isAll && minInsync === 1)
    return [
      warning({
        name: 'min_insync_one',
        what: facts,
        why: 'With KAFKA_REQUIRED_ACKS=all a record is confirmed although only the leader has it while the others are behind. If that broker is lost, the record is lost.',
        remedy: alter(Math.max(2, Math.ceil((replicas + 1) / 2))),
      }),
    ];
  if (isAll && minInsync === replicas)
    return [
      warning({
        name: 'min_insync_all',
        what: facts,
        why: 'If a single broker is away, Kafka takes no records, and they wait in the spool.',
        remedy: alter(replicas - 1),
      }),
    ];
  return [ok('replicas_enough', facts)];
}

async function timeFindings(
  topic: string,
  limits: TopicLimits,
  { settings, kafka, isCompacted }: Asked & { isCompacted: boolean },
): Promise<Finding[]> {
  const sent = {
    timestamp: settings.KAFKA_TIMESTAMP,
    oldestWaitingMs: undefined,
    nowMs: Date.now(),
    isCompacted,
  };
  const { meaning: why, remedy } = LINES.topic_limit_warned;
  const warnings = limitWarnings(topic, limits, sent).map((what) =>
    warning({ name: 'topic_limit_warned', what, why, remedy }),
  );
  const clock = await kafka.clock();
  const { timestampAfterMaxMs: after, timestampType } = limits;
  const isRefused = clock !== undefined && after !== undefined && -clock.offsetMs - clock.uncertainMs > after;
  if (timestampType === 'LogAppendTime' || !isRefused)
    return warnings.length > 0
      ? warnings
      : [ok('topic_times_fit', `Topic ${topic} takes the times of records of this gateway`)];
  return [
    ...warnings,
    error('records_wait', {
      name: 'clock_refused',
      what: `Topic ${topic} takes records at most ${Math.round(after / 1000)} s ahead of Kafka's clock, and ours is ${Math.round(-clock.offsetMs / 1000)} s ahead`,
      why: 'Kafka refuses all records (INVALID_TIMESTAMP), so they wait in the spool.',
      remedy: kafkaError(32).remedy ?? '',
    }),
  ];
}
