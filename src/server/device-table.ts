// Decides which connection holds a device_id. The newest one does, at a limited rate for each id: two devices with one id
// would otherwise take each other's place without end. It closes no connection itself.

import type { LimitedLines } from '../log/limited-lines.ts';
import type { Log } from '../log/log.ts';
import { KeyRates } from './key-rates.ts';

export interface Holder {
  readonly address: string;
}

/** The connection that has to be closed with `replaced`. */
export interface Takeover<H> {
  readonly loser: H;
  readonly reconnectAfterMs: number;
  readonly message: string;
}

export interface DeviceTableOptions {
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  /** From 0 to 1. */
  readonly random?: () => number;
}

/** A device that loses its connection again and again needs a few takeovers in a row, and never many. */
export const TAKEOVERS = { burst: 5, intervalMs: 10_000 } as const;
/** Range of reconnect_after_ms: a device whose newer connection is alive has no reason to come back. */
const RECONNECT_AFTER_MS = { min: 60_000, max: 90_000 };
const REPLACED = 'this device_id identified on a newer connection';
const TOO_OFTEN = 'this device_id changes its connection too often, the earlier connection stays';

export class DeviceTable<H extends Holder> {
  readonly #holders = new Map<string, H>();
  readonly #rates: KeyRates;
  readonly #random: () => number;
  readonly #lines: LimitedLines;

  constructor({ log, now, random = Math.random }: DeviceTableOptions) {
    this.#rates = new KeyRates({ ...TAKEOVERS, ...(now && { now }) });
    this.#random = random;
    this.#lines = log.limited(now);
  }

  /** Returns the connection to close. Undefined if no other connection has the id. */
  identified(deviceId: string, holder: H): Takeover<H> | undefined {
    const earlier = this.#holders.get(deviceId);
    if (earlier === undefined) {
      this.#holders.set(deviceId, holder);
      return undefined;
    }
    const refused = this.#rates.take(deviceId, 0) > 0;
    this.#lines.write('device_id_shared', { deviceId, from: earlier.address, to: holder.address, refused });
    const { min, max } = RECONNECT_AFTER_MS;
    const reconnectAfterMs = Math.round(min + this.#random() * (max - min));
    if (refused) return { loser: holder, reconnectAfterMs, message: TOO_OFTEN };
    this.#holders.set(deviceId, holder);
    return { loser: earlier, reconnectAfterMs, message: REPLACED };
  }

  closed(deviceId: string, holder: H): void {
    if (this.#holders.get(deviceId) === holder) this.#holders.delete(deviceId);
  }
}
