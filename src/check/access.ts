// The findings about access: tokens of devices, the token of the admin port, and certificates with their days.
import { lookup } from 'node:dns/promises';
import { type DeviceTls, deviceTls, deviceTlsFiles } from '../config/device-tls.ts';
import { contentSync, MAX_FILE_BYTES } from '../config/file-content.ts';
import { isLoopback } from '../config/ip-address.ts';
import type { Settings } from '../config/settings.ts';
import { LINES } from '../log/lines.ts';
import type { Context } from './context.ts';
import { logExpiry, validities } from './expiry.ts';
import { error, type Finding, note, ok } from './finding.ts';
import type { Names } from './names.ts';
import { linesOf } from './recorded-lines.ts';
import { judgeTokens, tokensIn } from './tokens.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

export function checkTokens({ settings }: Context): Finding[] {
  const { TCP_TOKENS_FILE: path } = settings;
  if (path === null) return [ok('tokens_off', 'Devices need no token (TCP_TOKENS_FILE is not set)')];
  const count = tokensIn(path);
  if (typeof count === 'string')
    return [
      error('start_refused', {
        name: 'tokens_unusable',
        what: `TCP_TOKENS_FILE (value hidden) cannot be used: ${count}`,
        why: 'The start is refused (exit code 78), because no device could be checked.',
        remedy:
          'Correct the lines that the text names. `sluice token list` shows the tokens, `sluice token add` makes a file',
      }),
    ];
  const lines = linesOf(settings, (log) => judgeTokens(settings, log));
  return lines.length > 0 ? lines : [ok('tokens_valid', `TCP_TOKENS_FILE has ${count} tokens`)];
}

/** That HTTP_TOKEN is short is a warning of the settings. */
export async function checkAdminAccess({ settings, names }: Context): Promise<Finding[]> {
  const { HTTP_HOST: host, HTTP_PORT: port, HTTP_TOKEN: token } = settings;
  if (port === null)
    return [
      note({
        name: 'admin_port_off',
        what: 'HTTP_PORT is empty: the gateway runs without health, metrics and dashboard',
        remedy: 'Set HTTP_PORT if somebody should notice when something is wrong',
      }),
    ];
  const isLocal = isLoopback(await addressOf(host, names));
  if (token !== null) return [ok('admin_token_set', `HTTP_TOKEN is set, and HTTP_HOST=${host}`)];
  const { meaning: why, remedy } = LINES.admin_listening_without_token;
  if (!isLocal)
    return [
      note({
        name: 'admin_listening_without_token',
        what: `HTTP_HOST=${host} is open to other machines, and HTTP_TOKEN is not set`,
        why,
        remedy,
      }),
    ];
  return [
    note({
      name: 'admin_token_not_set',
      what: 'HTTP_TOKEN is not set: the admin port is read on this machine only, and cannot change anything',
      why: 'Draining, closing connections and the log level need the token.',
      remedy: '(umask 077; echo HTTP_TOKEN=$(openssl rand -hex 32) >> .env), and start again',
    }),
  ];
}

async function addressOf(host: string, names: Names): Promise<string> {
  if ((await names.codeOf(host)) !== '') return host;
  const found = await lookup(host).catch(() => undefined);
  return found?.address ?? host;
}

export function checkCertificates({ settings }: Context): Finding[] {
  const devices = devicesTls(settings);
  const all = validities(settings, devices);
  const lines = linesOf(settings, (log) => logExpiry(settings, { devices, log }));
  if (all.length === 0) return [ok('certificates_none', 'No file of certificates is set')];
  const valid = all.filter(([setting]) => !lines.some(({ what }) => what.startsWith(`${setting}:`)));
  const texts = valid.map(([setting, { untilMs }]) => {
    const days = Math.floor((untilMs - Date.now()) / DAY_MS);
    return `${setting} is valid for ${days} days, until ${new Date(untilMs).toISOString()}`;
  });
  return [...texts.map((text) => ok('certificate_valid', text)), ...lines];
}

/** The settings were checked before, so the files can be used. */
function devicesTls(settings: Settings): DeviceTls | undefined {
  const { TCP_TLS_PORT, TCP_LINES_TLS, TCP_TLS_CERT, TCP_TLS_KEY } = settings;
  if (TCP_TLS_PORT === null && !TCP_LINES_TLS) return undefined;
  if (TCP_TLS_CERT === null || TCP_TLS_KEY === null) return undefined;
  const files = deviceTlsFiles(settings);
  return deviceTls(new Map(files.map(({ name, path }) => [name, contentSync(path, MAX_FILE_BYTES)])));
}
