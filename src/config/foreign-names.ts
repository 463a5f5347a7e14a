// Lists names of other programs that begin like settings: of Kafka brokers, of services that read Kafka, and of Kubernetes.
// names.ts decides with them.

/** Variables of another program. */
export interface Foreign {
  readonly name: RegExp;
  readonly value?: RegExp;
  /** For docs/configuration.md. */
  readonly why: string;
  /** They come with the machine or the pod, and nobody put them there for the gateway. So the start does not name them. */
  readonly silent?: true;
}

/** The first words of the properties of a broker, as images of Kafka have them: `node.id` becomes `KAFKA_NODE_ID`. */
const BROKER_FAMILIES = [
  ...['ADD_PARTITIONS', 'ADVERTISED', 'ALTER', 'AUTHORIZER', 'AUTO', 'BACKGROUND', 'CLIENT_QUOTA'],
  ...['COMPRESSION_(?:TYPE|GZIP|LZ4|ZSTD)', 'CONNECTIONS?_(?:FAILED|MAX)', 'CONTROL_PLANE', 'CONTROLLED'],
  ...['CONTROLLER', 'CREATE_TOPICS?', 'DEFAULT_REPLICATION', 'DELEGATION', 'DELETE', 'EARLY', 'GROUP'],
  ...['BROKER_(?:ID|RACK|HEARTBEAT|SESSION)', 'INITIAL', 'INTER_BROKER', 'INTERNAL', 'LEADER', 'LISTENERS?'],
  ...['LOG', 'MAX_(?:CONNECTIONS?|INCREMENTAL|REQUEST_PARTITION)', 'MESSAGE_MAX', 'METADATA', 'METRICS?'],
  ...['MIN_INSYNC', 'NODE_ID', 'NUM_(?:IO|NETWORK|RECOVERY|REPLICA)', 'OFFSETS?', 'PASSWORD_ENCODER'],
  ...['PRINCIPAL', 'PROCESS_ROLES', 'PRODUCER', 'QUEUED', 'QUOTA', 'REMOTE', 'REPLICA', 'REPLICATION_QUOTA'],
  ...['REQUEST_TIMEOUT_MS', 'RESERVED', 'SASL_(?:CLIENT|ENABLED|JAAS|KERBEROS|LOGIN|OAUTHBEARER|SERVER)'],
  ...['SASL_MECHANISM_(?:CONTROLLER|INTER_BROKER)', 'SECURITY_(?:INTER_BROKER|PROVIDERS)', 'SERVER_MAX'],
  ...['SHARE', 'SOCKET', 'SUPER_USERS', 'TELEMETRY', 'TRANSACTION', 'TRANSACTIONAL', 'UNCLEAN', 'UNSTABLE'],
  ...['SSL_(?:ALLOW|CIPHER|CLIENT|ENABLED_PROTOCOLS|ENDPOINT|ENGINE|KEYMANAGER|KEYSTORE|KEY_PASSWORD)'],
  ...['SSL_(?:KEY_CREDENTIALS|PRINCIPAL|PROTOCOL|PROVIDER|SECURE|TRUSTMANAGER|TRUSTSTORE)', 'ZOOKEEPER'],
  ...['ALLOW_EVERYONE_IF_NO_ACL_FOUND', 'HOST_NAME', 'KAFKA_METRICS'],
];

/** Those that the images add, of apache, Confluent, Bitnami and wurstmeister, and Kafka's own shell scripts. */
const IMAGE_FAMILIES = [
  ...['CFG', 'JMX', 'LOG4J2?', 'TOOLS_LOG4J', 'CONFLUENT', 'KRAFT', 'ENABLE_KRAFT', 'SKIP_KRAFT', 'REST'],
  ...['CLIENT_(?:USERS?|PASSWORDS?|LISTENER)', 'CERTIFICATE', 'TLS_(?:TYPE|CLIENT_AUTH|TRUSTSTORE)', 'EXTRA'],
  ...['(?:BASE|BIN|CONF|DATA|INITSCRIPTS|MOUNTED_CONF|VOLUME)_(?:DIR|FILE)', 'DAEMON', 'CLUSTER_ID'],
  ...['HOME', 'VERSION', 'OPTS', 'HEAP_OPTS', 'GC_LOG_OPTS', 'DEBUG', 'CONNECT'],
  ...['JVM_PERFORMANCE_OPTS', 'JAVA_DEBUG', 'MIRROR_MAKER'],
];

const CONSUMER_FAMILIES = [
  ...['CONSUMERS?', 'ENABLE_AUTO_COMMIT', 'FETCH', 'HEARTBEAT_INTERVAL', 'ISOLATION_LEVEL', 'MAX_POLL'],
  ...['MAX_PARTITION_FETCH', 'SESSION_TIMEOUT', 'PARTITION_ASSIGNMENT', 'KEY_DESERIALIZER', 'STREAMS'],
  ...['VALUE_DESERIALIZER', 'ALLOW_AUTO_CREATE', 'DEFAULT_API_TIMEOUT', 'CLUSTERS_\\d+', 'BROKERCONNECT'],
  ...[
    'CLIENT_(?:DNS|RACK)',
    'CHECK_CRCS',
    'EXCLUDE_INTERNAL',
    'INTERCEPTOR',
    '(?:SEND|RECEIVE)_BUFFER_BYTES',
  ],
  ...['(?:RECONNECT|RETRY)_BACKOFF', 'ENABLE_METRICS_PUSH'],
];

const ofKafka = (families: readonly string[]) => new RegExp(`^KAFKA_(?:${families.join('|')})(?:_|$)`);

export const FOREIGN_NAMES: readonly Foreign[] = [
  {
    name: /^HTTP_PROXY(?:_|$)/i,
    why: '`HTTP_PROXY` and `http_proxy`: the proxy convention of curl and others',
    silent: true,
  },
  {
    name: /_SERVICE_(HOST|PORT|PORT_[A-Z0-9_]+)$/,
    why: '`*_SERVICE_HOST`, `*_SERVICE_PORT`, `*_SERVICE_PORT_<name>`: Kubernetes service links',
    silent: true,
  },
  {
    name: /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/,
    why: '`*_PORT_9092_TCP` and the same with `_PROTO`, `_PORT`, `_ADDR`: Kubernetes service links',
    silent: true,
  },
  {
    name: /_PORT$/,
    value: /^(tcp|udp|sctp):\/\//i,
    why: '`*_PORT` with a value such as `tcp://10.0.0.7:9092`: Kubernetes service links',
    silent: true,
  },
  {
    name: ofKafka(BROKER_FAMILIES),
    why: '`KAFKA_NODE_ID`, `KAFKA_LISTENERS`, `KAFKA_ADVERTISED_LISTENERS`, `KAFKA_LOG_DIRS` and the other properties of a broker',
  },
  {
    name: ofKafka(IMAGE_FAMILIES),
    why: "`KAFKA_CFG_*`, `KAFKA_JMX_*`, `KAFKA_HEAP_OPTS`, `KAFKA_OPTS` and the other variables of Kafka's images and shell scripts",
  },
  {
    name: ofKafka(CONSUMER_FAMILIES),
    why: '`KAFKA_GROUP_ID`, `KAFKA_CONSUMER_*`, `KAFKA_AUTO_OFFSET_RESET` and other variables of programs that read Kafka or show it',
  },
  {
    name: /^TCP_(?:NODELAY|KEEPIDLE|KEEPINTVL|KEEPCNT|KEEPALIVE_(?:TIME|INTVL|PROBES)|CONGESTION|FASTOPEN)$/,
    why: '`TCP_NODELAY`, `TCP_KEEPIDLE` and other names of socket options',
  },
];
