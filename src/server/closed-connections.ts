// The connections of a process that were closed last, for operators. A ring of bounded size: each new one takes the place of
// the oldest. It keeps facts and texts, never a connection, whose buffers would stay in memory.
import type { CloseReason } from '../protocol/close-reasons.ts';
import type { ConnectionFacts } from './connection-facts.ts';

const MAX_KEPT = 1000;

interface Ended extends ConnectionFacts {
  readonly closeReason: CloseReason;
}

export class ClosedConnections {
  readonly #kept: ConnectionFacts[] = [];
  #next = 0;

  get size(): number {
    return this.#kept.length;
  }

  add(connection: Ended): void {
    const { id, remoteAddress, deviceId, zipcode, city, isTls, openedAtMs } = connection;
    const { receivedBytes, receivedLines, refusedLines, lastCode, closeReason: reason } = connection;
    this.#kept[this.#next] = {
      id,
      remoteAddress,
      deviceId,
      zipcode,
      city,
      stage: 'closing',
      isTls,
      openedAtMs,
      receivedBytes,
      receivedLines,
      refusedLines,
      lastCode,
      pauses: 0,
      end: { reason, atMs: performance.now() },
    };
    this.#next = (this.#next + 1) % MAX_KEPT;
  }

  /** In no order. */
  values(): Iterable<ConnectionFacts> {
    return this.#kept.values();
  }
}
