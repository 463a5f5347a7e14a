// What the server counts. Plain numbers, raised where the thing happens and read by the snapshot.
import { type Code, countsByCode } from '../protocol/codes.ts';

export interface ServerCounters {
  receivedBytes: number;
  /** Lines that were taken or refused; a line that is held back by a full queue does not count yet. */
  linesReceived: number;
  linesAccepted: number;
  /** Refusals that answered a received line. */
  linesRefused: number;
  /** All refusals, those that answered a connection (timeouts) included. */
  refused: Record<Code, number>;
  /** Sockets not being read because the queue or their own replies are full. */
  paused: number;
  identified: number;
}

export function createServerCounters(): ServerCounters {
  return {
    receivedBytes: 0,
    linesReceived: 0,
    linesAccepted: 0,
    linesRefused: 0,
    refused: countsByCode(),
    paused: 0,
    identified: 0,
  };
}
