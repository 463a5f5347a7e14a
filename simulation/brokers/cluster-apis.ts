// Answers CreateTopics, DescribeConfigs and InitProducerId, which any broker takes and the controller decides (KRaft).
import type { ApiContext, Reply, Request } from './apis.ts';
import type { BrokerNode } from './broker-node.ts';
import { CODE } from './error-codes.ts';
import { TOPIC_DEFAULTS } from './topic-config.ts';
import { Reader, Writer } from './wire.ts';

const TOPIC = 2;
const BROKER = 4;
/** Sources of a setting: the topic's own, and the default. */
const SOURCE = { topic: 1, default: 5 } as const;
/** How a broker names its limit for topics without a setting of their own. */
const BROKER_SETTINGS = { 'message.max.bytes': TOPIC_DEFAULTS['max.message.bytes'] ?? '' };

export function answerCreateTopics(
  request: Request,
  { node }: ApiContext,
  done: (reply: Reply) => void,
): void {
  const read = new Reader(request.body);
  const topics = read.array(() => {
    const [name, partitions, replication] = [read.string(), read.int32(), read.int16()];
    read.array(() => [read.int32(), read.array(() => read.int32())]);
    const settings = read.array(() => [read.string(), read.nullableString() ?? ''] as const);
    return { name, partitions, replication, settings: Object.fromEntries(settings) };
  });
  const timeoutMs = read.int32();
  const validateOnly = read.int8() !== 0;
  const { controller } = node.context;
  const decide = () =>
    topics.map(({ name, ...topic }) => {
      if (!controller().hasQuorum) return { name, code: CODE.requestTimedOut, message: null };
      if (node.context.denied('create', name))
        return { name, code: CODE.topicAuthorizationFailed, message: 'Authorization failed.' };
      return { name, ...controller().create({ name, ...topic }, validateOnly) };
    });
  const answer = () => {
    const decisions = decide();
    const write = (writer: Writer, { name, code, message }: (typeof decisions)[number]) =>
      writer.string(name).int16(code).string(message);
    done({ body: new Writer().int32(0).array(decisions, write).buffer });
  };
  if (controller().hasQuorum) answer();
  else node.after(timeoutMs, answer);
}

export function answerDescribeConfigs(
  request: Request,
  { node }: ApiContext,
  done: (reply: Reply) => void,
): void {
  const read = new Reader(request.body);
  const resources = read.array(() => ({
    type: read.int8(),
    name: read.string(),
    names: read.nullableArray(() => read.string()),
  }));
  const answer = new Writer().int32(0).array(resources, (write, { type, name, names }) => {
    const { code, settings } = settingsOf(node, type, name);
    const wanted = settings.filter(([setting]) => names === null || names.includes(setting));
    write
      .int16(code)
      .string(code === CODE.none ? null : 'no such topic, or no right')
      .int8(type)
      .string(name);
    write.array(wanted, (_, [setting, value, source]) =>
      write.string(setting).string(value).int8(0).int8(source).int8(0).int32(0),
    );
  });
  done({ body: answer.buffer });
}

type Setting = readonly [name: string, value: string, source: number];

function settingsOf(node: BrokerNode, type: number, name: string): { code: number; settings: Setting[] } {
  if (type === BROKER) {
    const settings = Object.entries(BROKER_SETTINGS);
    return {
      code: CODE.none,
      settings: settings.map(([setting, value]) => [setting, value, SOURCE.default] as const),
    };
  }
  const topic = node.image.topics.get(name);
  if (node.context.denied('describe-configs', name))
    return { code: CODE.topicAuthorizationFailed, settings: [] };
  if (type !== TOPIC || topic === undefined)
    return { code: type === TOPIC ? CODE.unknownTopic : CODE.invalidRequest, settings: [] };
  const settings = Object.entries(TOPIC_DEFAULTS).map(([setting, value]): Setting => {
    const own = topic.settings[setting];
    return [setting, own ?? value, own === undefined ? SOURCE.default : SOURCE.topic];
  });
  return { code: CODE.none, settings };
}

export function answerInitProducerId(
  request: Request,
  { node }: ApiContext,
  done: (reply: Reply) => void,
): void {
  // Transactions are not simulated: the id is null.
  new Reader(request.body).nullableString();
  const { context } = node;
  const code = context.denied('idempotent-write', '') ? CODE.clusterAuthorizationFailed : CODE.none;
  const given = code === CODE.none ? node.producerId() : undefined;
  const id = given ?? -1n;
  const answer = new Writer()
    .int32(0)
    .int16(given === undefined && code === CODE.none ? CODE.coordinatorLoading : code);
  done({ body: answer.int64(id).int16(given === undefined ? -1 : 0).buffer });
}
