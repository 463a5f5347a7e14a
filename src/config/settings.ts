// Every setting of the gateway: name, kind, default, limits, description. This one schema is the only source;
// loading, --print-config, docs/configuration.md and .env.example all read it. Reads nothing itself.
import { availableParallelism } from 'node:os';
import * as z from 'zod';
import {
  brokers,
  choice,
  cidrs,
  duration,
  flag,
  host,
  type Kind,
  mapped,
  optional,
  size,
  text,
  topic,
  whole,
  wholeOr,
} from './kinds.ts';

/** The values of PROFILE; profiles.ts says what each one sets. */
export const PROFILE_NAMES = ['local', 'lan', 'wan', 'small', 'medium', 'large'] as const;

export const GROUPS = {
  tcp: 'Devices (TCP)',
  work: 'Queue and workers',
  security: 'Access for devices',
  kafka: 'Kafka: where and what',
  batch: 'Kafka: batches and delivery',
  auth: 'Kafka: encryption and login',
  spool: 'Spool',
  http: 'Admin HTTP',
  process: 'Process and log',
} as const;

/** What people read about a setting; the part of it that the type system cannot hold. */
export interface About {
  readonly group: keyof typeof GROUPS;
  readonly description: string;
  /** As text, in the setting's own syntax. */
  readonly default: string;
  readonly allowed: string;
  /** Never shown, not even when it is refused. */
  readonly secret?: true;
  /** The value is the path of a file that must be readable. */
  readonly file?: true;
  /** Where empty says something else than "not set". */
  readonly empty?: string;
  /** The name of the feature that will read it. Until it is built, setting it only warns. */
  readonly laterFeature?: string;
}

const about = z.registry<About>();

type Facts = Omit<About, 'group' | 'description' | 'default' | 'allowed'>;

function setting<T>(
  group: About['group'],
  kind: Kind<T>,
  byDefault: string,
  description: string,
  facts: Facts = {},
): z.ZodPrefault<z.ZodType<T, string>> {
  const entry: About = { group, description, default: byDefault, allowed: kind.allowed, ...facts };
  return kind.schema.prefault(byDefault).register(about, entry);
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** setTimeout counts in a signed 32-bit number of milliseconds, 596.5 hours; more would fire at once. */
const MAX_TIMER_MS = 596 * HOUR;
const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

const timeout = duration({ min: 1, max: MAX_TIMER_MS });
const path = optional(text('the path of a readable file', /^[^\0]{1,4096}$/));
const acks = { all: -1, '-1': -1, '1': 1, '0': 0 } as const;

const DEVICE_TLS = { laterFeature: 'TLS for devices' } as const;
const PROXY = { laterFeature: 'the PROXY protocol' } as const;

export const settingsSchema = z.object({
  TCP_HOST: setting('tcp', host(), '0.0.0.0', 'address the devices connect to; `::` is IPv6 and IPv4'),
  TCP_PORT: setting('tcp', whole({ min: 0, max: 65_535 }), '8080', 'its port; 0 takes any free one'),
  TCP_MAX_CONNECTIONS: setting(
    'tcp',
    whole({ min: 1, max: 1_000_000 }),
    '10000',
    'connections at once; one more is answered `server_full` and closed. Must lie 300 below `ulimit -n`',
  ),
  TCP_MAX_CONNECTIONS_PER_IP: setting(
    'tcp',
    whole({ min: 0, max: 1_000_000 }),
    '0',
    'the same for one address; 0 = no cap of its own',
  ),
  TCP_IDENTIFY_TIMEOUT: setting('tcp', timeout, '10s', 'a new connection must identify within this time'),
  TCP_INACTIVITY_TIMEOUT: setting(
    'tcp',
    timeout,
    '2m',
    'a connection from which nothing comes for so long is closed',
  ),
  TCP_LINE_TIMEOUT: setting('tcp', timeout, '30s', 'a line once begun must end within this time'),
  // Linux keeps the idle time as at most 32767 whole seconds.
  TCP_KEEPALIVE: setting(
    'tcp',
    duration({ min: SECOND, max: 9 * HOUR, zero: 'off' }),
    '60s',
    'idle time before the kernel probes whether a device is still there; 0 = off',
  ),
  // The largest is also what a line may cost: 1 MB of JSON takes about 50 ms of the event loop.
  TCP_MAX_LINE_BYTES: setting('tcp', size({ min: 128, max: MIB }), '64KiB', 'longest line a device may send'),

  TCP_USE_WORKER_POOL: setting(
    'work',
    flag(),
    'true',
    'false = one message at a time from each connection, awaited; for comparison',
  ),
  TCP_WORKER_COUNT: setting(
    'work',
    mapped(whole({ min: 0, max: 1024 }), (count) => (count === 0 ? 4 * availableParallelism() : count)),
    '0',
    'workers that turn lines into records; 0 = 4 a core',
  ),
  TCP_JOB_QUEUE_SIZE: setting(
    'work',
    whole({ min: 1, max: 1_000_000 }),
    '2000',
    'lines that may wait for a worker',
  ),
  TCP_JOB_QUEUE_FULL: setting(
    'work',
    choice('pause', 'drop'),
    'pause',
    'when the queue is full: `pause` stops reading from devices, nothing is lost; `drop` refuses lines and counts them',
  ),
  TCP_PROCESSES: setting(
    'work',
    whole({ min: 0, max: 256 }),
    '0',
    'server processes that share the port; 0 = one a core. Caps on connections, `SPOOL_MAX_BYTES`, `SPOOL_DEAD_BYTES` and `KAFKA_BUFFER_BYTES` hold for all together, workers and their queue for each. If one of the sizes is too small for so many, fewer are started and a warning says what to set',
  ),

  TCP_TLS_CERT: setting(
    'security',
    path,
    '',
    "PEM file with the server's certificate; turns TLS on",
    DEVICE_TLS,
  ),
  TCP_TLS_KEY: setting('security', path, '', 'PEM file with its private key', DEVICE_TLS),
  TCP_TLS_CA: setting(
    'security',
    path,
    '',
    'PEM file of the CA whose device certificates are required',
    DEVICE_TLS,
  ),
  TCP_TOKENS_FILE: setting(
    'security',
    path,
    '',
    'file of device tokens, one a line; `token` is then required',
    {
      laterFeature: 'device tokens',
    },
  ),
  TCP_PROXY_PROTOCOL: setting(
    'security',
    flag(),
    'off',
    "a proxy's PROXY header (v1, v2) tells the real address",
    PROXY,
  ),
  TCP_PROXY_TRUSTED: setting('security', cidrs(), '', 'the proxies that may say so', PROXY),

  KAFKA_BROKERS: setting(
    'kafka',
    brokers(),
    'localhost:9092',
    'brokers to begin with; the rest is found through them',
    {
      empty: 'no Kafka',
    },
  ),
  KAFKA_CLIENT_ID: setting(
    'kafka',
    text('1-249 of A-Za-z0-9._-', /^[A-Za-z0-9._-]{1,249}$/),
    'sluice',
    "the gateway's name in the brokers' logs and quotas",
  ),
  KAFKA_TOPIC_METRICS: setting(
    'kafka',
    topic(),
    'weather.metrics.raw',
    'topic of the readings. Those that the spool still has for a former topic are sent to that one',
  ),
  KAFKA_TOPIC_ALARMS: setting(
    'kafka',
    topic(),
    'weather.alarms',
    'topic of alarms: created here with one partition, written by consumers downstream',
  ),
  KAFKA_TOPIC_DEAD_LETTERS: setting(
    'kafka',
    optional(topic()),
    'weather.metrics.dead',
    'topic of refused lines',
    {
      empty: 'no dead letters',
    },
  ),
  KAFKA_NUM_PARTITIONS: setting(
    'kafka',
    whole({ min: 1, max: 10_000 }),
    '10',
    'partitions of the metrics topic where the gateway creates it',
  ),
  KAFKA_REPLICATION_FACTOR: setting(
    'kafka',
    wholeOr(-1, "the broker's own", { min: 1, max: 100 }),
    '-1',
    'copies of the topics the gateway creates',
  ),
  KAFKA_TIMESTAMP: setting(
    'kafka',
    choice('received', 'sent'),
    'received',
    "timestamp of a record in Kafka: `received` = when its line came in, `sent` = when its batch is sent, for a topic that refuses old timestamps. The record's value keeps `received_at` either way",
  ),

  KAFKA_BATCH_SIZE: setting(
    'batch',
    whole({ min: 1, max: 100_000 }),
    '1000',
    "records after which a partition's batch is sent. While the one before it is on its way it may grow further, up to 16 times as many",
  ),
  KAFKA_BATCH_BYTES: setting(
    'batch',
    size({ min: KIB, max: 16 * MIB }),
    '512KiB',
    "bytes after which it is sent, before compression; at most a quarter of KAFKA_BUFFER_BYTES, and the topic's `max.message.bytes` must allow it",
  ),
  KAFKA_BATCH_TIMEOUT: setting(
    'batch',
    duration({ min: 1, max: MINUTE, zero: 'at once' }),
    '10ms',
    'time after which it is sent however small. Of it up to 9 ms go by before reading, where devices send many small packets',
  ),
  KAFKA_COMPRESSION: setting(
    'batch',
    choice('none', 'gzip', 'snappy', 'lz4', 'zstd'),
    'snappy',
    'compression of batches; `lz4` needs the optional package `lz4-napi`, `zstd` a Node.js that has it (22.15 or later)',
  ),
  KAFKA_ASYNC: setting(
    'batch',
    flag(),
    'true',
    'false = a worker waits until its records are confirmed before it takes more',
  ),
  KAFKA_REQUIRED_ACKS: setting(
    'batch',
    mapped(choice('all', '-1', '1', '0'), (word) => acks[word]),
    'all',
    'who confirms a record: `all` (or -1) in-sync copies, `1` the leader, `0` nobody; 1 and 0 can lose data',
  ),
  KAFKA_MAX_ATTEMPTS: setting(
    'batch',
    whole({ min: 1, max: 100 }),
    '3',
    'quick tries of a batch before Kafka counts as unreachable; the batch is kept and tried on',
  ),
  KAFKA_REQUEST_TIMEOUT: setting(
    'batch',
    duration({ min: 100, max: 10 * MINUTE }),
    '10s',
    'a broker that has not answered by then is left and looked for again',
  ),
  KAFKA_BUFFER_BYTES: setting(
    'batch',
    size({ min: 4 * MIB, max: 16 * GIB }),
    '64MiB',
    'unconfirmed records in memory, all processes together; beyond it devices are paused. Each process needs three times TCP_MAX_LINE_BYTES, 1000KiB and twice KAFKA_BATCH_BYTES',
  ),

  KAFKA_SSL: setting('auth', flag(), 'false', 'encrypt the connections to the brokers'),
  KAFKA_SSL_CA: setting('auth', path, '', "PEM file of the CA of the brokers; empty = Node's own list", {
    file: true,
  }),
  KAFKA_SSL_CERT: setting(
    'auth',
    path,
    '',
    "PEM file with the gateway's certificate, where brokers ask for one",
    {
      file: true,
    },
  ),
  KAFKA_SSL_KEY: setting('auth', path, '', 'PEM file with its private key', { file: true }),
  KAFKA_SASL_MECHANISM: setting(
    'auth',
    optional(choice('plain', 'scram-sha-256', 'scram-sha-512')),
    '',
    'how to log in; needs the two below',
  ),
  KAFKA_SASL_USERNAME: setting('auth', optional(text('1-256 characters', /^[^\0]{1,256}$/)), '', 'user name'),
  KAFKA_SASL_PASSWORD: setting(
    'auth',
    optional(text('1-1024 characters', /^[^\0]{1,1024}$/)),
    '',
    'password',
    {
      secret: true,
    },
  ),

  SPOOL_DIR: setting(
    'spool',
    text('the path of a directory', /^[^\0]{1,4096}$/),
    './data/spool',
    'where records wait on disk while Kafka cannot take them',
  ),
  SPOOL_MAX_BYTES: setting(
    'spool',
    size({ min: MIB, max: 1024 * GIB }),
    '1GiB',
    'most it may take, all processes together; then devices are paused. Each process needs 1MiB, or twice KAFKA_BATCH_BYTES or TCP_MAX_LINE_BYTES if that is more',
  ),
  // A Kafka log segment counts its positions in a signed 32-bit number.
  SPOOL_SEGMENT_BYTES: setting('spool', size({ min: 64 * KIB, max: GIB }), '64MiB', 'size of one file of it'),
  SPOOL_DEAD_BYTES: setting(
    'spool',
    size({ min: MIB, max: 1024 * GIB }),
    '64MiB',
    'the same for dead letters that Kafka has not taken yet; when it is full, a partition with a refused record waits',
  ),
  SPOOL_SYNC: setting(
    'spool',
    choice('batch', 'os'),
    'batch',
    '`batch` = on the disk (fdatasync) before `stored` is said, `os` = left to the kernel',
  ),

  HTTP_HOST: setting('http', host(), '127.0.0.1', 'address of health, metrics and statistics'),
  HTTP_PORT: setting(
    'http',
    optional(whole({ min: 0, max: 65_535 })),
    '9108',
    'its port; 0 takes any free one',
    {
      empty: 'off',
    },
  ),
  HTTP_TOKEN: setting(
    'http',
    optional(text('1-1024 printable characters without spaces', /^[!-~]{1,1024}$/)),
    '',
    'required for what changes anything or shows device data, when not on loopback',
    { secret: true, laterFeature: 'the dashboard' },
  ),

  STATS_INTERVAL: setting(
    'process',
    duration({ min: 100, max: 24 * HOUR, zero: 'off' }),
    '30s',
    'time between statistics lines in the log',
  ),
  SHUTDOWN_TIMEOUT: setting(
    'process',
    duration({ min: 100, max: HOUR }),
    '10s',
    'on SIGTERM or SIGINT, time to finish what was accepted; in its second half what Kafka has not confirmed goes to the spool. A start waits so long, and 1.5 s more, for another process that still has SPOOL_DIR',
  ),
  LOG_LEVEL: setting(
    'process',
    choice('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    'info',
    'least important line that is logged',
  ),
  LOG_FORMAT: setting(
    'process',
    choice('auto', 'pretty', 'json'),
    'auto',
    '`pretty` for people, `json` for machines, `auto` = pretty on a terminal',
  ),
  PROFILE: setting(
    'process',
    optional(choice(...PROFILE_NAMES)),
    '',
    'a named set of the above; what is set by hand wins',
  ),
});

/** Durations in milliseconds, sizes in bytes, `null` where a setting is off or not given. */
export type Settings = Readonly<z.output<typeof settingsSchema>>;
export type SettingName = keyof Settings;

export const SETTING_NAMES = Object.keys(settingsSchema.shape) as SettingName[];

export function aboutSetting(name: SettingName): About {
  const entry = about.get(settingsSchema.shape[name]);
  if (entry === undefined) throw new Error(`no description registered for ${name}`);
  return entry;
}
