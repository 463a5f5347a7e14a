// Defines the kinds of value that a setting can have. Each parses text to a typed value and describes the allowed values.
// No I/O and no names of settings.
import { isIP } from 'node:net';

export interface Kind<T> {
  /** Shown in the docs, and if a value is refused. */
  readonly allowed: string;
  /** Gives undefined for a text that is not allowed. */
  readonly parse: (text: string) => T | undefined;
}

interface Range {
  readonly min: number;
  readonly max: number;
}

export function kind<T>(allowed: string, parse: (text: string) => T | undefined): Kind<T> {
  return { allowed, parse };
}

/** Empty text becomes null, which means off or not given. */
export function optional<T>(inner: Kind<T>): Kind<T | null> {
  return kind(`${inner.allowed}, or empty`, (text) => (text === '' ? null : inner.parse(text)));
}

export function mapped<T, U>(inner: Kind<T>, map: (value: T) => U): Kind<U> {
  return kind(inner.allowed, (text) => {
    const value = inner.parse(text);
    return value === undefined ? undefined : map(value);
  });
}

export function whole({ min, max }: Range): Kind<number> {
  return kind(`a whole number from ${min} to ${max}`, (text) => {
    if (!/^[+-]?\d{1,15}$/.test(text)) return undefined;
    return within({ min, max }, Number(text));
  });
}

/** A whole number from a range, or one special value outside of it. */
export function wholeOr(special: number, meaning: string, range: Range): Kind<number> {
  const inner = whole(range);
  return kind(`${special} (${meaning}) or ${inner.allowed}`, (text) =>
    Number(text) === special && /^[+-]?\d+$/.test(text) ? special : inner.parse(text),
  );
}

const TRUE_WORDS = new Set(['true', 't', '1', 'yes', 'on']);
const FALSE_WORDS = new Set(['false', 'f', '0', 'no', 'off']);

/** The words of Go's strconv.ParseBool, for environment files of the Go server, and yes, no, on and off. */
export function flag(): Kind<boolean> {
  return kind('true or false (also 1, t, yes, on and 0, f, no, off)', (text) => {
    const word = text.toLowerCase();
    if (TRUE_WORDS.has(word)) return true;
    return FALSE_WORDS.has(word) ? false : undefined;
  });
}

export function choice<const T extends string>(...values: readonly T[]): Kind<T> {
  return kind(`one of ${values.join(', ')}`, (text) =>
    values.find((value) => value.toLowerCase() === text.toLowerCase()),
  );
}

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Milliseconds from Go's duration syntax (time.ParseDuration): `500ms`, `1.5s`, `1m30s`, bare `0`. Fractions of a
 * millisecond are rounded up, so that no small value becomes 0, which means off for some settings.
 */
export function parseDuration(text: string): number | undefined {
  if (/^[+-]?0$/.test(text)) return 0;
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/u.exec(text);
  if (match === null) return undefined;
  let ms = 0;
  for (const [, amount, unit] of (match[2] ?? '').matchAll(/([\d.]+)(ns|us|µs|μs|ms|s|m|h)/gu)) {
    ms += Number(amount) * (DURATION_UNITS_MS[unit ?? ''] ?? Number.NaN);
  }
  // 1.1 * 1000 is slightly above 1100, so the sum is cut to nanoseconds before it is rounded up.
  const upwards = Math.ceil(Math.round(ms * 1e6) / 1e6);
  return match[1] === '-' ? -upwards : upwards;
}

export function duration(range: Range & { zero?: string }): Kind<number> {
  const span = `a duration from ${durationText(range.min)} to ${durationText(range.max)}, such as 500ms, 10s or 2m`;
  return kind(range.zero === undefined ? span : `0 (${range.zero}) or ${span}`, (text) => {
    const ms = parseDuration(text);
    if (ms === undefined) return undefined;
    return ms === 0 && range.zero !== undefined ? 0 : within(range, ms);
  });
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
};

/** Bytes from `65536`, `64KiB`, `1.5MiB`, `1MB` (decimal), in any case. A bare K or M is refused as ambiguous. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,16}(?:\.\d{1,9})?) ?([a-z]*)$/i.exec(text);
  const unit = SIZE_UNITS[(match?.[2] ?? '?').toLowerCase()];
  if (match === null || unit === undefined) return undefined;
  const bytes = Number(match[1]) * unit;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

export function size(range: Range): Kind<number> {
  return kind(
    `a size from ${sizeText(range.min)} to ${sizeText(range.max)}, such as 65536, 64KiB or 1MiB`,
    (text) => {
      const bytes = parseSize(text);
      return bytes === undefined ? undefined : within(range, bytes);
    },
  );
}

/** A size, or 0 for no limit. */
export function sizeOr0(range: Range): Kind<number> {
  const inner = size(range);
  return kind(`0 or ${inner.allowed}`, (text) => (parseSize(text) === 0 ? 0 : inner.parse(text)));
}

export function text(allowed: string, pattern: RegExp): Kind<string> {
  return kind(allowed, (value) => (pattern.test(value) ? value : undefined));
}

/** DNS has no underscore, but names of Docker services do. */
const HOST_NAME = /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})$/;

export function host(): Kind<string> {
  return kind('an IP address or a host name', (value) => (isHost(value) ? value : undefined));
}

export function topic(): Kind<string> {
  return text(
    'a Kafka topic name (1-249 of A-Za-z0-9._-, not . or ..)',
    /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/,
  );
}

const MAX_TOPICS = 16;

/** A list of topics. Empty text is an empty list. */
export function topics(): Kind<readonly string[]> {
  const allowed = `a list of up to ${MAX_TOPICS} Kafka topic names, separated by commas, or empty`;
  return list(allowed, MAX_TOPICS, (entry) => topic().parse(entry) !== undefined);
}

const MAX_BROKERS = 100;

/** A list of `host:port`, IPv6 addresses in brackets. Empty text is an empty list; an empty entry is refused. */
export function brokers(): Kind<readonly string[]> {
  const allowed = `a list of up to ${MAX_BROKERS} host:port, separated by commas, IPv6 as [::1]:9092, or empty`;
  return list(allowed, MAX_BROKERS, (entry) => {
    const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(entry);
    if (match === null) return false;
    const port = Number(match[3]);
    const reachable = match[1] === undefined ? isHost(match[2] ?? '') : isIP(match[1]) === 6;
    return reachable && port >= 1 && port <= 65_535;
  });
}

const MAX_HOSTS = 100;

/** A list of host names without ports, in lower case. Empty text is an empty list. */
export function hosts(): Kind<readonly string[]> {
  const allowed = `a list of up to ${MAX_HOSTS} host names without port, separated by commas, or empty`;
  return mapped(list(allowed, MAX_HOSTS, isHost), (names) => names.map((name) => name.toLowerCase()));
}

const MAX_CIDRS = 1000;

export function cidrs(): Kind<readonly string[]> {
  const allowed = 'addresses or CIDR ranges, separated by commas, such as 10.0.0.7,fd00::/120, or empty';
  return list(allowed, MAX_CIDRS, (entry) => {
    const [address = '', prefix, ...rest] = entry.split('/');
    const family = isIP(address);
    // An address of a peer has its zone only sometimes.
    if (family === 0 || address.includes('%') || rest.length > 0) return false;
    return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
  });
}

/** An address of HTTP. A login in it would be shown wherever the address is. */
export function url(): Kind<string> {
  return kind('an http:// or https:// address without a login', (value) => {
    if (!URL.canParse(value)) return undefined;
    const { protocol, hostname, username, password } = new URL(value);
    const isHttp = protocol === 'http:' || protocol === 'https:';
    return isHttp && hostname !== '' && username + password === '' ? value : undefined;
  });
}

const PAIR = /^\s*([\w.-]+)\s*=\s*([!-~](?:[ -~]*[!-~])?)\s*$/;

/** Names and values as OpenTelemetry writes them, percent-encoded. The value is the text, for parsePairs(). */
export function pairs(): Kind<string> {
  return kind('a list of name=value, separated by commas and percent-encoded', (value) =>
    parsePairs(value) === undefined ? undefined : value,
  );
}

/** Undefined if the text is not allowed. */
export function parsePairs(text: string): Record<string, string> | undefined {
  const found: [string, string][] = [];
  for (const entry of text.split(',').filter((each) => each.trim() !== '')) {
    const [, name, encoded] = PAIR.exec(entry) ?? [];
    const value = percentDecoded(encoded);
    if (name === undefined || value === undefined) return undefined;
    found.push([name, value]);
  }
  return Object.fromEntries(found);
}

function percentDecoded(text = '%'): string | undefined {
  try {
    const decoded = decodeURIComponent(text);
    return /\p{Cc}/u.test(decoded) ? undefined : decoded;
  } catch {
    return undefined;
  }
}

function list(allowed: string, max: number, valid: (entry: string) => boolean): Kind<readonly string[]> {
  return kind(allowed, (value) => {
    if (value === '') return [];
    const entries = value.split(',').map((entry) => entry.trim());
    return entries.length <= max && entries.every(valid) ? [...new Set(entries)] : undefined;
  });
}

function isHost(value: string): boolean {
  // Only digits and dots must be an address: 10.0.0.256 must not pass as a name.
  if (/^[\d.]+$/.test(value)) return isIP(value) === 4;
  return isIP(value) === 6 || HOST_NAME.test(value);
}

function within({ min, max }: Range, value: number): number | undefined {
  return value >= min && value <= max ? value : undefined;
}

/** In the largest unit that divides it: 90000 -> 90s, 7200000 -> 2h. */
export function durationText(ms: number): string {
  for (const unit of ['h', 'm', 's']) {
    const factor = DURATION_UNITS_MS[unit] ?? 1;
    if (ms >= factor && ms % factor === 0) return `${ms / factor}${unit}`;
  }
  return `${ms}ms`;
}

export function sizeText(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const factor = SIZE_UNITS[unit.toLowerCase()] ?? 1;
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes}`;
}
