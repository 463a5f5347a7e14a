// The command line of the conformance script.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** Facts about the gateway, from the person who runs the script. */
export interface Options {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsFiles | undefined;
  /** The port of plain lines, 0 if it is not to be checked. */
  readonly linesPort: number;
  readonly token: string | undefined;
  /** The only device_id that may be used; or the start of all that may be, if `*` ends it. */
  readonly deviceId: string | undefined;
  /** The fields that an identify must have (TCP_IDENTIFY). */
  readonly identify: readonly string[];
  /** Fields that every reading must have (TCP_REQUIRE), as JSON: an object. */
  readonly reading: Readonly<Record<string, unknown>>;
  readonly maxLineBytes: number;
  readonly isGoCompatible: boolean;
  /** Rules whose id is one of these, or begins with one of these and a point. All if empty. */
  readonly only: readonly string[];
  readonly isSlow: boolean;
  /** How long a reply may take. */
  readonly patienceMs: number;
  readonly identifyTimeoutMs: number;
  readonly lineTimeoutMs: number;
  readonly isJson: boolean;
  readonly list: boolean;
}

export interface TlsFiles {
  /** PEM. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** The name that the certificate must have. */
  readonly serverName: string | undefined;
  /** False = any certificate is taken. */
  readonly isChecked: boolean;
}

/** A command line that is wrong. The message is for the user. */
export class UsageError extends Error {}

export const USAGE = `usage: npm run conformance -- --port PORT [options]

Holds a gateway to docs/protocol.md, rule by rule. It sends readings and broken lines, so run it against a gateway
for tests.

  --host HOST              default 127.0.0.1
  --port PORT              the port of devices
  --lines-port PORT        the port of plain lines (TCP_LINES_PORT), to check it too
  --tls                    the port speaks TLS; the lines port is then still plain
  --tls-ca FILE            PEM of the authorities that are trusted, by default those of the system
  --tls-cert FILE          PEM of a certificate for the device, with --tls-key FILE
  --tls-name NAME          the name in the gateway's certificate, by default HOST
  --tls-insecure           takes any certificate of the gateway

What the gateway is set to, if it is not the default:
  --token TOKEN            what devices identify with (TCP_TOKENS_FILE)
  --device-id ID           the device_id that the token covers; 'roof-*' for all that begin so
  --identify FIELDS        what an identify must have (TCP_IDENTIFY), default zipcode,city
  --reading JSON           fields that each reading must have (TCP_REQUIRE), such as '{"timestamp":"2026-11-28T00:00:00Z"}'
  --max-line-bytes BYTES   TCP_MAX_LINE_BYTES, default 65536, with --compatibility go 1048576
  --compatibility go       TCP_COMPATIBILITY
  --identify-timeout S     TCP_IDENTIFY_TIMEOUT in seconds, default 10; for --slow
  --line-timeout S         TCP_LINE_TIMEOUT in seconds, default 30; for --slow

  --only RULE              this rule, or those of a part (lines, seq); may be given several times
  --slow                   also checks rules that take longer than a few seconds
  --patience SECONDS       how long a reply may take, default 5
  --json                   prints the result as JSON
  --list                   prints the rules and checks nothing
  --help

Exit codes: 0 no rule failed; 1 a rule failed; 2 wrong command line, or no connection.`;

/** @throws UsageError */
export function parseOptions(args: readonly string[]): Options | 'help' {
  const { values } = parsed(args);
  if (values.help) return 'help';
  const tls = tlsOf(values);
  const isGoCompatible = goOr('--compatibility', values.compatibility);
  const maxLineBytes = isGoCompatible ? '1048576' : '65536';
  const options: Options = {
    host: values.host,
    port: integer('--port', values.port ?? '0', 65_535),
    tls,
    linesPort: integer('--lines-port', values['lines-port'] ?? '0', 65_535),
    token: values.token,
    deviceId: values['device-id'],
    identify: values.identify.split(',').filter((name) => name !== ''),
    reading: object('--reading', values.reading),
    maxLineBytes: integer('--max-line-bytes', values['max-line-bytes'] ?? maxLineBytes, 2 ** 24),
    isGoCompatible,
    only: values.only ?? [],
    isSlow: values.slow,
    patienceMs: 1000 * seconds('--patience', values.patience),
    identifyTimeoutMs: 1000 * seconds('--identify-timeout', values['identify-timeout']),
    lineTimeoutMs: 1000 * seconds('--line-timeout', values['line-timeout']),
    isJson: values.json,
    list: values.list,
  };
  if (!options.list && options.port === 0) throw new UsageError('--port is missing');
  return options;
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'string' },
        'lines-port': { type: 'string' },
        tls: { type: 'boolean', default: false },
        'tls-ca': { type: 'string' },
        'tls-cert': { type: 'string' },
        'tls-key': { type: 'string' },
        'tls-name': { type: 'string' },
        'tls-insecure': { type: 'boolean', default: false },
        token: { type: 'string' },
        'device-id': { type: 'string' },
        identify: { type: 'string', default: 'zipcode,city' },
        reading: { type: 'string', default: '{}' },
        'max-line-bytes': { type: 'string' },
        compatibility: { type: 'string', default: '' },
        'identify-timeout': { type: 'string', default: '10' },
        'line-timeout': { type: 'string', default: '30' },
        only: { type: 'string', multiple: true },
        slow: { type: 'boolean', default: false },
        patience: { type: 'string', default: '5' },
        json: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function tlsOf(values: ReturnType<typeof parsed>['values']): TlsFiles | undefined {
  const { tls, 'tls-ca': ca, 'tls-cert': cert, 'tls-key': key, 'tls-name': serverName } = values;
  const isInsecure = values['tls-insecure'];
  if (!tls) {
    if (isInsecure || ca || cert || key || serverName) throw new UsageError('the options of TLS need --tls');
    return undefined;
  }
  if ((cert === undefined) !== (key === undefined))
    throw new UsageError('--tls-cert and --tls-key need each other');
  return { ca: pem(ca), cert: pem(cert), key: pem(key), serverName, isChecked: !isInsecure };
}

function pem(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
}

function integer(name: string, text: string, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= max)) throw new UsageError(`${name} ${text}: allowed is an integer from 0 to ${max}`);
  return value;
}

function seconds(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 3600)) throw new UsageError(`${name} ${text}: allowed is a number up to 3600`);
  return value;
}

function object(name: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {}
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(`${name} ${text}: allowed is a JSON object`);
  return value as Record<string, unknown>;
}

function goOr(name: string, text: string): boolean {
  if (text !== '' && text !== 'go') throw new UsageError(`${name} ${text}: allowed is go`);
  return text === 'go';
}
