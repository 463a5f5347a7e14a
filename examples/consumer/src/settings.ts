// The settings, from environment variables. A fault in them ends the start with exit code 78.
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { reasonOf } from './log.ts';

export interface Settings {
  readonly brokers: readonly string[];
  readonly ssl: boolean;
  readonly sasl: Login | undefined;
  readonly topic: string;
  readonly alarmsTopic: string;
  readonly group: string;
  readonly databaseUrl: string;
  /** Which id names a device in the key of a reading. */
  readonly keyBy: 'device' | 'connection';
  /** The field of `data` that holds the device's own number. */
  readonly numberField: string | undefined;
  /** Undefined: no health port. */
  readonly healthPort: number | undefined;
  readonly healthHost: string;
}

export interface Login {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

export class SettingsError extends Error {
  readonly code = 'SETTINGS';
}

export type Env = Readonly<Record<string, string | undefined>>;

/** @throws SettingsError that names the variable */
export function readSettings(env: Env): Settings {
  const text = (name: string, otherwise = '') => env[name] || otherwise;
  const secret = (name: string) => {
    const file = env[`${name}_FILE`];
    return file ? secretFrom(file, name) : text(name);
  };
  const brokers = text('KAFKA_BROKERS', '127.0.0.1:9092')
    .split(',')
    .map((broker) => broker.trim());
  if (!brokers.every((broker) => /^[^\s,]+:\d+$/.test(broker)))
    throw new SettingsError('KAFKA_BROKERS is a list of host:port, separated by commas');
  const databaseUrl = secret('DATABASE_URL');
  if (!/^postgres(ql)?:\/\//.test(databaseUrl))
    throw new SettingsError(
      'DATABASE_URL is missing, for example postgresql://user:password@host:5432/weather',
    );
  try {
    // Throws too if a file is missing that the URL names, such as sslrootcert.
    new pg.Client({ connectionString: databaseUrl });
  } catch (error) {
    throw new SettingsError(
      `DATABASE_URL cannot be used (${reasonOf(error)}). Characters such as # / ? in the password are written as %23 %2F %3F`,
    );
  }
  return {
    brokers,
    ssl: oneOf(text('KAFKA_SSL', 'false'), 'KAFKA_SSL', ['true', 'false']) === 'true',
    sasl: readLogin(text, secret),
    topic: text('KAFKA_TOPIC', 'weather.metrics.raw'),
    alarmsTopic: text('KAFKA_TOPIC_ALARMS', 'weather.alarms'),
    group: text('KAFKA_GROUP', 'weather-consumer'),
    databaseUrl,
    keyBy: oneOf(text('READING_KEY', 'device'), 'READING_KEY', ['device', 'connection']),
    numberField: text('NUMBER_FIELD') || undefined,
    healthPort: readPort(text('HEALTH_PORT')),
    healthHost: text('HEALTH_HOST', '127.0.0.1'),
  };
}

function readLogin(text: (name: string) => string, secret: (name: string) => string): Login | undefined {
  const name = text('KAFKA_SASL_MECHANISM');
  if (name === '') {
    if (text('KAFKA_SASL_USERNAME') !== '')
      throw new SettingsError('KAFKA_SASL_MECHANISM is needed for a login, such as scram-sha-512');
    return undefined;
  }
  const known = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
  const mechanism = oneOf(name, 'KAFKA_SASL_MECHANISM', known);
  const username = text('KAFKA_SASL_USERNAME');
  const password = secret('KAFKA_SASL_PASSWORD');
  if (username === '' || password === '')
    throw new SettingsError('KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD are needed for a login');
  return { mechanism, username, password };
}

function readPort(text: string): number | undefined {
  if (text === '') return undefined;
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new SettingsError('HEALTH_PORT is 0 to 65535');
  return Number(text);
}

function oneOf<T extends string>(value: string, name: string, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  if (found === undefined) throw new SettingsError(`${name} is one of ${known.join(', ')}`);
  return found;
}

function secretFrom(file: string, name: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new SettingsError(`The file of ${name}_FILE cannot be read: ${file}`, { cause });
  }
}
