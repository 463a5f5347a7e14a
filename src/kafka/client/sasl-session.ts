// How long a connection's login lasts, and when to replace the connection. A broker with connections.max.reauth.ms closes
// a connection if a request comes after the end of the session (KIP-368).

/** Monotonic milliseconds. Both are Infinity if the session does not end. */
export interface SaslSession {
  /** From then on a new connection should be opened. */
  readonly renewAtMs: number;
  /** From then on nothing may be sent, since it might arrive after the end of the session. */
  readonly endsAtMs: number;
}

const RENEW_BEFORE = 0.1;
/** Spread, so that several processes do not all reconnect at the same moment. */
const RENEW_SPREAD = 0.1;
const MAX_RENEW_BEFORE = 0.5;
const LAST_SEND = 0.95;

/**
 * @param lifetimeMs from the broker, undefined or 0 = without end
 * @param requestTimeoutMs a request that is sent just before the renewal gets its whole time limit before the session
 *   ends, unless that would take more than half of the session
 */
export function saslSession(
  lifetimeMs: number | undefined,
  { startedAtMs, requestTimeoutMs }: { startedAtMs: number; requestTimeoutMs: number },
  random: () => number = Math.random,
): SaslSession {
  if (lifetimeMs === undefined || lifetimeMs <= 0) return { renewAtMs: Infinity, endsAtMs: Infinity };
  const beforeMs = Math.max(
    lifetimeMs * (RENEW_BEFORE + RENEW_SPREAD * random()),
    Math.min(requestTimeoutMs, lifetimeMs * MAX_RENEW_BEFORE),
  );
  return {
    renewAtMs: startedAtMs + lifetimeMs - beforeMs,
    endsAtMs: startedAtMs + lifetimeMs * LAST_SEND,
  };
}
