// Checks settings against each other, and warns of allowed but risky ones. A check is silent unless all the settings
// that it reads are valid, so that one bad value is not reported twice.
import { deviceTls, deviceTlsFiles } from './device-tls.ts';
import { contentSync, FileError, MAX_FILE_BYTES } from './file-content.ts';
import { kafkaTlsContext, kafkaTlsFiles } from './kafka-tls.ts';
import { sizeText } from './kinds.ts';
import { loginProblems, loginWarnings } from './login-checks.ts';
import { certificatesIn, ofSetting } from './pem.ts';
import { quoted } from './printable.ts';
import { aboutSetting, SETTING_NAMES, type SettingName, type Settings } from './settings.ts';
import { roundedUp, sharesOfProcess } from './shares.ts';

const MIN_TOKEN_CHARACTERS = 16;

export function crossProblems(settings: Partial<Settings>): string[] {
  return [
    ...batchProblems(settings),
    ...shareProblems(settings),
    ...topicProblems(settings),
    ...portProblems(settings),
    ...proxyProblems(settings),
    ...loginProblems(settings),
    ...encryptionProblems(settings),
    ...fileProblems(settings),
    ...kafkaTlsProblems(settings),
    ...tokenCaProblems(settings),
    ...deviceTlsProblems(settings),
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

function portProblems(settings: Partial<Settings>): string[] {
  const ports = [
    ['TCP_PORT', settings.TCP_HOST],
    ['TCP_TLS_PORT', settings.TCP_HOST],
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
  if (settings.TCP_PORT === null && settings.TCP_TLS_PORT === null)
    problems.push(
      'TCP_PORT and TCP_TLS_PORT are both empty, so no device could connect; allowed: one of them',
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

function fileProblems(settings: Partial<Settings>): string[] {
  return SETTING_NAMES.flatMap((name) => {
    const path = settings[name];
    const { file, secretFile, allowed } = aboutSetting(name);
    if (!file || typeof path !== 'string') return [];
    const reason = problemOf(() => contentOf(path));
    if (reason === undefined) return [];
    // It may be the secret itself, pasted instead of its path.
    const value = secretFile ? ' (value hidden)' : `=${quoted(path)}`;
    return [`${name}${value}: ${reason}; allowed: ${allowed}`];
  });
}

/** Files that can be read, but do not work. */
function kafkaTlsProblems(settings: Partial<Settings>): string[] {
  const { KAFKA_SSL, KAFKA_SSL_CA: ca, KAFKA_SSL_CERT: cert, KAFKA_SSL_KEY: key } = settings;
  if (!KAFKA_SSL || ca === undefined || cert === undefined || key === undefined) return [];
  if ((cert === null) !== (key === null)) return [];
  return tlsProblems(
    kafkaTlsFiles({ KAFKA_SSL_CA: ca, KAFKA_SSL_CERT: cert, KAFKA_SSL_KEY: key }),
    kafkaTlsContext,
  );
}

function tokenCaProblems({ KAFKA_OAUTH_CA: path }: Partial<Settings>): string[] {
  if (path === null || path === undefined) return [];
  const name = 'KAFKA_OAUTH_CA';
  return tlsProblems([{ name, path }], (contents) =>
    ofSetting(name, () => certificatesIn(contents.get(name) ?? Buffer.alloc(0))),
  );
}

/** Whoever sets one of these believes that devices are encrypted, or have to show a certificate. */
function deviceTlsProblems(settings: Partial<Settings>): string[] {
  const {
    TCP_TLS_PORT: port,
    TCP_TLS_CERT: cert,
    TCP_TLS_KEY: key,
    TCP_TLS_CA: ca,
    TCP_TLS_CRL: crl,
  } = settings;
  const problems: string[] = [];
  const needs = (name: SettingName, other: SettingName) => {
    const isThere = settings[name] !== null && settings[name] !== undefined;
    if (isThere && settings[other] === null) problems.push(`${other} is not set, but ${name} needs it`);
  };
  needs('TCP_TLS_PORT', 'TCP_TLS_CERT');
  needs('TCP_TLS_PORT', 'TCP_TLS_KEY');
  for (const name of [
    'TCP_TLS_CERT',
    'TCP_TLS_KEY',
    'TCP_TLS_CA',
    'TCP_TLS_CRL',
    'TCP_TLS_DEVICE_ID',
  ] as const)
    needs(name, 'TCP_TLS_PORT');
  for (const name of ['TCP_TLS_CRL', 'TCP_TLS_DEVICE_ID'] as const) needs(name, 'TCP_TLS_CA');
  if (
    problems.length > 0 ||
    port === null ||
    port === undefined ||
    !cert ||
    !key ||
    ca === undefined ||
    crl === undefined
  )
    return problems;
  return tlsProblems(
    deviceTlsFiles({ TCP_TLS_CERT: cert, TCP_TLS_KEY: key, TCP_TLS_CA: ca, TCP_TLS_CRL: crl }),
    deviceTls,
  );
}

/** Problems of files that can be read. fileProblems() reports the others. */
function tlsProblems<Name extends SettingName>(
  files: readonly { name: Name; path: string }[],
  check: (contents: ReadonlyMap<Name, Buffer>) => unknown,
): string[] {
  if (files.some(({ path }) => problemOf(() => contentOf(path)) !== undefined)) return [];
  const problem = problemOf(() => check(new Map(files.map(({ name, path }) => [name, contentOf(path)]))));
  return problem === undefined ? [] : [problem];
}

const contentOf = (path: string) => contentSync(path, MAX_FILE_BYTES);

function problemOf(check: () => unknown): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof FileError) return error.reason;
    throw error;
  }
}

export function settingWarnings(settings: Settings): string[] {
  const warnings: string[] = [];
  if (settings.KAFKA_REQUIRED_ACKS !== -1) {
    warnings.push(
      `KAFKA_REQUIRED_ACKS=${settings.KAFKA_REQUIRED_ACKS} can lose data: ` +
        (settings.KAFKA_REQUIRED_ACKS === 1
          ? 'records that only the leader holds are gone if it fails'
          : 'nobody confirms that a record arrived'),
    );
  }
  warnings.push(...loginWarnings(settings));
  if (settings.HTTP_TOKEN !== null && settings.HTTP_TOKEN.length < MIN_TOKEN_CHARACTERS) {
    warnings.push(
      `HTTP_TOKEN has fewer than ${MIN_TOKEN_CHARACTERS} characters and can be guessed; make one with: openssl rand -hex 32`,
    );
  }
  if (settings.TCP_TLS_CA !== null && settings.TCP_PORT !== null && settings.TCP_TOKENS_FILE === null) {
    warnings.push(
      'TCP_TLS_CA asks for certificates on TCP_TLS_PORT only: a device on TCP_PORT needs none, and may use any device_id. ' +
        'Set TCP_PORT= (empty) once no device needs it, or TCP_TOKENS_FILE',
    );
  }
  warnings.push(...proxyWarnings(settings), ...eventHubsWarnings(settings));
  return warnings;
}

/** Every batch would be refused. The tier of the namespace, which decides about gzip, is not in the name. */
function eventHubsWarnings({ KAFKA_BROKERS: brokers, KAFKA_COMPRESSION: codec }: Settings): string[] {
  const isEventHubs = brokers.some((broker) => EVENT_HUBS.test(broker));
  if (!isEventHubs || codec === 'gzip' || codec === 'none') return [];
  return [
    `KAFKA_COMPRESSION=${codec} is refused by Azure Event Hubs; set gzip, or none below the Premium tier`,
  ];
}

/** Also in the clouds of China and of the US government. */
const EVENT_HUBS = /\.servicebus\.(?:windows\.net|chinacloudapi\.cn|usgovcloudapi\.net):\d+$/i;

function proxyWarnings({ TCP_PROXY_PROTOCOL: isOn, TCP_PROXY_TRUSTED: trusted }: Settings): string[] {
  if (trusted.length === 0) return [];
  if (!isOn)
    return ['TCP_PROXY_TRUSTED is set, but TCP_PROXY_PROTOCOL is off, so every PROXY header is refused'];
  const everybody = trusted.filter((network) => /\/0+$/.test(network));
  if (everybody.length === 0) return [];
  return [
    `TCP_PROXY_TRUSTED=${everybody.join()} lets every peer name any address as its own, so caps and rates by address protect nothing`,
  ];
}
