// The findings about each topic: whether it is there or could be created, its partitions and leaders, and our rights on it.
// Nothing is created, and no record is written.

import { readingTopics } from '../../config/reading-topics.ts';
import type { Settings } from '../../config/settings.ts';
import { COMPONENTS } from '../../health/findings.ts';
import { counted } from '../../health/found.ts';
import type { MetadataAnswer } from '../../kafka/client/control-apis.ts';
import { type GatewayTopic, gatewayTopics } from '../../kafka/topics/gateway-topics.ts';
import { creationRefusal, isRefusedForNow } from '../../kafka/topics/topic-creation.ts';
import { refused } from '../../kafka/topics/trouble.ts';
import { kafkaError } from '../../kafka/wire/errors.ts';
import { may } from '../../kafka/wire/rights.ts';
import type { Context } from '../context.ts';
import { error, type Finding, note, ok, warning } from '../finding.ts';
import { existingLimits, newTopicLimits } from './limits.ts';
import { type KafkaSurvey, STEP_MS } from './survey.ts';

const { unusable, no_leader: noLeader } = COMPONENTS.topic.findings;
const NOT_CONTROLLER = 41;
const TOPIC_AUTHORIZATION_FAILED = 29;

type Topic = MetadataAnswer['topicMetadata'][number];

export async function checkTopics({ settings, kafka }: Context): Promise<Finding[]> {
  if (kafka === undefined) return [];
  const metadata = await kafka.metadata();
  if (!metadata.ok)
    return [
      note({
        name: 'topics_unknown',
        what: 'Topics, rights and limits could not be checked, because no broker could be asked',
        remedy: 'See to the brokers and the login first, then check again',
      }),
    ];
  const each = gatewayTopics(settings).map((topic) => {
    const found = metadata.value.topicMetadata.find((one) => one.topic === topic.topic);
    return found === undefined ? [] : checkTopic(topic, { found, settings, kafka });
  });
  return (await Promise.all(each)).flat();
}

interface Found {
  readonly found: Topic;
  readonly settings: Settings;
  readonly kafka: KafkaSurvey;
}

async function checkTopic(topic: GatewayTopic, { found, settings, kafka }: Found): Promise<Finding[]> {
  const { topic: name, isWritten } = topic;
  const { errorCode, name: errorName } = {
    ...kafkaError(found.topicErrorCode),
    errorCode: found.topicErrorCode,
  };
  if (errorName === 'UNKNOWN_TOPIC_OR_PARTITION')
    return [
      await missing(topic, kafka),
      ...(isWritten ? await newTopicLimits(topic, { settings, kafka }) : []),
    ];
  if (errorCode !== 0) {
    const { remedy, outcome } = kafkaError(errorCode);
    if (!isWritten && errorCode === TOPIC_AUTHORIZATION_FAILED)
      return [
        note({
          name: 'topic_unknown',
          what: `Topic ${name}: Kafka does not let us look at it (${errorName})`,
          why: 'The gateway creates the topic of alarms if it is missing, and writes nothing to it.',
        }),
      ];
    const words = {
      name: 'topic_unusable',
      what: refused(`Topic ${name}`, errorCode).message,
      why: unusable.meaning,
    };
    return [
      outcome === 'topic'
        ? error('records_wait', { ...words, remedy: remedy ?? unusable.remedy })
        : warning({ ...words, remedy: 'Check again in a moment' }),
    ];
  }
  return [
    partitions(topic, found, settings),
    ...(isWritten
      ? [writeRight(name, found), ...(await existingLimits(topic, { found, settings, kafka }))]
      : []),
  ];
}

async function missing(topic: GatewayTopic, kafka: KafkaSurvey): Promise<Finding> {
  const { topic: name, partitions: numPartitions, replicationFactor, config = {} } = topic;
  const configEntries = Object.entries(config).map(([key, value]) => ({ name: key, value }));
  const wanted = { topic: name, numPartitions, replicationFactor, configEntries };
  const answer = await kafka.ask('CreateTopics', { topics: [wanted], timeout: STEP_MS, validateOnly: true });
  const result = answer.ok ? answer.value.topicErrors.find((one) => one.topic === name) : undefined;
  const text = `Topic ${name} does not exist`;
  if (result === undefined || result.errorCode === NOT_CONTROLLER)
    return note({
      name: 'topic_missing',
      what: `${text}, and Kafka did not say whether the gateway may create it`,
      remedy: `Create it with ${counted(numPartitions, 'partition')}, or let the start try`,
    });
  if (result.errorCode === 0)
    return note({
      name: 'topic_missing',
      what: `${text}; the start creates it with ${counted(numPartitions, 'partition')}, which Kafka would allow`,
    });
  const { errorMessage } = result;
  const { name: refusal } = kafkaError(result.errorCode);
  const words = errorMessage ? `${refusal}: ${errorMessage}` : refusal;
  const [what = '', remedy = ''] = creationRefusal(topic, words).split(/\): (?=create it with)/);
  if (isRefusedForNow(words)) return note({ name: 'topic_missing', what: creationRefusal(topic, words) });
  const why = topic.isWritten
    ? unusable.meaning
    : 'The gateway only creates this topic. Consumers that write alarms will miss it.';
  const finding = { name: 'topic_not_creatable', what: `${what})`, why, remedy };
  return topic.isWritten ? error('records_wait', finding) : warning(finding);
}

function partitions({ topic, partitions: wanted }: GatewayTopic, found: Topic, settings: Settings): Finding {
  const { length } = found.partitionMetadata;
  const leaderless = found.partitionMetadata
    .filter(({ leader }) => leader < 0)
    .map(({ partitionId }) => partitionId);
  if (leaderless.length > 0)
    return error('records_wait', {
      name: 'partitions_without_leader',
      what: `Topic ${topic}: ${leaderless.length} of ${length} partitions have no leader (${leaderless.slice(0, 5).join(', ')})`,
      why: noLeader.meaning,
      remedy: noLeader.remedy,
    });
  const text = `Topic ${topic} has ${counted(length, 'partition')}, and each has a leader`;
  if (!readingTopics(settings).includes(topic) || length === wanted) return ok('topic_there', text);
  const why =
    'The setting counts only if the gateway creates the topic. It uses the partitions that are there.';
  return note({ name: 'partitions_differ', what: `${text}; KAFKA_NUM_PARTITIONS=${wanted}`, why });
}

/** A login without the right Describe does not see the topic at all. */
function writeRight(topic: string, { operations }: Topic): Finding {
  const allowed = may(operations, 'write');
  if (allowed === true) return ok('write_allowed', `Topic ${topic}: the login may write`);
  if (allowed === undefined) {
    const what = `Topic ${topic}: whether the login may write is not known`;
    const why =
      'Kafka tells rights from version 2.3 on. A missing right would show at the first record, which then waits in the spool.';
    return note({ name: 'write_right_unknown', what, why });
  }
  const { message } = refused(`Topic ${topic}`, TOPIC_AUTHORIZATION_FAILED);
  const remedy = kafkaError(TOPIC_AUTHORIZATION_FAILED).remedy ?? '';
  return error('records_wait', {
    name: 'write_refused',
    what: `${message.split(';')[0]} (the login may look at it and not write)`,
    why: unusable.meaning,
    remedy,
  });
}
