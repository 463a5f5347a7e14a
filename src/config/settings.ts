// Defines every setting of the gateway: name, kind, default, limits and description. Loading, --print-config,
// docs/configuration.md and .env.example are all made from this table. It reads no environment itself.
import { ADMIN_DEFAULTS } from './admin-place.ts';
import { availableCpus } from './available-cpus.ts';
import type { GROUPS } from './groups.ts';
import { identifyFields, recordHeaders, recordKey } from './identity-kinds.ts';
import {
  brokers,
  choice,
  cidrs,
  duration,
  flag,
  host,
  hosts,
  type Kind,
  mapped,
  optional,
  pairs,
  size,
  sizeOr0,
  text,
  topic,
  topics,
  url,
  whole,
  wholeOr,
} from './kinds.ts';
import { requiredList } from './required-list.ts';

/** The values of PROFILE; profiles.ts has the settings of each. */
export const PROFILE_NAMES = ['local', 'lan', 'wan', 'small', 'medium', 'large'] as const;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** The parts of a certificate's subject that may be a device_id, as OpenSSL names them. */
const SUBJECT_PARTS = ['CN', 'serialNumber', 'UID'] as const;

export type SubjectPart = (typeof SUBJECT_PARTS)[number];

/** The texts and facts about a setting that its type does not hold. */
export interface About {
  readonly group: keyof typeof GROUPS;
  readonly description: string;
  /** In the setting's own syntax. */
  readonly default: string;
  readonly allowed: string;
  /** The value is never shown, not even if it is refused. */
  readonly secret?: true;
  /** The value is the path of a file that must be readable. */
  readonly file?: true;
  /** The value is the path of the file with a secret. It is hidden until a file is found there. */
  readonly secretFile?: true;
  /** The meaning of an empty value, if it is not "not set". */
  readonly empty?: string;
}

type Facts = Omit<About, 'group' | 'description' | 'default' | 'allowed'>;

/** Returns a function that makes the settings of one group. */
function inGroup(group: About['group']) {
  return <T>(kind: Kind<T>, byDefault: string, description: string, facts: Facts = {}) => {
    const about: About = { group, description, default: byDefault, allowed: kind.allowed, ...facts };
    return { about, parse: kind.parse };
  };
}

const tcp = inGroup('tcp');
const lines = inGroup('lines');
const work = inGroup('work');
const security = inGroup('security');
const kafka = inGroup('kafka');
const batch = inGroup('batch');
const auth = inGroup('auth');
const spool = inGroup('spool');
const http = inGroup('http');
const otlp = inGroup('otlp');
const ofProcess = inGroup('process');

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** setTimeout takes at most 2^31 - 1 ms, which is 596.5 hours. A longer timer would fire at once. */
const MAX_TIMER_MS = 596 * HOUR;
const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

const timeout = duration({ min: 1, max: MAX_TIMER_MS });
const path = optional(text('the path of a readable file', /^[^\0]{1,4096}$/));
const PRINTABLE = /^[ -~]{1,1024}$/;
const fieldName = optional(
  text('the name of a field, 1-256 characters, no control characters', /^\P{Cc}{1,256}$/u),
);
const acks = { all: -1, '-1': -1, '1': 1, '0': 0 } as const;

const TABLE = {
  TCP_HOST: tcp(host(), '0.0.0.0', 'address that devices connect to; `::` = IPv6 and IPv4'),
  TCP_PORT: tcp(
    optional(whole({ min: 0, max: 65_535 })),
    '8080',
    'port that devices connect to without TLS; 0 = any free port',
    { empty: 'off; then TCP_TLS_PORT or TCP_LINES_PORT has to be set' },
  ),
  TCP_MAX_CONNECTIONS: tcp(
    whole({ min: 1, max: 1_000_000 }),
    '10000',
    'most connections at once; a further one is answered `server_full` and closed. If `ulimit -n` less 300 in each process is lower, that is the limit; if it is less than a tenth, the start is refused',
  ),
  TCP_MAX_CONNECTIONS_PER_IP: tcp(
    whole({ min: 0, max: 1_000_000 }),
    '0',
    'most connections at once from one address; an IPv6 address counts as its /64. 0 = no limit',
  ),
  TCP_MAX_ACCEPTS_PER_SECOND: tcp(
    whole({ min: 0, max: 1_000_000 }),
    '0',
    'new connections a second from one address. Further ones wait for their turn; if that would take more than a minute, they are answered `server_full`. 0 = no limit',
  ),
  TCP_IDENTIFY: tcp(
    identifyFields(),
    'zipcode,city',
    'what a device has to give in `identify`; the rest is optional. A `device_id` that its certificate fixes counts as given',
    { empty: 'nothing is required' },
  ),
  TCP_IDENTIFY_TIMEOUT: tcp(timeout, '10s', 'time for a new connection to identify'),
  TCP_INACTIVITY_TIMEOUT: tcp(timeout, '2m', 'a connection that sends nothing for this time is closed'),
  TCP_MAX_CONNECTION_AGE: tcp(
    duration({ min: SECOND, max: MAX_TIMER_MS, zero: 'no limit' }),
    '0',
    'age, up to a tenth more or less, at which a connection is told to reconnect (`closing` with code `max_age`), so that long connections move to new gateways behind a balancer; 0 = no limit',
  ),
  TCP_LINE_TIMEOUT: tcp(timeout, '30s', 'time from the first byte of a line to its end'),
  // Linux allows at most 32767 s of idle time.
  TCP_KEEPALIVE: tcp(
    duration({ min: SECOND, max: 9 * HOUR, zero: 'off' }),
    '60s',
    'idle time after which the kernel probes whether a device is still there; 0 = off',
  ),
  // The limit bounds the cost of a line: 1 MB of JSON takes about 50 ms of the event loop.
  TCP_MAX_LINE_BYTES: tcp(size({ min: 128, max: MIB }), '64KiB', 'longest line that a device may send'),

  TCP_COMPATIBILITY: tcp(
    optional(choice('go')),
    '',
    '`go` = take lines as the weather server written in Go took them: names in any case, bytes that are not UTF-8, the last of two equal names, and lines of up to 1 MiB, also before identify. TCP_MAX_LINE_BYTES is then 1MiB, and TCP_LINE_TIMEOUT that of TCP_INACTIVITY_TIMEOUT, unless they are set; a PROFILE does not set them',
    { empty: 'only as docs/protocol.md says' },
  ),
  TCP_REQUIRE: tcp(
    requiredList(),
    '',
    'fields that every reading must have, with their types, such as `timestamp:time,temperature:number`. A reading that lacks one, or has it with another type, is refused with its name and goes to the dead letters. `time` is a string with a time of RFC 3339',
    { empty: 'none' },
  ),
  TCP_BUFFER_BYTES: tcp(
    size({ min: MIB, max: 64 * GIB }),
    '256MiB',
    'memory for unfinished lines, lines that wait and unsent replies, all processes together. Near the limit the connections that hold most are paused, then closed with `overloaded`. Each process needs 1MiB, or eight times TCP_MAX_LINE_BYTES if that is more',
  ),
  TCP_MAX_MESSAGES_PER_SECOND: tcp(
    whole({ min: 0, max: 1_000_000 }),
    '0',
    'most lines a second from one connection; a faster one is read more slowly, nothing is lost; 0 = no limit',
  ),
  TCP_MAX_BYTES_PER_SECOND: tcp(
    sizeOr0({ min: 128, max: GIB }),
    '0',
    'most bytes a second from one connection; a faster one is read more slowly, nothing is lost; 0 = no limit',
  ),
  TCP_STRICT: tcp(
    choice('off', 'warn'),
    'off',
    'top-level fields that the protocol does not name: `off` = they are ignored; `warn` = they are ignored, and each connection is told of the first one (`warning` with code `unknown_field`)',
  ),

  TCP_LINES_PORT: lines(
    optional(whole({ min: 0, max: 65_535 })),
    '',
    'port for senders that are no devices, such as Fluent Bit, Logstash, Vector or rsyslog: each line is a JSON object and becomes a record, and nothing is replied. 0 = any free port',
    { empty: 'off' },
  ),
  TCP_LINES_FRAMING: lines(
    choice('lf', 'octet-counted'),
    'lf',
    'how lines are told apart: `lf` = each ends with a line feed; `octet-counted` = its length in bytes and a space come before it (RFC 6587)',
  ),
  TCP_LINES_WRAP: lines(
    flag(),
    'false',
    'true = the value of a record is `{"received_at":...,"remote_address":...,"data":...}` with the line in `data`; false = the line as it was sent',
  ),
  TCP_LINES_KEY: lines(
    fieldName,
    '',
    "top-level field of a line whose string, number or boolean is the record's key. A line without such a value, or with one that is empty or has more than 256 bytes, has the connection's id as its key, and is counted",
    { empty: "the connection's id is the key, so the lines of a connection stay in order" },
  ),
  TCP_LINES_TOPIC: lines(optional(topic()), '', 'topic of the lines', { empty: 'KAFKA_TOPIC_METRICS' }),
  TCP_LINES_TOPIC_FIELD: lines(
    fieldName,
    '',
    'top-level field of a line that names its topic, which has to be one of TCP_LINES_TOPICS. Any other line goes to TCP_LINES_TOPIC, and is counted',
  ),
  TCP_LINES_TOPICS: lines(topics(), '', 'the topics that TCP_LINES_TOPIC_FIELD may name'),
  TCP_LINES_TLS: lines(
    flag(),
    'false',
    'true = TCP_LINES_PORT speaks TLS, with TCP_TLS_CERT and TCP_TLS_KEY. If TCP_TLS_CA is set, senders need a certificate',
  ),
  TCP_LINES_TRUSTED: lines(cidrs(), '', 'the only networks that may connect to TCP_LINES_PORT', {
    empty: 'every address may. With TCP_TOKENS_FILE that is refused, unless senders need a certificate',
  }),

  TCP_USE_WORKER_POOL: work(
    flag(),
    'true',
    'false = each connection handles one message at a time, without queue and workers; for comparison',
  ),
  TCP_WORKER_COUNT: work(
    mapped(whole({ min: 0, max: 1024 }), (count) => (count === 0 ? 4 * availableCpus().count : count)),
    '0',
    'workers in each process that turn lines into records; 0 = 4 per core, as TCP_PROCESSES counts cores',
  ),
  TCP_JOB_QUEUE_SIZE: work(
    whole({ min: 1, max: 1_000_000 }),
    '2000',
    'most lines in each process that wait for a worker; one line of each connection may come on top',
  ),
  TCP_JOB_QUEUE_FULL: work(
    choice('pause', 'drop'),
    'pause',
    'if the queue is full: `pause` = stop reading from devices, nothing is lost; `drop` = refuse lines of devices and count them',
  ),
  TCP_PROCESSES: work(
    whole({ min: 0, max: 256 }),
    '0',
    'server processes that share the port; 0 = one per core that the process may use. A CPU quota of its control group (`--cpus` of Docker, `limits.cpu` of Kubernetes, `CPUQuota=` of systemd) counts, rounded down. Limits on connections, `TCP_BUFFER_BYTES`, `SPOOL_MAX_BYTES`, `SPOOL_DEAD_BYTES` and `KAFKA_BUFFER_BYTES` are for all processes together. If one of the sizes is too small for that many processes, fewer are started and a warning says what to set',
  ),

  TCP_TLS_PORT: security(
    optional(whole({ min: 0, max: 65_535 })),
    '',
    'port that devices connect to with TLS 1.2 or 1.3, beside TCP_PORT; needs TCP_TLS_CERT and TCP_TLS_KEY. 0 = any free port',
    { empty: 'no TLS' },
  ),
  TCP_TLS_CERT: security(
    path,
    '',
    "PEM file with the gateway's certificate, and after it those of the authorities in between. The files of TLS are read again when they change, and at SIGHUP",
    { file: true },
  ),
  TCP_TLS_KEY: security(path, '', 'PEM file with the private key of that certificate', {
    file: true,
    secretFile: true,
  }),
  TCP_TLS_CA: security(
    path,
    '',
    'PEM file of the authorities that must have signed the certificates of devices; with it devices need a certificate on TCP_TLS_PORT, and senders on TCP_LINES_PORT with TCP_LINES_TLS',
    { file: true },
  ),
  TCP_TLS_CRL: security(
    path,
    '',
    'PEM file of revoked device certificates; needs one list of each authority between the device and the root, the root included',
    { file: true },
  ),
  TCP_TLS_DEVICE_ID: security(
    optional(choice(...SUBJECT_PARTS)),
    '',
    "part of the subject of a device's certificate that is its `device_id`; needs TCP_TLS_CA",
  ),
  TCP_TLS_HANDSHAKE_TIMEOUT: security(timeout, '10s', 'time for the TLS handshake of a new connection'),
  TCP_TLS_MAX_HANDSHAKES: security(
    whole({ min: 1, max: 100_000 }),
    '256',
    'most TLS handshakes at once, all processes together; others wait, and addresses take turns',
  ),
  TCP_TOKENS_FILE: security(
    path,
    '',
    'file of device tokens, which `sluice token` edits; every device must then send a `token`. Read again when it changes, and at SIGHUP',
    { secretFile: true },
  ),
  TCP_PROXY_PROTOCOL: security(
    flag(),
    'off',
    'take the address of a device from the PROXY header (v1 or v2) that a proxy sends first, also before TLS. The proxies of TCP_PROXY_TRUSTED must send one; a header from anybody else is refused',
  ),
  TCP_PROXY_TRUSTED: security(
    cidrs(),
    '',
    'proxies that send PROXY headers. Whoever has one of these addresses can name any address, so list the proxies only',
  ),

  KAFKA_BROKERS: kafka(
    brokers(),
    'localhost:9092',
    'brokers to connect to first; they name the other brokers',
    { empty: 'no Kafka' },
  ),
  KAFKA_CLIENT_ID: kafka(
    text('1-249 of A-Za-z0-9._-', /^[A-Za-z0-9._-]{1,249}$/),
    'sluice',
    "the gateway's name in the brokers' logs and quotas",
  ),
  KAFKA_TOPIC_METRICS: kafka(
    topic(),
    'weather.metrics.raw',
    'topic of the readings. Readings that the spool still holds for a former topic are sent to the former topic',
  ),
  KAFKA_TOPIC_ALARMS: kafka(
    topic(),
    'weather.alarms',
    'topic of alarms. The gateway creates it with one partition; consumers downstream write to it',
  ),
  KAFKA_TOPIC_DEAD_LETTERS: kafka(
    optional(topic()),
    'weather.metrics.dead',
    'topic of refused lines and records',
    { empty: 'no dead letters' },
  ),
  KAFKA_TOPIC_PRESENCE: kafka(
    optional(topic()),
    '',
    'topic of presence: a record when a device connects, identifies and leaves, by its device_id. The gateway creates it compacted. An eighth of SPOOL_DEAD_BYTES is then for presence',
    { empty: 'no presence' },
  ),
  KAFKA_KEY: kafka(
    recordKey(),
    'zipcode',
    "the key of a reading's record. A record that cannot have it has the connection's id as its key, and is counted",
  ),
  KAFKA_HEADERS: kafka(
    recordHeaders(),
    '',
    'headers of the records of readings: `remote_address`, `device_id` and `traceparent` of the device, `cloudevents` for the attributes of CloudEvents in binary mode, and constants such as `site=berlin` or a schema id (docs/protocol.md, Headers)',
    { empty: 'no headers' },
  ),
  KAFKA_NUM_PARTITIONS: kafka(
    whole({ min: 1, max: 10_000 }),
    '10',
    'partitions of the readings topic if the gateway creates it',
  ),
  KAFKA_REPLICATION_FACTOR: kafka(
    wholeOr(-1, "the broker's own", { min: 1, max: 100 }),
    '-1',
    'replicas of topics that the gateway creates',
  ),
  KAFKA_TIMESTAMP: kafka(
    choice('received', 'sent'),
    'received',
    "timestamp of records in Kafka: `received` = when the line came, `sent` = when the batch is sent, for topics that refuse old timestamps. The record's value has `received_at` in both cases",
  ),

  KAFKA_BATCH_SIZE: batch(
    whole({ min: 1, max: 100_000 }),
    '1000',
    'records after which a batch is sent. While earlier batches are in flight, and on the way from the disk, a batch may hold 16 times as many',
  ),
  KAFKA_BATCH_BYTES: batch(
    size({ min: KIB, max: 16 * MIB }),
    '512KiB',
    "bytes after which a batch is sent, before compression; at most a quarter of KAFKA_BUFFER_BYTES. If the topic's `max.message.bytes` is smaller, that limit counts",
  ),
  KAFKA_BATCH_TIMEOUT: batch(
    duration({ min: 1, max: MINUTE, zero: 'at once' }),
    '20ms',
    'the longest time that a batch waits for more records. Every batch may wait 10 ms or half of this time, whichever is longer, but never longer than this time. It waits for the rest only while more records come, fewer than 40 have come and no device waits for the `stored` of one. If devices send small packets, a packet may spend up to 19 ms of this time unread',
  ),
  KAFKA_COMPRESSION: batch(
    choice('none', 'gzip', 'snappy', 'lz4', 'zstd'),
    'snappy',
    'compression of batches; `lz4` needs the optional package `lz4-napi`, `zstd` needs Node.js 22.15 or later',
  ),
  KAFKA_ASYNC: batch(
    flag(),
    'true',
    'false = a worker waits for the confirmation of its records before it takes more',
  ),
  KAFKA_REQUIRED_ACKS: batch(
    mapped(choice('all', '-1', '1', '0'), (word) => acks[word]),
    'all',
    'who confirms a record: `all` (or -1) = all in-sync replicas, `1` = the leader, `0` = nobody; 1 and 0 can lose data',
  ),
  KAFKA_MAX_ATTEMPTS: batch(
    whole({ min: 1, max: 100 }),
    '3',
    'failed tries of a batch after which its partition goes to the spool. The batch is kept and tried again',
  ),
  KAFKA_REQUEST_TIMEOUT: batch(
    duration({ min: 100, max: 10 * MINUTE }),
    '10s',
    'a broker that has not answered after this time is disconnected, and leaders are looked up again',
  ),
  KAFKA_BUFFER_BYTES: batch(
    size({ min: 4 * MIB, max: 16 * GIB }),
    '64MiB',
    'memory for unconfirmed records, all processes together; if it is full, devices are paused. Each process needs the sum of three times TCP_MAX_LINE_BYTES, 1000KiB and twice KAFKA_BATCH_BYTES',
  ),

  KAFKA_SSL: auth(flag(), 'false', 'encrypt the connections to the brokers'),
  KAFKA_SSL_CA: auth(path, '', "PEM file of the brokers' CA; empty = Node's own list", { file: true }),
  KAFKA_SSL_CERT: auth(path, '', "PEM file with the gateway's certificate, if brokers require one", {
    file: true,
  }),
  KAFKA_SSL_KEY: auth(path, '', 'PEM file with the private key of that certificate', {
    file: true,
    secretFile: true,
  }),
  KAFKA_SASL_MECHANISM: auth(
    optional(choice('plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer', 'aws-msk-iam')),
    '',
    'login mechanism. `plain` and `scram-*` need user name and password, `oauthbearer` needs a token endpoint, a client id and its secret (KAFKA_OAUTH_TOKEN_URL and the following), `aws-msk-iam` needs the optional package `aws-msk-iam-sasl-signer-js` and credentials in one of the places that AWS tools read',
  ),
  KAFKA_SASL_USERNAME: auth(optional(text('1-256 characters', /^[^\0]{1,256}$/)), '', 'user name'),
  KAFKA_SASL_PASSWORD: auth(optional(text('1-1024 characters', /^[^\0]{1,1024}$/)), '', 'password', {
    secret: true,
  }),
  KAFKA_SASL_PASSWORD_FILE: auth(
    path,
    '',
    'file with the password, in place of `KAFKA_SASL_PASSWORD`; read again when it changes',
    { secretFile: true },
  ),
  KAFKA_OAUTH_TOKEN_URL: auth(
    optional(url()),
    '',
    'token endpoint of the authorization server, for KAFKA_SASL_MECHANISM=oauthbearer. The gateway asks it for a token with the grant `client_credentials`, and for the next one after half of its lifetime',
  ),
  KAFKA_OAUTH_CLIENT_ID: auth(optional(text('1-256 characters', /^[^\0]{1,256}$/)), '', 'client id'),
  KAFKA_OAUTH_CLIENT_SECRET: auth(
    optional(text('1-1024 characters', /^[^\0]{1,1024}$/)),
    '',
    'secret of the client',
    { secret: true },
  ),
  KAFKA_OAUTH_CLIENT_SECRET_FILE: auth(
    path,
    '',
    'file with the secret, in place of `KAFKA_OAUTH_CLIENT_SECRET`; read again when it changes',
    { secretFile: true },
  ),
  KAFKA_OAUTH_SCOPE: auth(
    optional(text('1-1024 printable characters', PRINTABLE)),
    '',
    'scopes of the token, separated by spaces, such as `https://NAMESPACE.servicebus.windows.net/.default` for Event Hubs',
  ),
  KAFKA_OAUTH_AUDIENCE: auth(
    optional(text('1-1024 printable characters', PRINTABLE)),
    '',
    'audience of the token, if the authorization server wants one in the request, as Auth0 does',
  ),
  KAFKA_OAUTH_EXTENSIONS: auth(
    optional(pairs()),
    '',
    'SASL extensions that the brokers want with the token, such as `logicalCluster=lkc-1,identityPoolId=pool-1` for Confluent Cloud',
  ),
  KAFKA_OAUTH_CA: auth(
    path,
    '',
    "PEM file of the token endpoint's CA; empty = Node's own list. It is read for each token",
    { file: true },
  ),
  KAFKA_AWS_REGION: auth(
    optional(text('an AWS region, such as eu-west-1', /^[a-z]{2,3}(?:-[a-z]+){1,3}-\d{1,2}$/)),
    '',
    'region of the MSK cluster, for KAFKA_SASL_MECHANISM=aws-msk-iam; empty = the region in the names of KAFKA_BROKERS',
  ),

  SPOOL_DIR: spool(
    text('the path of a directory', /^[^\0]{1,4096}$/),
    './data/spool',
    'directory where records wait while Kafka does not take them',
  ),
  SPOOL_MAX_BYTES: spool(
    size({ min: MIB, max: 1024 * GIB }),
    '1GiB',
    'most bytes on disk, all processes together. If the spool is full, records stay in memory until devices are paused. Each process needs 1MiB, or twice KAFKA_BATCH_BYTES or TCP_MAX_LINE_BYTES if that is more',
  ),
  // A Kafka log segment counts its positions in a signed 32-bit number.
  SPOOL_SEGMENT_BYTES: spool(size({ min: 64 * KIB, max: GIB }), '64MiB', 'size of a file of the spool'),
  SPOOL_DEAD_BYTES: spool(
    size({ min: MIB, max: 1024 * GIB }),
    '64MiB',
    'most bytes of dead letters on disk, all processes together. If they are full, a partition with a refused record waits. Each process needs twice TCP_MAX_LINE_BYTES',
  ),
  SPOOL_SYNC: spool(
    choice('batch', 'os'),
    'batch',
    '`batch` = records are synced to disk (fdatasync) before `stored` is sent, `os` = the kernel decides when',
  ),

  HTTP_HOST: http(host(), ADMIN_DEFAULTS.HTTP_HOST, 'address of the admin HTTP: health, metrics, statistics'),
  HTTP_PORT: http(
    optional(whole({ min: 0, max: 65_535 })),
    ADMIN_DEFAULTS.HTTP_PORT,
    'port of the admin HTTP; 0 = any free port',
    { empty: 'off' },
  ),
  HTTP_ALLOWED_HOSTS: http(
    hosts(),
    '',
    'names in the `Host` of requests that are served, such as `sluice.example.net`; IP addresses, `localhost` and HTTP_HOST always are',
  ),
  HTTP_TOKEN: http(
    optional(text('1-1024 printable characters without spaces', /^[!-~]{1,1024}$/)),
    '',
    'if HTTP_HOST is not loopback, every page but `/healthz`, `/readyz`, `/health` and `/metrics` needs this token as `Authorization: Bearer`; without it they are not served there, and `/health` and `/readyz?verbose` show states without reasons',
    { secret: true },
  ),
  HTTP_TOKEN_FILE: http(
    path,
    '',
    'file with the token, in place of `HTTP_TOKEN`; read again when it changes',
    { secretFile: true },
  ),

  HTTP_PROFILING: http(
    flag(),
    'false',
    '`POST /profile` brings CPU profiles and heap snapshots. A snapshot holds every secret of the process, which stands still for seconds while it is taken',
  ),
  HTTP_READY_REQUIRES: http(
    choice('spool', 'kafka'),
    'spool',
    '`spool` = `/readyz` answers 200 while data sent now would be kept, in Kafka or on disk; `kafka` = only while Kafka takes records, for a load balancer that fails over to another gateway in an outage',
  ),

  OTEL_EXPORTER_OTLP_ENDPOINT: otlp(
    optional(url()),
    '',
    'an OpenTelemetry receiver to which the figures of `/metrics` are pushed; `/v1/metrics` is added to it. Empty = no push. The other variables of OpenTelemetry, such as `OTEL_EXPORTER_OTLP_CERTIFICATE`, count if they are in the environment',
  ),
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: otlp(
    optional(url()),
    '',
    'the whole address, in place of `OTEL_EXPORTER_OTLP_ENDPOINT`',
  ),
  OTEL_EXPORTER_OTLP_PROTOCOL: otlp(
    choice('http/protobuf', 'http/json'),
    'http/protobuf',
    'the form in which figures are pushed; there is no `grpc`',
  ),
  OTEL_EXPORTER_OTLP_HEADERS: otlp(
    optional(pairs()),
    '',
    'HTTP headers of each push, such as a login of the receiver: `authorization=Bearer%20abc`',
    { secret: true },
  ),
  OTEL_EXPORTER_OTLP_HEADERS_FILE: otlp(
    path,
    '',
    'file with the headers, in place of `OTEL_EXPORTER_OTLP_HEADERS`; read again when it changes',
    { secretFile: true },
  ),
  OTEL_EXPORTER_OTLP_TIMEOUT: otlp(
    whole({ min: 1, max: MINUTE }),
    '10000',
    'milliseconds for one push, repetitions included',
  ),
  OTEL_METRIC_EXPORT_INTERVAL: otlp(
    whole({ min: 100, max: HOUR }),
    '60000',
    'milliseconds between two pushes',
  ),
  OTEL_SERVICE_NAME: otlp(
    text('1-255 printable characters', /^[!-~][ -~]{0,254}$/),
    'sluice',
    '`service.name` of the figures',
  ),
  OTEL_RESOURCE_ATTRIBUTES: otlp(
    optional(pairs()),
    '',
    'further attributes of the figures; `service.instance.id` is the name of the machine unless it is given here',
  ),

  STATS_INTERVAL: ofProcess(
    duration({ min: 100, max: 24 * HOUR, zero: 'off' }),
    '30s',
    'time between statistics lines in the log',
  ),
  SHUTDOWN_DRAIN: ofProcess(
    duration({ min: 100, max: HOUR, zero: 'off' }),
    '0s',
    'time for which the gateway serves on after SIGTERM or `POST /drain` while `/readyz` says 503, so that balancers send it no new devices',
  ),
  SHUTDOWN_SPREAD: ofProcess(
    duration({ min: 100, max: HOUR, zero: 'all at once' }),
    '0s',
    'time after SHUTDOWN_DRAIN over which devices are told to go, one after the other (`closing` with code `draining`), so that they do not come back all at once',
  ),
  SHUTDOWN_TIMEOUT: ofProcess(
    duration({ min: 100, max: HOUR }),
    '10s',
    'time to finish accepted records after SIGTERM or SIGINT, or after SHUTDOWN_DRAIN and SHUTDOWN_SPREAD; from half of it on, records that Kafka has not confirmed go to the spool. A start waits for this time and 1.5 s more if another process still has SPOOL_DIR',
  ),
  LOG_LEVEL: ofProcess(
    choice(...LOG_LEVELS),
    'info',
    'lowest level that is logged; `POST /log-level` on the admin port changes it at run time',
  ),
  LOG_FORMAT: ofProcess(
    choice('auto', 'pretty', 'json'),
    'auto',
    '`pretty` for people, `json` for machines, `auto` = pretty on a terminal, else json',
  ),
  PROFILE: ofProcess(
    optional(choice(...PROFILE_NAMES)),
    '',
    'named set of values (see Profiles); settings that are given win over it',
  ),
};

export type SettingName = keyof typeof TABLE;

/** Durations in milliseconds, sizes in bytes, `null` if a setting is off or not given. */
export type Settings = {
  readonly [Name in SettingName]: Exclude<ReturnType<(typeof TABLE)[Name]['parse']>, undefined>;
};

export const SETTING_NAMES = Object.keys(TABLE) as SettingName[];

export function aboutSetting(name: SettingName): About {
  return TABLE[name].about;
}

/** Undefined if the text is not allowed. */
export function parseSetting<Name extends SettingName>(name: Name, text: string): Settings[Name] | undefined {
  return TABLE[name].parse(text) as Settings[Name] | undefined;
}

export function defaultOf<Name extends SettingName>(name: Name): Settings[Name] {
  return parseSetting(name, aboutSetting(name).default) as Settings[Name];
}
