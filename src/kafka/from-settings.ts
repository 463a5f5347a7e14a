// The Kafka client and the options of the spools, built from the settings. It opens nothing.
import { readFileSync } from 'node:fs';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { Logger } from 'pino';
import type { Settings } from '../config/settings.ts';
import type { SpoolOptions } from '../spool/spool.ts';
import { SpoolCap } from '../spool/spool-cap.ts';
import { KafkaClient } from './client/kafka-client.ts';
import type { SaslOptions } from './client/kafkajs.ts';

/** Undefined if KAFKA_BROKERS is empty. */
export function createCluster(settings: Settings, log: Logger): KafkaClient | undefined {
  if (settings.KAFKA_BROKERS.length === 0) return undefined;
  const options = {
    brokers: settings.KAFKA_BROKERS,
    clientId: settings.KAFKA_CLIENT_ID,
    ssl: tlsOptions(settings),
    sasl: saslOptions(settings),
    requestTimeoutMs: settings.KAFKA_REQUEST_TIMEOUT,
  };
  return new KafkaClient(options, log);
}

/** @param cap the setting that limits the bytes on disk of readings, or of dead letters */
export function spoolOptions(
  settings: Settings,
  cap: 'SPOOL_MAX_BYTES' | 'SPOOL_DEAD_BYTES',
  log: Logger,
): Omit<SpoolOptions, 'directory'> {
  return {
    remark: ({ level, text }, directory) => log[level]({ directory }, `Spool: ${text}`),
    cap: new SpoolCap(settings[cap], cap),
    segmentBytes: settings.SPOOL_SEGMENT_BYTES,
    sync: settings.SPOOL_SYNC,
    partitions: settings.KAFKA_NUM_PARTITIONS,
  };
}

function tlsOptions(settings: Settings): TlsOptions | undefined {
  if (!settings.KAFKA_SSL) return undefined;
  const file = (path: string | null) => (path === null ? undefined : readFileSync(path));
  const options = {
    ca: file(settings.KAFKA_SSL_CA),
    cert: file(settings.KAFKA_SSL_CERT),
    key: file(settings.KAFKA_SSL_KEY),
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function saslOptions(settings: Settings): SaslOptions | undefined {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username } = settings;
  const { KAFKA_SASL_PASSWORD: password } = settings;
  if (mechanism === null || username === null || password === null) return undefined;
  return { mechanism, username, password };
}
