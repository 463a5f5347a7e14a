// How the PROXY headers of trusted proxies ended: the text of the log and of the reply, and the label of the metric.

/** Why a connection of a trusted proxy is closed. */
export const PROXY_FAULTS = {
  missing: 'a PROXY header has to come first from this address',
  malformed: 'this is no valid PROXY header',
  too_long: 'the PROXY header is too long',
  wrong_checksum: 'the checksum of the PROXY header is wrong',
  incomplete: 'the connection ended within its PROXY header',
  timeout: 'the PROXY header did not come in time',
  overload: 'too many connections or bytes wait for PROXY headers and behind them',
} as const;

export type ProxyFault = keyof typeof PROXY_FAULTS;

/** `own`: the connection has the address of the proxy, as its health checks do. */
export type ProxyResult = 'client' | 'own' | ProxyFault;

/** A count of 0 for each result. */
export function countsByProxyResult(): Record<ProxyResult, number> {
  const faults = Object.fromEntries(Object.keys(PROXY_FAULTS).map((fault) => [fault, 0]));
  return { client: 0, own: 0, ...(faults as Record<ProxyFault, number>) };
}
