// For how long a connection is logged in. A broker with connections.max.reauth.ms closes a connection on which it
// reads a request after the session has ended (KIP-368), so a new connection has to be there before that.

/** Monotonic milliseconds; both are Infinity if the session does not end. */
export interface SaslSession {
  /** From here on a new connection should be made. */
  readonly renewAtMs: number;
  /** From here on nothing may be sent: it might arrive after the end. */
  readonly endsAtMs: number;
}

const RENEW_BEFORE = 0.1;
/** The connections of several processes are not all renewed in the same moment. */
const RENEW_SPREAD = 0.1;
const MAX_RENEW_BEFORE = 0.5;
const LAST_SEND = 0.95;

/**
 * @param lifetimeMs as the broker gave it, undefined or 0 = without end
 * @param requestTimeoutMs a request waits at the broker for those before it. One that was sent just before the
 *   renewal still has its whole time limit before the session ends, if that leaves half of the session.
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
