// Why requests to the admin port are refused: the reasons, their texts and counts, and the log. No text and no answer
// repeats text of the request.
import type { LimitedLines } from '../../log/limited-lines.ts';
import type { Log } from '../../log/log.ts';

/** Why a request is refused, as a label of a metric. */
export const ACCESS_REASONS = [
  'host',
  'origin',
  'token_not_set',
  'token_missing',
  'token_wrong',
  'token_rate',
  'cookie',
] as const;
export type AccessReason = (typeof ACCESS_REASONS)[number];

export function countsByAccessReason(): Record<AccessReason, number> {
  return Object.fromEntries(ACCESS_REASONS.map((reason) => [reason, 0])) as Record<AccessReason, number>;
}

export interface Refusal {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const BODIES: Readonly<Record<AccessReason, string>> = {
  host: 'this Host is not served; use an IP address or localhost, or add the name to HTTP_ALLOWED_HOSTS',
  origin:
    'requests from this Origin are not served; it has to be an IP address, localhost or a name in HTTP_ALLOWED_HOSTS, and the same host for a request that changes something or has a login',
  token_not_set:
    'HTTP_TOKEN is not set; set it and send it as Authorization: Bearer TOKEN, or bind HTTP_HOST to loopback. /healthz, /readyz, /health and /metrics need no token',
  token_missing:
    'send HTTP_TOKEN as Authorization: Bearer TOKEN, or log in at /. /healthz, /readyz, /health and /metrics need no token',
  token_wrong: 'this is not HTTP_TOKEN',
  token_rate: 'too many wrong tokens from this address; try again later',
  cookie:
    'this login has ended, or is none of this gateway; log in again at /, or send HTTP_TOKEN as Authorization: Bearer TOKEN',
};

/** Of `token_missing` and `cookie` there is no line: every browser begins without a token, and ends with an old cookie. */
const LINES = {
  token_not_set: 'admin_token_not_set',
  token_wrong: 'admin_token_wrong',
  token_rate: 'admin_token_rate_exceeded',
} as const;

export class Refusals {
  /** Since the start. */
  readonly counts = countsByAccessReason();
  readonly lines: LimitedLines;

  constructor(log: Log) {
    this.lines = log.limited();
  }

  refuse(status: number, reason: AccessReason, headers?: Refusal['headers']): Refusal {
    this.counts[reason]++;
    return { status, body: BODIES[reason], ...(headers && { headers }) };
  }

  /** The same, with a line in the log. */
  refuseToken(
    status: number,
    reason: keyof typeof LINES,
    { remoteAddress, headers }: { remoteAddress: string | undefined; headers?: Refusal['headers'] },
  ): Refusal {
    this.lines.write(LINES[reason], { remoteAddress });
    return this.refuse(status, reason, headers);
  }
}
