// Checks the files that settings name: each can be read, and certificates, keys and lists work together.
import { deviceTls, deviceTlsFiles } from './device-tls.ts';
import { contentSync, FileError, MAX_FILE_BYTES } from './file-content.ts';
import { kafkaTlsContext, kafkaTlsFiles } from './kafka-tls.ts';
import { certificatesIn, ofSetting } from './pem.ts';
import { quoted } from './printable.ts';
import { aboutSetting, SETTING_NAMES, type SettingName, type Settings } from './settings.ts';

export function fileProblems(settings: Partial<Settings>): string[] {
  return [
    ...unreadableFiles(settings),
    ...kafkaTlsProblems(settings),
    ...tokenCaProblems(settings),
    ...deviceTlsProblems(settings),
  ];
}

function unreadableFiles(settings: Partial<Settings>): string[] {
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
    TCP_LINES_TLS: isForLines = false,
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
    if (!isForLines || name === 'TCP_TLS_DEVICE_ID') needs(name, 'TCP_TLS_PORT');
  for (const name of ['TCP_TLS_CRL', 'TCP_TLS_DEVICE_ID'] as const) needs(name, 'TCP_TLS_CA');
  if (
    problems.length > 0 ||
    port === undefined ||
    (port === null && !isForLines) ||
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

/** Problems of files that can be read. unreadableFiles() reports the others. */
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
