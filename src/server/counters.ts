// The counters of connections and lines: plain numbers that connections raise and the snapshot reads.
import { countsByCode } from '../protocol/codes.ts';

export type ServerCounters = ReturnType<typeof createServerCounters>;

export function createServerCounters() {
  return {
    receivedBytes: 0,
    /** Lines that were taken or refused. A line that waits for room in the queue does not count yet. */
    linesReceived: 0,
    linesAccepted: 0,
    /** Refusals that answered a received line. */
    linesRefused: 0,
    /** All refusals, also those of a connection (timeouts). */
    refused: countsByCode(),
    /** Sockets that are not read because the queue or their own replies are full. */
    paused: 0,
    identified: 0,
  };
}
