// The counters of connections and lines: plain numbers that connections raise and the snapshot reads.
import { type Code, countsByCode } from '../protocol/codes.ts';

export interface ServerCounters {
  receivedBytes: number;
  /** Lines that were taken or refused. A line that waits for room in the queue does not count yet. */
  linesReceived: number;
  linesAccepted: number;
  /** Refusals that answered a received line. */
  linesRefused: number;
  /** All refusals, also those of a connection (timeouts). */
  refused: Record<Code, number>;
  /** Sockets that are not read because the queue or their own replies are full. */
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
