// For how long a connection is logged in. A broker with connections.max.reauth.ms closes a connection that sends
// anything after its session has ended (KIP-368), so a new connection has to be there before that.

/** Monotonic milliseconds; both are Infinity if the session does not end. */
export interface SaslSession {
  /** From here on a new connection should be made. */
  readonly renewAtMs: number;
  /** From here on nothing may be sent: it might arrive after the end. */
  readonly endsAtMs: number;
}

const RENEW_FROM = 0.8;
/** The connections of several processes are not all renewed in the same moment. */
const RENEW_SPREAD = 0.1;
const LAST_SEND = 0.95;

/** @param lifetimeMs as the broker gave it, undefined or 0 = without end */
export function saslSession(
  lifetimeMs: number | undefined,
  startedAtMs: number,
  random: () => number = Math.random,
): SaslSession {
  if (lifetimeMs === undefined || lifetimeMs <= 0) return { renewAtMs: Infinity, endsAtMs: Infinity };
  return {
    renewAtMs: startedAtMs + lifetimeMs * (RENEW_FROM + RENEW_SPREAD * random()),
    endsAtMs: startedAtMs + lifetimeMs * LAST_SEND,
  };
}
