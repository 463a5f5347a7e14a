// Checks the settings of TCP_LINES_PORT against each other and against those that protect the other ports.
import type { SettingName, Settings } from './settings.ts';

/** Whoever asks for tokens must not find a port beside the others that is open to all. */
export function linesProblems(settings: Partial<Settings>): string[] {
  const { TCP_LINES_PORT: port, TCP_LINES_TLS: tls, TCP_LINES_TRUSTED: trusted } = settings;
  const { TCP_LINES_TOPIC_FIELD: field, TCP_LINES_TOPICS: topics } = settings;
  const { TCP_TOKENS_FILE: tokens, TCP_TLS_CA: ca, TCP_TLS_CERT: cert, TCP_TLS_KEY: key } = settings;
  const problems: string[] = [];
  if (port === undefined) return problems;
  const needsPort = (name: SettingName) => problems.push(`TCP_LINES_PORT is not set, but ${name} needs it`);
  if (port === null && tls) needsPort('TCP_LINES_TLS');
  if (port === null && trusted !== undefined && trusted.length > 0) needsPort('TCP_LINES_TRUSTED');
  for (const name of ['TCP_TLS_CERT', 'TCP_TLS_KEY'] as const)
    if (tls && settings[name] === null) problems.push(`${name} is not set, but TCP_LINES_TLS=true needs it`);
  if (field && topics?.length === 0)
    problems.push(
      'TCP_LINES_TOPICS is not set, but TCP_LINES_TOPIC_FIELD needs it; allowed: the topics that the field may name',
    );
  if (field === null && topics !== undefined && topics.length > 0)
    problems.push('TCP_LINES_TOPIC_FIELD is not set, but TCP_LINES_TOPICS needs it');
  const needsCertificate = tls === true && Boolean(ca && cert && key);
  if (port !== null && tokens && trusted?.length === 0 && !needsCertificate && tls !== undefined)
    problems.push(
      'TCP_TOKENS_FILE is set, and senders on TCP_LINES_PORT say no token, so anybody could write records; ' +
        'allowed: TCP_LINES_TLS=true with TCP_TLS_CA, which asks for certificates, or the networks of the senders in TCP_LINES_TRUSTED, such as 10.0.0.0/24',
    );
  return problems;
}

export function linesWarnings(settings: Settings): string[] {
  if (settings.TCP_LINES_PORT === null) {
    const names = ['TCP_LINES_KEY', 'TCP_LINES_TOPIC', 'TCP_LINES_TOPIC_FIELD'] as const;
    const set: SettingName[] = names.filter((name) => settings[name] !== null);
    if (settings.TCP_LINES_WRAP) set.push('TCP_LINES_WRAP');
    if (settings.TCP_LINES_FRAMING !== 'lf') set.push('TCP_LINES_FRAMING');
    return set.map((name) => `${name} has no effect, because TCP_LINES_PORT is not set`);
  }
  const everybody = settings.TCP_LINES_TRUSTED.filter((network) => /\/0+$/.test(network));
  if (everybody.length === 0) return [];
  return [`TCP_LINES_TRUSTED=${everybody.join()} lets every address send lines`];
}
