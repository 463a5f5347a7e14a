// Whether the gateway is a good client of its brokers: it sends nothing on a connection that a broker does not read, and
// it does not try a login again and again that was refused.
import type { ClientCounts } from '../brokers/broker-node.ts';
import type { Finding } from './facts.ts';

/** The back-off of logins promises less than one attempt a second, for a process. */
const LOGINS_WINDOW_MS = 10_000;
/** The rest of a large request may come over a slow link for longer than the broker waits before it watches. */
const ON_THEIR_WAY = 2;
/** Connections to several brokers may be on their way when the first login is refused. */
const AT_ONCE = 8;

/**
 * @param processes that may have lived at the same time
 * @param starts of gateways in all: each begins without a back-off
 */
export function clientManners(
  { sentWhileMuted, refusedLoginsAtMs }: ClientCounts,
  { processes, starts }: { processes: number; starts: number },
): Finding[] {
  const findings: Finding[] = [];
  if (sentWhileMuted > ON_THEIR_WAY) {
    const text = `a muted connection got more requests, ${sentWhileMuted} times`;
    findings.push({ rule: 'a broker was not obeyed', text });
  }
  const allowed = processes * (LOGINS_WINDOW_MS / 1000 + AT_ONCE) + starts * AT_ONCE;
  const most = mostWithin(refusedLoginsAtMs, LOGINS_WINDOW_MS);
  if (most > allowed) {
    const text = `${most} logins within ${LOGINS_WINDOW_MS / 1000} s, all of them refused`;
    findings.push({ rule: 'a broker was not obeyed', text });
  }
  return findings;
}

/** @param timesMs in their order */
function mostWithin(timesMs: readonly number[], windowMs: number): number {
  let first = 0;
  let most = 0;
  for (const [i, timeMs] of timesMs.entries()) {
    while ((timesMs[first] ?? timeMs) <= timeMs - windowMs) first++;
    most = Math.max(most, i - first + 1);
  }
  return most;
}
