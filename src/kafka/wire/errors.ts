// What delivery does after each of Kafka's error codes. The table has every code that Kafka 4.1 defines
// (https://kafka.apache.org/protocol#protocol_error_codes). After any other code, which a newer broker may send, the batch
// is sent again, because waiting is better than losing it.

/** The classes of error codes, and what delivery does in each. docs/delivery-guarantees.md is generated from them. */
export const OUTCOMES = {
  stored: 'The batch is in the topic. Its records are confirmed.',
  leader:
    'The broker does not lead the partition. The gateway asks for the leaders and sends the same bytes again.',
  retry: 'The broker cannot take the batch now. The same bytes are sent again after a pause.',
  sequence:
    'The broker does not know the sequence number of this producer. The batch is sent again under a new producer id.',
  record:
    'The broker refuses a record. The batch is split until the refused record stands alone. It becomes a dead letter only if Kafka accepts other records of the partition. Otherwise the partition waits.',
  'too-large':
    'A record or the batch is larger than the topic allows. It is treated in the same way as a refused record, and its device hears `record_too_large`.',
  topic:
    'The broker will refuse every batch until somebody changes something. The partition waits in the spool, and the log, `/health` and `/stats` say what to do. It is tried again every few seconds.',
} as const;

export type Outcome = keyof typeof OUTCOMES;

export interface KafkaError {
  /** The name in Kafka's list of errors. */
  readonly name: string;
  readonly outcome: Outcome;
  /** What an operator has to do, in one sentence without a full stop. Every code of class `topic` has a remedy. */
  readonly remedy: string | undefined;
}

/** A name, alone or with a remedy. */
type Entry = string | readonly [name: string, remedy: string];

const RIGHTS = 'give the login of the gateway';
const CREATE_YOURSELF = 'create the topic yourself';
const LOGIN = 'check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD';
const TOKENS = 'log in with a user name and a password (KAFKA_SASL_MECHANISM), not with a delegation token';
const OLD_BROKER = 'use Kafka 2.1 or later';

const STORED: Readonly<Record<number, Entry>> = {
  0: 'NONE',
  // An earlier try wrote the batch, and its answer was lost.
  46: 'DUPLICATE_SEQUENCE_NUMBER',
};

const LEADER: Readonly<Record<number, Entry>> = {
  3: 'UNKNOWN_TOPIC_OR_PARTITION',
  5: 'LEADER_NOT_AVAILABLE',
  6: 'NOT_LEADER_OR_FOLLOWER',
  8: 'BROKER_NOT_AVAILABLE',
  9: 'REPLICA_NOT_AVAILABLE',
  13: 'NETWORK_EXCEPTION',
  41: 'NOT_CONTROLLER',
  56: 'KAFKA_STORAGE_ERROR',
  72: 'LISTENER_NOT_FOUND',
  74: 'FENCED_LEADER_EPOCH',
  75: 'UNKNOWN_LEADER_EPOCH',
  80: 'PREFERRED_LEADER_NOT_AVAILABLE',
  83: 'ELIGIBLE_LEADERS_NOT_AVAILABLE',
  100: 'UNKNOWN_TOPIC_ID',
  103: 'INCONSISTENT_TOPIC_ID',
  108: 'NEW_LEADER_ELECTED',
  129: 'REBOOTSTRAP_REQUIRED',
};

const RETRY: Readonly<Record<number, Entry>> = {
  [-1]: 'UNKNOWN_SERVER_ERROR',
  // The batch was damaged on the way. The next sending may arrive intact.
  2: 'CORRUPT_MESSAGE',
  7: 'REQUEST_TIMED_OUT',
  14: 'COORDINATOR_LOAD_IN_PROGRESS',
  15: 'COORDINATOR_NOT_AVAILABLE',
  16: 'NOT_COORDINATOR',
  19: 'NOT_ENOUGH_REPLICAS',
  20: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  36: 'TOPIC_ALREADY_EXISTS',
  51: 'CONCURRENT_TRANSACTIONS',
  55: 'OPERATION_NOT_ATTEMPTED',
  60: 'REASSIGNMENT_IN_PROGRESS',
  89: 'THROTTLING_QUOTA_EXCEEDED',
};

const SEQUENCE: Readonly<Record<number, Entry>> = {
  45: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
  47: 'INVALID_PRODUCER_EPOCH',
  48: 'INVALID_TXN_STATE',
  49: 'INVALID_PRODUCER_ID_MAPPING',
  59: 'UNKNOWN_PRODUCER_ID',
  90: 'PRODUCER_FENCED',
  120: 'TRANSACTION_ABORTABLE',
};

const RECORD: Readonly<Record<number, Entry>> = {
  32: [
    'INVALID_TIMESTAMP',
    'check the clock of the gateway against that of the broker; for readings that waited too long set KAFKA_TIMESTAMP=sent, or on the topic raise message.timestamp.before.max.ms or set message.timestamp.type=LogAppendTime',
  ],
  87: [
    'INVALID_RECORD',
    "see the broker's log for the rule that the records break, and change the topic (a compacted one takes no record without a key)",
  ],
};

const TOO_LARGE: Readonly<Record<number, Entry>> = {
  10: ['MESSAGE_TOO_LARGE', 'raise max.message.bytes of the topic'],
  18: ['RECORD_LIST_TOO_LARGE', 'raise segment.bytes of the topic, or lower KAFKA_BATCH_BYTES'],
};

const TOPIC: Readonly<Record<number, Entry>> = {
  // The login lacks a right.
  29: ['TOPIC_AUTHORIZATION_FAILED', `${RIGHTS} the rights Write and Describe on the topic`],
  31: [
    'CLUSTER_AUTHORIZATION_FAILED',
    `${RIGHTS} the right IdempotentWrite on the cluster (Create, if the topic is missing)`,
  ],
  53: ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', `${RIGHTS} the right Write on the transactional id`],
  // The login is wrong.
  33: [
    'UNSUPPORTED_SASL_MECHANISM',
    'set KAFKA_SASL_MECHANISM to one that the listener of the broker offers',
  ],
  34: [
    'ILLEGAL_SASL_STATE',
    'set KAFKA_SASL_MECHANISM, or name a listener that needs no login in KAFKA_BROKERS',
  ],
  58: ['SASL_AUTHENTICATION_FAILED', LOGIN],
  97: [
    'PRINCIPAL_DESERIALIZATION_FAILURE',
    'set the same principal.builder.class on all brokers; their logs have the error',
  ],
  // Broker and gateway do not fit together.
  21: ['INVALID_REQUIRED_ACKS', 'set KAFKA_REQUIRED_ACKS=all'],
  35: ['UNSUPPORTED_VERSION', OLD_BROKER],
  42: [
    'INVALID_REQUEST',
    "see the broker's log for the reason, and use a broker that supports Kafka's whole protocol",
  ],
  43: [
    'UNSUPPORTED_FOR_MESSAGE_FORMAT',
    'set KAFKA_COMPRESSION=gzip, or none (Azure Event Hubs answers so to other codecs, and below its Premium tier to all), or on an old Kafka set message.format.version of the topic to 0.11 or later (log.message.format.version for all topics)',
  ],
  76: [
    'UNSUPPORTED_COMPRESSION_TYPE',
    'set KAFKA_COMPRESSION to a codec that the broker and the topic accept (zstd needs Kafka 2.1), for example gzip',
  ],
  104: ['INCONSISTENT_CLUSTER_ID', 'check that all addresses in KAFKA_BROKERS belong to one cluster'],
  114: ['MISMATCHED_ENDPOINT_TYPE', 'name brokers in KAFKA_BROKERS, not controllers'],
  115: ['UNSUPPORTED_ENDPOINT_TYPE', 'name brokers in KAFKA_BROKERS, not controllers'],
  // The topic cannot be created as requested.
  17: [
    'INVALID_TOPIC_EXCEPTION',
    'choose another topic name: 1 to 249 characters of A-Za-z0-9._-, and none that Kafka uses itself',
  ],
  37: ['INVALID_PARTITIONS', `set KAFKA_NUM_PARTITIONS to what the cluster allows, or ${CREATE_YOURSELF}`],
  38: [
    'INVALID_REPLICATION_FACTOR',
    `set KAFKA_REPLICATION_FACTOR to at most the number of brokers, or ${CREATE_YOURSELF}`,
  ],
  39: ['INVALID_REPLICA_ASSIGNMENT', CREATE_YOURSELF],
  40: ['INVALID_CONFIG', `${CREATE_YOURSELF}: the cluster refuses a setting it is created with`],
  44: [
    'POLICY_VIOLATION',
    `${CREATE_YOURSELF} as the policy of the cluster requires, set KAFKA_REPLICATION_FACTOR and KAFKA_NUM_PARTITIONS to what it allows, or change it (create.topic.policy.class.name)`,
  ],
};

/**
 * Answers to requests that the gateway never sends: consumer groups, transactions, quorum, tokens, share groups,
 * telemetry. If a broker answers a batch with one of them all the same, trying again loses nothing.
 */
const NOT_OURS_RETRY: Readonly<Record<number, Entry>> = {
  1: 'OFFSET_OUT_OF_RANGE',
  4: 'INVALID_FETCH_SIZE',
  11: 'STALE_CONTROLLER_EPOCH',
  12: 'OFFSET_METADATA_TOO_LARGE',
  22: 'ILLEGAL_GENERATION',
  23: 'INCONSISTENT_GROUP_PROTOCOL',
  24: 'INVALID_GROUP_ID',
  25: 'UNKNOWN_MEMBER_ID',
  26: 'INVALID_SESSION_TIMEOUT',
  27: 'REBALANCE_IN_PROGRESS',
  28: 'INVALID_COMMIT_OFFSET_SIZE',
  50: 'INVALID_TRANSACTION_TIMEOUT',
  52: 'TRANSACTION_COORDINATOR_FENCED',
  57: 'LOG_DIR_NOT_FOUND',
  68: 'NON_EMPTY_GROUP',
  69: 'GROUP_ID_NOT_FOUND',
  70: 'FETCH_SESSION_ID_NOT_FOUND',
  71: 'INVALID_FETCH_SESSION_EPOCH',
  77: 'STALE_BROKER_EPOCH',
  78: 'OFFSET_NOT_AVAILABLE',
  79: 'MEMBER_ID_REQUIRED',
  81: 'GROUP_MAX_SIZE_REACHED',
  82: 'FENCED_INSTANCE_ID',
  84: 'ELECTION_NOT_NEEDED',
  85: 'NO_REASSIGNMENT_IN_PROGRESS',
  86: 'GROUP_SUBSCRIBED_TO_TOPIC',
  88: 'UNSTABLE_OFFSET_COMMIT',
  91: 'RESOURCE_NOT_FOUND',
  92: 'DUPLICATE_RESOURCE',
  94: 'INCONSISTENT_VOTER_SET',
  95: 'INVALID_UPDATE_VERSION',
  96: 'FEATURE_UPDATE_FAILED',
  98: 'SNAPSHOT_NOT_FOUND',
  99: 'POSITION_OUT_OF_RANGE',
  101: 'DUPLICATE_BROKER_REGISTRATION',
  102: 'BROKER_ID_NOT_REGISTERED',
  105: 'TRANSACTIONAL_ID_NOT_FOUND',
  106: 'FETCH_SESSION_TOPIC_ID_ERROR',
  107: 'INELIGIBLE_REPLICA',
  109: 'OFFSET_MOVED_TO_TIERED_STORAGE',
  110: 'FENCED_MEMBER_EPOCH',
  111: 'UNRELEASED_INSTANCE_ID',
  112: 'UNSUPPORTED_ASSIGNOR',
  113: 'STALE_MEMBER_EPOCH',
  116: 'UNKNOWN_CONTROLLER_ID',
  117: 'UNKNOWN_SUBSCRIPTION_ID',
  118: 'TELEMETRY_TOO_LARGE',
  119: 'INVALID_REGISTRATION',
  121: 'INVALID_RECORD_STATE',
  122: 'SHARE_SESSION_NOT_FOUND',
  123: 'INVALID_SHARE_SESSION_EPOCH',
  124: 'FENCED_STATE_EPOCH',
  125: 'INVALID_VOTER_KEY',
  126: 'DUPLICATE_VOTER',
  127: 'VOTER_NOT_FOUND',
  128: 'INVALID_REGULAR_EXPRESSION',
  130: 'STREAMS_INVALID_TOPOLOGY',
  131: 'STREAMS_INVALID_TOPOLOGY_EPOCH',
  132: 'STREAMS_TOPOLOGY_FENCED',
  133: 'SHARE_SESSION_LIMIT_REACHED',
};

/** Answers to requests that the gateway never sends, and which do not go away by themselves. */
const NOT_OURS_TOPIC: Readonly<Record<number, Entry>> = {
  30: ['GROUP_AUTHORIZATION_FAILED', `${RIGHTS} the right Read on the consumer group`],
  54: [
    'SECURITY_DISABLED',
    'set authorizer.class.name on the brokers, or do not change rights on this cluster',
  ],
  61: ['DELEGATION_TOKEN_AUTH_DISABLED', TOKENS],
  62: ['DELEGATION_TOKEN_NOT_FOUND', TOKENS],
  63: ['DELEGATION_TOKEN_OWNER_MISMATCH', TOKENS],
  64: ['DELEGATION_TOKEN_REQUEST_NOT_ALLOWED', TOKENS],
  65: ['DELEGATION_TOKEN_AUTHORIZATION_FAILED', TOKENS],
  66: ['DELEGATION_TOKEN_EXPIRED', TOKENS],
  67: ['INVALID_PRINCIPAL_TYPE', LOGIN],
  73: ['TOPIC_DELETION_DISABLED', 'set delete.topic.enable=true on the brokers'],
  93: ['UNACCEPTABLE_CREDENTIAL', LOGIN],
};

const GROUPS: readonly (readonly [Outcome, Readonly<Record<number, Entry>>])[] = [
  ['stored', STORED],
  ['leader', LEADER],
  ['retry', RETRY],
  ['sequence', SEQUENCE],
  ['record', RECORD],
  ['too-large', TOO_LARGE],
  ['topic', TOPIC],
  ['retry', NOT_OURS_RETRY],
  ['topic', NOT_OURS_TOPIC],
];

/** All errors of Kafka 4.1, by code. */
export const KAFKA_ERRORS: ReadonlyMap<number, KafkaError> = new Map(
  GROUPS.flatMap(([outcome, group]) =>
    Object.entries(group).map(([code, entry]) => {
      const [name, remedy] = typeof entry === 'string' ? [entry, undefined] : entry;
      return [Number(code), { name, outcome, remedy }] as const;
    }),
  ),
);

/** True if the code can answer a request that the gateway sends. */
export function isOurs(code: number): boolean {
  return KAFKA_ERRORS.has(code) && !(code in NOT_OURS_RETRY) && !(code in NOT_OURS_TOPIC);
}

/** UNSUPPORTED_COMPRESSION_TYPE, and UNSUPPORTED_FOR_MESSAGE_FORMAT, with which Azure Event Hubs refuses codecs. */
const CODEC_REFUSED: ReadonlySet<number> = new Set([76, 43]);

/** True if the code may mean that the broker does not take the codec of a batch. */
export function refusesCodec(code: number): boolean {
  return CODEC_REFUSED.has(code);
}

/** The class of an unknown code is `retry`. */
export function kafkaError(code: number): KafkaError {
  return (
    KAFKA_ERRORS.get(code) ?? { name: `unknown error code ${code}`, outcome: 'retry', remedy: undefined }
  );
}
