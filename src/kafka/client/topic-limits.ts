// Reads a topic's limits out of its settings (https://kafka.apache.org/documentation/#topicconfigs). It asks no broker.

export interface TopicLimits {
  readonly maxMessageBytes: number | undefined;
  readonly timestampType: 'CreateTime' | 'LogAppendTime' | undefined;
  /** How far a record's timestamp may lie before the broker's clock, milliseconds; undefined = no limit. */
  readonly timestampBeforeMaxMs: number | undefined;
  readonly timestampAfterMaxMs: number | undefined;
  /** Brokers before 3.6 have one setting for both directions. */
  readonly hasOneTimestampLimit: boolean;
  readonly cleanupPolicy: string | undefined;
  readonly minInsyncReplicas: number | undefined;
}

const MAX_MESSAGE_BYTES = 'max.message.bytes';
const TIMESTAMP_TYPE = 'message.timestamp.type';
export const BEFORE_MAX = 'message.timestamp.before.max.ms';
export const AFTER_MAX = 'message.timestamp.after.max.ms';
/** Limit for both directions: the only one before Kafka 3.6, removed in 4.0. */
export const DIFFERENCE_MAX = 'message.timestamp.difference.max.ms';
const CLEANUP_POLICY = 'cleanup.policy';
const MIN_INSYNC = 'min.insync.replicas';

export const TOPIC_LIMIT_NAMES = [
  MAX_MESSAGE_BYTES,
  TIMESTAMP_TYPE,
  BEFORE_MAX,
  AFTER_MAX,
  DIFFERENCE_MAX,
  CLEANUP_POLICY,
  MIN_INSYNC,
] as const;

/** Of a broker, for topics that are made without a setting of their own. */
export const BROKER_LIMITS = { maxMessageBytes: 'message.max.bytes', names: ['message.max.bytes'] } as const;

/** @param entries in any order. A broker leaves out settings that it does not know */
export function topicLimits(
  entries: readonly { readonly configName: string; readonly configValue: string | null }[],
): TopicLimits {
  const values = new Map(
    entries.map(({ configName, configValue }) => [configName, configValue ?? undefined]),
  );
  const type = values.get(TIMESTAMP_TYPE);
  const difference = limit(values.get(DIFFERENCE_MAX));
  return {
    maxMessageBytes: limit(values.get(MAX_MESSAGE_BYTES)),
    timestampType: type === 'CreateTime' || type === 'LogAppendTime' ? type : undefined,
    timestampBeforeMaxMs: limit(values.get(BEFORE_MAX)) ?? difference,
    timestampAfterMaxMs: limit(values.get(AFTER_MAX)) ?? difference,
    hasOneTimestampLimit: !values.has(BEFORE_MAX),
    cleanupPolicy: values.get(CLEANUP_POLICY),
    minInsyncReplicas: limit(values.get(MIN_INSYNC)),
  };
}

/** Kafka's largest 64-bit number means "no limit". */
function limit(value: string | undefined): number | undefined {
  const number = value === undefined || value === '' ? Number.NaN : Number(value);
  return Number.isSafeInteger(number) ? number : undefined;
}
