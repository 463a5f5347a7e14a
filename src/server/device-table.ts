// Decides which connection holds a device_id. The newest one does, at a limited rate for each id: two devices with one id
// would otherwise take each other's place without end. It closes no connection itself.

import type { LimitedLines } from '../log/limited-lines.ts';
import type { Log } from '../log/log.ts';
import { KeyRates } from './key-rates.ts';
import type { EndedBy } from './settlement.ts';

export interface Holder {
  readonly address: string;
  /** Its device has ended it, or nothing more is taken from it. */
  hasEnded?: boolean;
  /** It was taken over, and that counted. */
  isCounted?: boolean;
}

/** The connection that has to be closed with `replaced`. */
export interface Takeover<H> {
  readonly loser: H;
  readonly reconnectAfterMs: number;
  readonly message: string;
}

export interface DeviceTableOptions<H> {
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  /** From 0 to 1. */
  readonly random?: () => number;
  /** A connection that waited holds its device_id now. */
  readonly granted?: (holder: H, waitedMs: number) => void;
  /** A connection that waited does not get its device_id. */
  readonly refused?: (takeover: Takeover<H>) => void;
}

/** A device that loses its connection again and again needs a few takeovers in a row, and never many. */
export const TAKEOVERS = { burst: 5, intervalMs: 10_000 } as const;
/**
 * How long a connection that is one too many may wait. The end of the earlier one is often on its way: another process
 * has not read the FIN yet.
 */
export const TAKEOVER_WAIT_MS = 2000;
/** Range of reconnect_after_ms: a device whose newer connection is alive has no reason to come back. */
const RECONNECT_AFTER_MS = { min: 60_000, max: 90_000 };
const REPLACED = 'this device_id identified on a newer connection';
const TOO_OFTEN = 'this device_id changes its connection too often, the earlier connection stays';

interface Waiting<H> {
  readonly holder: H;
  readonly sinceMs: number;
  readonly timer: NodeJS.Timeout;
}

export class DeviceTable<H extends Holder> {
  readonly #holders = new Map<string, H>();
  /** Connections that wait for the end of the holder, one for each id. */
  readonly #waiting = new Map<string, Waiting<H>>();
  readonly #rates: KeyRates;
  readonly #options: DeviceTableOptions<H>;
  readonly #lines: LimitedLines;

  constructor(options: DeviceTableOptions<H>) {
    const { log, now } = options;
    this.#rates = new KeyRates({ ...TAKEOVERS, ...(now && { now }) });
    this.#options = options;
    this.#lines = log.limited(now);
  }

  /**
   * Returns the connection to close. Undefined if no other connection has the id.
   * @param mayWait a connection that is one too many waits for a moment, for granted() or refused()
   */
  identified(deviceId: string, holder: H, mayWait = false): Takeover<H> | undefined {
    const earlier = this.#holders.get(deviceId);
    if (earlier === undefined) {
      this.#holders.set(deviceId, holder);
      return undefined;
    }
    if (earlier.hasEnded !== true) {
      const refused = this.#rates.take(deviceId, 0) > 0;
      if (refused && mayWait) {
        const older = this.#stopWaiting(deviceId)?.holder;
        this.#wait(deviceId, holder);
        return older && this.#takeover(older, REPLACED);
      }
      this.#lines.write('device_id_shared', {
        deviceId,
        from: earlier.address,
        to: holder.address,
        refused,
      });
      // Whoever waits goes on waiting.
      if (refused) return this.#takeover(holder, TOO_OFTEN);
      earlier.isCounted = true;
    }
    const older = this.#stopWaiting(deviceId)?.holder;
    this.#holders.set(deviceId, holder);
    if (older !== undefined) this.#options.refused?.(this.#takeover(older, REPLACED));
    return this.#takeover(earlier, REPLACED);
  }

  /** If the device had ended the connection itself before it was taken over, the takeover does not count. */
  ended(deviceId: string, holder: H, by: EndedBy): void {
    holder.hasEnded = true;
    if (by === 'device' && holder.isCounted === true) this.#rates.giveBack(deviceId);
    holder.isCounted = false;
    if (this.isHolder(deviceId, holder)) this.#grant(deviceId);
  }

  /** True if this connection has the id. */
  isHolder(deviceId: string, holder: H): boolean {
    return this.#holders.get(deviceId) === holder;
  }

  closed(deviceId: string, holder: H): void {
    if (this.#waiting.get(deviceId)?.holder === holder) this.#stopWaiting(deviceId);
    if (!this.isHolder(deviceId, holder)) return;
    this.#holders.delete(deviceId);
    this.#grant(deviceId);
  }

  /** The connection that waits, if any, has the id now. */
  #grant(deviceId: string): void {
    const next = this.#stopWaiting(deviceId);
    if (next === undefined) return;
    this.#holders.set(deviceId, next.holder);
    this.#options.granted?.(next.holder, performance.now() - next.sinceMs);
  }

  #wait(deviceId: string, holder: H): void {
    const timer = setTimeout(() => {
      this.#waiting.delete(deviceId);
      const from = this.#holders.get(deviceId)?.address ?? '';
      this.#lines.write('device_id_shared', { deviceId, from, to: holder.address, refused: true });
      this.#options.refused?.(this.#takeover(holder, TOO_OFTEN));
    }, TAKEOVER_WAIT_MS).unref();
    this.#waiting.set(deviceId, { holder, sinceMs: performance.now(), timer });
  }

  #stopWaiting(deviceId: string): Waiting<H> | undefined {
    const waiting = this.#waiting.get(deviceId);
    if (waiting === undefined) return undefined;
    clearTimeout(waiting.timer);
    this.#waiting.delete(deviceId);
    return waiting;
  }

  #takeover(loser: H, message: string): Takeover<H> {
    const { min, max } = RECONNECT_AFTER_MS;
    const { random = Math.random } = this.#options;
    return { loser, reconnectAfterMs: Math.round(min + random() * (max - min)), message };
  }
}
