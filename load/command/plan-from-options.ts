// Makes the plan of a run from the options and the settings.
import { readFileSync } from 'node:fs';
import type { Settings } from '../../src/config/settings.ts';
import {
  type LoadPlan,
  largestLine,
  type ReadBack,
  readingsOf,
  type Shape,
  smallestLine,
  type Target,
  type TlsTarget,
} from '../plan.ts';
import type { LoadOptions } from './options.ts';

export type Planned =
  | { readonly ok: true; readonly plan: LoadPlan }
  | { readonly ok: false; readonly problem: string };

const LINE_BYTES = 170;
const BATCH_READING_BYTES = 150;
const MAX_DEFAULT_ZIPCODES = 1000;
const STEP_MAX_P99_MS = 100;

export function planOf(options: LoadOptions, settings: Settings): Planned {
  const { shape, connections, step, rate } = options;
  const sizeBytes = options.size ?? defaultSize(shape);
  const [smallest, largest] = [smallestLine(shape), largestLine(shape)];
  if (sizeBytes < smallest || sizeBytes > largest)
    return refused(`--size ${sizeBytes}: a line of this shape has ${smallest} to ${largest} bytes`);
  const target = targetOf(options, settings);
  if (target === undefined) return refused('the settings name no fixed port: use --target host:port');
  const readBack = readBackOf(options, settings);
  if (readBack !== undefined && isTokenLogin(settings.KAFKA_SASL_MECHANISM))
    return refused(
      `the load tool cannot read the topic back with KAFKA_SASL_MECHANISM=${settings.KAFKA_SASL_MECHANISM}: use --no-read-back, or a listener with another login`,
    );
  if (
    readBack === undefined &&
    (!options.seq || options.lines !== undefined) &&
    (step !== undefined || options.maxP99 !== undefined)
  )
    return refused('--step and --max-p99 need a latency: --seq, or brokers to read from');
  return {
    ok: true,
    plan: {
      target,
      connections,
      processes: options.processes,
      rate,
      step,
      rampMs: options.ramp,
      durationMs: options.duration,
      warmUpMs: options.warmUp,
      thinkMs: options.think,
      sizeBytes,
      shape,
      linesPerWrite: options.perWrite,
      seq: options.seq && options.lines === undefined,
      window: options.window,
      badShare: options.bad,
      slowReaders: options.slowReaders,
      churn: options.churn,
      zipcodes: options.zipcodes ?? Math.min(connections, MAX_DEFAULT_ZIPCODES),
      token: options.token,
      tags: options.tags,
      deviceIds: options.deviceIds,
      lines: options.lines,
      seed: options.seed,
      settleMs: options.settle,
      reconnectMs: options.reconnect,
      maxP99Ms: options.maxP99 ?? (step === undefined ? Number.POSITIVE_INFINITY : STEP_MAX_P99_MS),
      readBack,
    },
  };
}

function targetOf(options: LoadOptions, settings: Settings): Target | undefined {
  const ofDevices = options.tls ? settings.TCP_TLS_PORT : settings.TCP_PORT;
  const port = options.lines === undefined ? ofDevices : settings.TCP_LINES_PORT;
  const target = options.target ?? (port ? { host: '127.0.0.1', port } : undefined);
  return target && options.tls ? { ...target, tls: tlsOf(options) } : target;
}

const tlsOf = ({ tlsCa, tlsCert, tlsKey }: LoadOptions): TlsTarget =>
  contentsOf({ ca: tlsCa, cert: tlsCert, key: tlsKey });

function readBackOf(options: LoadOptions, settings: Settings): ReadBack | undefined {
  const brokers = options.brokers?.split(',').map((entry) => entry.trim()) ?? settings.KAFKA_BROKERS;
  if (!options.readBack || brokers.length === 0) return undefined;
  return {
    brokers,
    topic: options.topic ?? topicOf(options, settings),
    live: options.live,
    ssl: sslOf(settings),
    sasl: saslOf(settings),
  };
}

const topicOf = ({ lines }: LoadOptions, settings: Settings): string =>
  (lines === undefined ? undefined : settings.TCP_LINES_TOPIC) ?? settings.KAFKA_TOPIC_METRICS;

function sslOf(settings: Settings): ReadBack['ssl'] {
  if (!settings.KAFKA_SSL) return undefined;
  return contentsOf({
    ca: settings.KAFKA_SSL_CA,
    cert: settings.KAFKA_SSL_CERT,
    key: settings.KAFKA_SSL_KEY,
  });
}

/** Throws if a file cannot be read. */
function contentsOf(
  files: Readonly<Record<'ca' | 'cert' | 'key', string | null | undefined>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(files).flatMap(([name, path]) => (path ? [[name, readFileSync(path, 'utf8')]] : [])),
  );
}

type Mechanism = Settings['KAFKA_SASL_MECHANISM'];

const isTokenLogin = (mechanism: Mechanism): mechanism is 'oauthbearer' | 'aws-msk-iam' =>
  mechanism === 'oauthbearer' || mechanism === 'aws-msk-iam';

function saslOf(settings: Settings): ReadBack['sasl'] {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username } = settings;
  const { KAFKA_SASL_PASSWORD: password } = settings;
  if (mechanism === null || isTokenLogin(mechanism) || username === null || password === null)
    return undefined;
  return { mechanism, username, password };
}

const defaultSize = (shape: Shape): number =>
  shape.kind === 'batch' ? Math.max(LINE_BYTES, BATCH_READING_BYTES * readingsOf(shape)) : LINE_BYTES;

const refused = (problem: string): Planned => ({ ok: false, problem });
