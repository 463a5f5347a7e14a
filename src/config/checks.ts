// Checks settings against each other, and warns of allowed but risky ones. A check is silent unless all the settings
// that it reads are valid, so that one bad value is not reported twice.
import { accessSync, constants, statSync } from 'node:fs';
import { sizeText } from './kinds.ts';
import { quoted } from './printable.ts';
import { aboutSetting, SETTING_NAMES, type SettingName, type Settings } from './settings.ts';
import { roundedUp, sharesOfProcess } from './shares.ts';

export function crossProblems(settings: Partial<Settings>): string[] {
  return [
    ...batchProblems(settings),
    ...shareProblems(settings),
    ...topicProblems(settings),
    ...portProblems(settings),
    ...loginProblems(settings),
    ...encryptionProblems(settings),
    ...fileProblems(settings),
  ];
}

function batchProblems(settings: Partial<Settings>): string[] {
  const { KAFKA_BATCH_BYTES: batch, KAFKA_BUFFER_BYTES: buffer } = settings;
  // With less room than for one open and one sent batch of two busy partitions, records would stop flowing.
  if (batch === undefined || buffer === undefined || batch <= buffer / 4) return [];
  return [
    `KAFKA_BATCH_BYTES=${sizeText(batch)} is more than a quarter of KAFKA_BUFFER_BYTES=${sizeText(buffer)}; ` +
      `allowed here: at most ${sizeText(Math.floor(buffer / 4))}`,
  ];
}

/** Settings that are too small for a single process. If they suffice for some, fewer are started (shares.ts). */
function shareProblems(settings: Partial<Settings>): string[] {
  const { TCP_MAX_LINE_BYTES: line, KAFKA_BATCH_BYTES: batch } = settings;
  if (line === undefined || batch === undefined) return [];
  const shares = sharesOfProcess({ TCP_MAX_LINE_BYTES: line, KAFKA_BATCH_BYTES: batch });
  return shares.flatMap(({ name, needBytes, reason }) => {
    const have = settings[name];
    if (have === undefined || have >= needBytes) return [];
    // batchProblems() has reported this already.
    if (name === 'KAFKA_BUFFER_BYTES' && batchProblems(settings).length > 0) return [];
    return [
      `${name}=${sizeText(have)} is too small for ${reason}; allowed here: at least ${roundedUp(needBytes)}`,
    ];
  });
}

/** Consumers of one topic must never find another topic's records. */
function topicProblems(settings: Partial<Settings>): string[] {
  const names = ['KAFKA_TOPIC_METRICS', 'KAFKA_TOPIC_ALARMS', 'KAFKA_TOPIC_DEAD_LETTERS'] as const;
  const seen = new Map<string, string>();
  const problems: string[] = [];
  for (const name of names) {
    const topic = settings[name];
    if (topic === undefined || topic === null) continue;
    const other = seen.get(topic);
    if (other === undefined) seen.set(topic, name);
    else problems.push(`${name}=${quoted(topic)} is the topic of ${other} too; allowed: a topic of its own`);
  }
  return problems;
}

function portProblems({ TCP_HOST, TCP_PORT, HTTP_HOST, HTTP_PORT }: Partial<Settings>): string[] {
  if (TCP_PORT === undefined || HTTP_PORT === undefined || TCP_PORT === 0 || TCP_PORT !== HTTP_PORT)
    return [];
  const everywhere = ['0.0.0.0', '::'];
  const meet =
    TCP_HOST === HTTP_HOST || everywhere.includes(TCP_HOST ?? '') || everywhere.includes(HTTP_HOST ?? '');
  return meet ? [`HTTP_PORT=${HTTP_PORT} is TCP_PORT too; allowed: another port, 0 or empty`] : [];
}

function loginProblems(settings: Partial<Settings>): string[] {
  const { KAFKA_SASL_MECHANISM: mechanism } = settings;
  if (mechanism === undefined) return [];
  const problems: string[] = [];
  for (const name of ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'] as const) {
    const value = settings[name];
    if (mechanism !== null && value === null) {
      problems.push(`${name} is not set, but KAFKA_SASL_MECHANISM=${mechanism} needs it`);
    } else if (mechanism === null && value !== null && value !== undefined) {
      const { allowed } = aboutSetting('KAFKA_SASL_MECHANISM');
      problems.push(`KAFKA_SASL_MECHANISM is not set, but ${name} is; allowed: ${allowed}`);
    }
  }
  return problems;
}

function encryptionProblems(settings: Partial<Settings>): string[] {
  const { KAFKA_SSL: ssl, KAFKA_SSL_CERT: cert, KAFKA_SSL_KEY: key } = settings;
  const problems: string[] = [];
  if (cert && key === null) problems.push('KAFKA_SSL_KEY is not set, but KAFKA_SSL_CERT needs it');
  if (key && cert === null) problems.push('KAFKA_SSL_CERT is not set, but KAFKA_SSL_KEY needs it');
  // Whoever sets certificates without encryption believes that the connection is encrypted.
  for (const name of ['KAFKA_SSL_CA', 'KAFKA_SSL_CERT', 'KAFKA_SSL_KEY'] as const) {
    if (ssl === false && settings[name])
      problems.push(`${name} is set, but KAFKA_SSL=false; allowed: KAFKA_SSL=true with it`);
  }
  return problems;
}

function fileProblems(settings: Partial<Settings>): string[] {
  return SETTING_NAMES.flatMap((name) => {
    const path = settings[name];
    const { file, allowed } = aboutSetting(name);
    const reason = file && typeof path === 'string' ? unreadable(path) : undefined;
    return reason === undefined ? [] : [`${name}=${quoted(String(path))}: ${reason}; allowed: ${allowed}`];
  });
}

function unreadable(path: string): string | undefined {
  try {
    if (!statSync(path).isFile()) return 'this is not a file';
    accessSync(path, constants.R_OK);
    return undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    return code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`;
  }
}

/** @param chosen whether a person, and not a profile, set this to something else than its default */
export function settingWarnings(settings: Settings, chosen: (name: SettingName) => boolean): string[] {
  const warnings: string[] = [];
  if (settings.KAFKA_REQUIRED_ACKS !== -1) {
    warnings.push(
      `KAFKA_REQUIRED_ACKS=${settings.KAFKA_REQUIRED_ACKS} can lose data: ` +
        (settings.KAFKA_REQUIRED_ACKS === 1
          ? 'records that only the leader holds are gone if it fails'
          : 'nobody confirms that a record arrived'),
    );
  }
  if (settings.KAFKA_SASL_MECHANISM === 'plain' && !settings.KAFKA_SSL) {
    warnings.push(
      'KAFKA_SASL_MECHANISM=plain without KAFKA_SSL=true sends the password readable over the network',
    );
  }
  for (const name of SETTING_NAMES) {
    const { laterFeature } = aboutSetting(name);
    if (laterFeature === undefined || !chosen(name)) continue;
    warnings.push(`${name} is set but has no effect yet: ${laterFeature} is not built`);
  }
  return warnings;
}
