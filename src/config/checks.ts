// Checks settings against each other. A check is silent unless all the settings that it reads are valid, so that one bad
// value is not reported twice.
import { fileProblems } from './file-checks.ts';
import { sizeText } from './kinds.ts';
import { linesProblems } from './lines-checks.ts';
import { loginProblems } from './login-checks.ts';
import { quoted } from './printable.ts';
import { furtherTopics, MAX_FURTHER_TOPICS } from './reading-topics.ts';
import type { Settings } from './settings.ts';
import { roundedUp, sharesOfProcess } from './shares.ts';

export function crossProblems(settings: Partial<Settings>): string[] {
  return [
    ...batchProblems(settings),
    ...shareProblems(settings),
    ...topicProblems(settings),
    ...portProblems(settings),
    ...linesProblems(settings),
    ...proxyProblems(settings),
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
  const { TCP_MAX_LINE_BYTES: line, KAFKA_BATCH_BYTES: batch, KAFKA_TOPIC_PRESENCE: presence } = settings;
  if (line === undefined || batch === undefined) return [];
  const shares = sharesOfProcess({
    TCP_MAX_LINE_BYTES: line,
    KAFKA_BATCH_BYTES: batch,
    KAFKA_TOPIC_PRESENCE: presence ?? null,
  });
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
  const names = [
    'KAFKA_TOPIC_METRICS',
    'KAFKA_TOPIC_ALARMS',
    'KAFKA_TOPIC_DEAD_LETTERS',
    'KAFKA_TOPIC_PRESENCE',
  ] as const;
  const seen = new Map<string, string>();
  const problems: string[] = [];
  for (const name of names) {
    const topic = settings[name];
    if (topic === undefined || topic === null) continue;
    const other = seen.get(topic);
    if (other === undefined) seen.set(topic, name);
    else problems.push(`${name}=${quoted(topic)} is the topic of ${other} too; allowed: a topic of its own`);
  }
  return [...problems, ...furtherTopicProblems(settings, seen)];
}

/** @param taken the setting that names each topic. Readings of several settings may share a topic. */
function furtherTopicProblems(settings: Partial<Settings>, taken: ReadonlyMap<string, string>): string[] {
  const topics = new Set(furtherTopics(settings));
  const problems = [...topics].flatMap((topic) => {
    const other = taken.get(topic);
    if (other === undefined || other === 'KAFKA_TOPIC_METRICS') return [];
    return [
      `topic ${quoted(topic)} for plain lines is the topic of ${other} too; allowed: a topic of its own, or that of KAFKA_TOPIC_METRICS`,
    ];
  });
  topics.delete(settings.KAFKA_TOPIC_METRICS ?? '');
  if (topics.size <= MAX_FURTHER_TOPICS) return problems;
  return [
    ...problems,
    `TCP_LINES_TOPIC and TCP_LINES_TOPICS name ${topics.size} topics beside KAFKA_TOPIC_METRICS; allowed: at most ${MAX_FURTHER_TOPICS}`,
  ];
}

function portProblems(settings: Partial<Settings>): string[] {
  const ports = [
    ['TCP_PORT', settings.TCP_HOST],
    ['TCP_TLS_PORT', settings.TCP_HOST],
    ['TCP_LINES_PORT', settings.TCP_HOST],
    ['HTTP_PORT', settings.HTTP_HOST],
  ] as const;
  const problems = ports.flatMap(([name, host], index) => {
    const port = settings[name];
    const other = ports
      .slice(0, index)
      .find((one) => port && settings[one[0]] === port && meet(host, one[1]));
    return other === undefined
      ? []
      : [`${name}=${port} is ${other[0]} too; allowed: another port, 0 or empty`];
  });
  if (settings.TCP_PORT === null && settings.TCP_TLS_PORT === null && settings.TCP_LINES_PORT === null)
    problems.push(
      'TCP_PORT, TCP_TLS_PORT and TCP_LINES_PORT are all empty, so no device could connect; allowed: one of them',
    );
  return problems;
}

/** True if both would listen on an address in common. */
function meet(one: string | undefined, other: string | undefined): boolean {
  const everywhere = ['0.0.0.0', '::'];
  return one === other || everywhere.includes(one ?? '') || everywhere.includes(other ?? '');
}

/** Without trusted proxies nobody's header would be believed. */
function proxyProblems({
  TCP_PROXY_PROTOCOL: isOn,
  TCP_PROXY_TRUSTED: trusted,
}: Partial<Settings>): string[] {
  if (isOn !== true || trusted === undefined || trusted.length > 0) return [];
  return [
    'TCP_PROXY_TRUSTED is not set, but TCP_PROXY_PROTOCOL=true needs it; allowed: the addresses of the proxies, such as 10.0.0.7',
  ];
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
