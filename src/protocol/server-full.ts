// Why a connection is answered `server_full`: the text of the reply, and the label of the metric.
export const SERVER_FULL = {
  connections: 'the server has as many connections as it takes',
  address: 'this address has as many connections as it may have',
  rate: 'this address opens too many connections a second',
  overload: 'too many connections wait to be admitted',
  stopping: 'the server is not ready for connections',
} as const;

export type ServerFullReason = keyof typeof SERVER_FULL;

/** A count of 0 for each reason. */
export function countsByReason(): Record<ServerFullReason, number> {
  return { connections: 0, address: 0, rate: 0, overload: 0, stopping: 0 };
}
