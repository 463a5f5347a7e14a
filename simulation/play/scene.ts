// Draws the settings of a history from its seed: those of the gateway, of the cluster and of the devices.
import type { Resuming } from '../fleet/resumption.ts';
import { Random } from '../world/random.ts';
import type { CpuCosts } from '../world/world.ts';
import { bootstrapOf } from './addresses.ts';

export type Env = Readonly<Record<string, string>>;

export interface Scene {
  readonly seed: number;
  /** Settings of the gateway that differ from their defaults. */
  readonly env: Env;
  readonly brokers: 1 | 3;
  readonly minInsyncReplicas: 1 | 2;
  readonly partitions: number;
  readonly devices: number;
  /** Fewer than devices, so that several share a key and a partition. */
  readonly zipcodes: number;
  /** Messages of a device each second. */
  readonly messagesPerSecond: number;
  /** Whether devices with a device_id resume. */
  readonly resuming: Resuming;
  /** The brokers start so long after the gateway. 0 = they are there before it. */
  readonly brokersLateMs: number;
  /** Whether the topic exists before the gateway starts. */
  readonly createsTopic: boolean;
  /** `Network.hidesLateResets`: which libuv the gateway has. */
  readonly hasOldLibuv: boolean;
  /** Of the kernels, in each direction of a connection. */
  readonly socketBufferBytes: number;
  /** Time on each way between the gateway and a broker. */
  readonly brokerDelayMs: number;
  /** What an event and a look at the clock cost a process of the gateway, in milliseconds: a fast or a slow machine. */
  readonly cpu: CpuCosts;
  /** The lifetime of a login in milliseconds; undefined if the brokers want none. */
  readonly loginLastsMs: number | undefined;
}

export const LOGIN = { KAFKA_SASL_USERNAME: 'sluice', KAFKA_SASL_PASSWORD: 'its password' };
export const SPOOL_DIR = '/var/lib/sluice/spool';
export const METRICS = 'weather.metrics.raw';
export const DEAD = 'weather.metrics.dead';
/** Of a broker, each way. */
const FAR_MS = 20;
export const TCP_PORT = 8080;

const QUICK: CpuCosts = { eventMs: 0.002, lookMs: 0.0002 };
/** Budgets of a few milliseconds a turn are used up after some lines. */
const SLOW: CpuCosts = { eventMs: 0.05, lookMs: 0.05 };

/** Each draw has a stream of its own, so that a further one changes no other. */
export function drawScene(seed: number, devices?: number): Scene {
  const draw = <T>(name: string, of: (random: Random) => T): T => of(new Random(seed, `scene ${name}`));
  const pick = <T>(name: string, items: readonly T[]): T => draw(name, (random) => random.pick(items));
  const chance = (name: string, p: number) => draw(name, (random) => random.chance(p));

  const brokers = pick('brokers', [1, 3, 3] as const);
  const processes = pick('processes', [1, 1, 1, 1, 2, 3]);
  const lineBytes = pick('line bytes', [8, 16, 64]);
  const batchBytes = pick('batch bytes', [1, 4, 32, 128]);
  const partitions = pick('partitions', [1, 2, 3, 6]);
  const needed = Math.ceil(3 * lineBytes + 1000 + 2 * batchBytes) * processes;
  const spoolNeeded = Math.max(1024, 2 * Math.max(batchBytes, lineBytes)) * processes;
  const mechanism = pick('login', [undefined, 'plain', 'scram-sha-256']);
  const count = devices ?? pick('devices', [1, 3, 8, 20]);
  const rate = pick('rate', [5, 20, 60, 60, 200, 500]);
  const brokerDelayMs = pick('broker delay', [0.2, 0.2, 2, 20, 60]);
  const isAsync = !chance('synchronous', 0.15);
  const env: Record<string, string> = {
    TCP_HOST: '0.0.0.0',
    TCP_PORT: String(TCP_PORT),
    TCP_PROCESSES: String(processes),
    TCP_MAX_LINE_BYTES: `${lineBytes}KiB`,
    TCP_WORKER_COUNT: pick('workers', ['1', '2', '8']),
    TCP_USE_WORKER_POOL: chance('no pool', 0.05) ? 'false' : 'true',
    TCP_JOB_QUEUE_SIZE: pick('queue', ['1', '20', '200', '2000']),
    TCP_JOB_QUEUE_FULL: chance('drop', 0.1) ? 'drop' : 'pause',
    // One for each process is the least that is allowed.
    TCP_BUFFER_BYTES: chance('small buffer', 0.3) ? `${processes}MiB` : '256MiB',
    // Less than there are strangers. With few more than there are devices, a place that is not given back is soon missed.
    TCP_MAX_CONNECTIONS: chance('few places', 0.2) ? pick('places', ['40', `${count + 2}`]) : '10000',
    TCP_MAX_ACCEPTS_PER_SECOND: chance('slow accepts', 0.1) ? '20' : '0',
    TCP_MAX_MESSAGES_PER_SECOND: chance('limited lines', 0.1) ? '1000' : '0',
    TCP_IDENTIFY_TIMEOUT: pick('identify', ['2s', '10s']),
    TCP_INACTIVITY_TIMEOUT: pick('inactivity', ['20s', '2m']),
    TCP_MAX_CONNECTION_AGE: chance('age', 0.1) ? '15s' : '0',
    HTTP_PORT: '',
    STATS_INTERVAL: '30s',
    SPOOL_DIR,
    SPOOL_MAX_BYTES: `${pick('spool', [spoolNeeded, spoolNeeded, 4 * spoolNeeded, 1024 * 1024])}KiB`,
    SPOOL_SEGMENT_BYTES: pick('segment', ['64KiB', '64KiB', '256KiB', '64MiB']),
    SPOOL_DEAD_BYTES: `${pick('dead', [spoolNeeded, 64 * 1024])}KiB`,
    SPOOL_SYNC: chance('os sync', 0.05) ? 'os' : 'batch',
    // Otherwise the zipcode and the city are required.
    ...(chance('only device_id', 0.25) ? { TCP_IDENTIFY: 'device_id' } : {}),
    KAFKA_KEY: pick('key', ['zipcode', 'zipcode', 'device_id', 'tags.site']),
    KAFKA_BROKERS: bootstrapOf(brokers),
    KAFKA_TOPIC_METRICS: METRICS,
    KAFKA_TOPIC_DEAD_LETTERS: chance('no letters', 0.1) ? '' : DEAD,
    KAFKA_NUM_PARTITIONS: String(partitions),
    KAFKA_REPLICATION_FACTOR: brokers === 3 ? '3' : '1',
    KAFKA_TIMESTAMP: pick('timestamp', ['received', 'received', 'sent']),
    // A spool of batches of one record drains by one a round trip.
    KAFKA_BATCH_SIZE: pick('batch size', [rate > 10 ? '5' : '1', '5', '50', '1000']),
    KAFKA_BATCH_BYTES: `${batchBytes}KiB`,
    // A worker that waits for each confirmation waits for its batch as well.
    KAFKA_BATCH_TIMEOUT: pick('batch timeout', [
      '0',
      '5ms',
      '5ms',
      '10ms',
      '10ms',
      ...(isAsync ? ['100ms', '1s'] : []),
    ]),
    KAFKA_COMPRESSION: pick('compression', ['none', 'none', 'gzip', 'lz4', 'snappy']),
    KAFKA_ASYNC: String(isAsync),
    KAFKA_REQUIRED_ACKS: pick('acks', [...Array(12).fill('all'), '1', '1', '0']),
    KAFKA_MAX_ATTEMPTS: pick('attempts', ['1', '2', '3', '5']),
    // Over a far link with small buffers a request of several batches takes seconds, and never comes to its end in less.
    KAFKA_REQUEST_TIMEOUT: pick(
      'request timeout',
      brokerDelayMs < FAR_MS ? ['2s', '5s', '10s'] : ['10s', '30s'],
    ),
    KAFKA_BUFFER_BYTES: `${Math.max(4096, pick('buffer', [needed, 2 * needed, 65_536]))}KiB`,
    SHUTDOWN_TIMEOUT: pick('stop', ['2s', '10s']),
    SHUTDOWN_DRAIN: chance('drain', 0.15) ? '1s' : '0s',
    SHUTDOWN_SPREAD: chance('spread', 0.15) ? '1s' : '0s',
    ...(mechanism === undefined ? {} : { KAFKA_SASL_MECHANISM: mechanism, ...LOGIN }),
  };
  return {
    seed,
    env,
    brokers,
    minInsyncReplicas: brokers === 3 ? 2 : 1,
    partitions,
    devices: count,
    zipcodes: pick('zipcodes', [1, 4, 15]),
    messagesPerSecond: rate / count,
    resuming: pick('resuming', ['never', 'always', 'always', 'some'] as const),
    hasOldLibuv: chance('old libuv', 0.5),
    socketBufferBytes: pick('socket buffers', [16, 64, 128, 1024]) * 1024,
    brokersLateMs: pick('late brokers', [0, 0, 0, 0, 0, 0, 1_000, 5_000, 12_000, 25_000]),
    createsTopic: chance('topic exists', 0.8),
    cpu: pick('cpu', [QUICK, QUICK, SLOW]),
    brokerDelayMs,
    loginLastsMs: mechanism === undefined ? undefined : pick('login lasts', [5_000, 20_000, 3_600_000]),
  };
}

/** The settings that differ from their defaults, as one line for people. */
export const sceneInWords = ({ env, ...scene }: Scene): string =>
  [
    `${scene.devices} devices (${scene.zipcodes} zipcodes, ${scene.messagesPerSecond} messages/s each)`,
    `resuming ${scene.resuming}`,
    scene.cpu === SLOW ? 'slow CPU' : 'quick CPU',
    `${scene.brokers} broker${scene.brokers > 1 ? 's' : ''} ${scene.brokerDelayMs} ms away`,
    scene.createsTopic ? `topic with ${scene.partitions} partitions` : 'no topic at the start',
    scene.brokersLateMs === 0
      ? 'brokers are there first'
      : `brokers start after ${scene.brokersLateMs / 1000} s`,
    scene.loginLastsMs === undefined ? 'no login' : `logins last ${scene.loginLastsMs / 1000} s`,
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
  ].join(', ');

/** A size in the syntax of the settings. */
export function bytesIn(text: string): number {
  const [, number = '0', unit = ''] = /^(\d+)(KiB|MiB|GiB)?$/.exec(text) ?? [];
  return Number(number) * (unit === 'GiB' ? 2 ** 30 : unit === 'MiB' ? 2 ** 20 : unit === 'KiB' ? 1024 : 1);
}

/** A time in the syntax of the settings, in milliseconds. */
export function msIn(text: string): number {
  const [, number = '0', unit = 'ms'] = /^(\d+)(ms|s|m|h)?$/.exec(text) ?? [];
  const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };
  return Number(number) * (unitMs[unit] ?? 1);
}
