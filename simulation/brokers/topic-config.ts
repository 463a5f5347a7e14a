// Settings of simulated topics, with Kafka's names and defaults (https://kafka.apache.org/documentation/#topicconfigs).

const NO_LIMIT = '9223372036854775807';

/** Defaults of Kafka 4.1. */
export const TOPIC_DEFAULTS: Readonly<Record<string, string>> = {
  'cleanup.policy': 'delete',
  'compression.type': 'producer',
  'max.message.bytes': '1048588',
  'message.timestamp.after.max.ms': '3600000',
  'message.timestamp.before.max.ms': NO_LIMIT,
  'message.timestamp.type': 'CreateTime',
  'min.insync.replicas': '1',
  'retention.ms': '604800000',
  'segment.bytes': '1073741824',
};

export type TopicSettings = Readonly<Record<string, string>>;

/** The settings that decide about a batch. */
export interface TopicRules {
  readonly maxMessageBytes: number;
  readonly segmentBytes: number;
  readonly isLogAppendTime: boolean;
  /** Milliseconds; Infinity = no limit. */
  readonly beforeMaxMs: number;
  readonly afterMaxMs: number;
  readonly isCompacted: boolean;
  readonly minInsync: number;
}

export function rulesOf(settings: TopicSettings): TopicRules {
  const text = (name: string) => settings[name] ?? TOPIC_DEFAULTS[name] ?? '';
  const limit = (name: string) => (text(name) === NO_LIMIT ? Infinity : Number(text(name)));
  return {
    maxMessageBytes: limit('max.message.bytes'),
    segmentBytes: limit('segment.bytes'),
    isLogAppendTime: text('message.timestamp.type') === 'LogAppendTime',
    beforeMaxMs: limit('message.timestamp.before.max.ms'),
    afterMaxMs: limit('message.timestamp.after.max.ms'),
    isCompacted: text('cleanup.policy').split(',').includes('compact'),
    minInsync: limit('min.insync.replicas'),
  };
}

const ALLOWED: Readonly<Record<string, RegExp>> = {
  'cleanup.policy': /^(delete|compact|delete,compact|compact,delete)$/,
  'compression.type': /^(producer|uncompressed|gzip|snappy|lz4|zstd)$/,
  'message.timestamp.type': /^(CreateTime|LogAppendTime)$/,
  'retention.ms': /^(-1|\d+)$/,
  'min.insync.replicas': /^[1-9]\d*$/,
};

/** Why Kafka would refuse these settings; undefined if it takes them. */
export function refusalOf(settings: TopicSettings): string | undefined {
  for (const [name, value] of Object.entries(settings)) {
    if (!(name in TOPIC_DEFAULTS)) return `Unknown topic config name: ${name}`;
    if (!(ALLOWED[name] ?? /^\d+$/).test(value)) return `Invalid value ${value} for configuration ${name}`;
  }
  return undefined;
}
