// Decides whether a new connection gets a place: the caps of all connections and of one address, and the rate of an
// address. It counts places and knows no sockets.
import type { Settings } from '../config/settings.ts';
import type { ServerFullReason } from '../protocol/server-full.ts';
import { addressKey } from './address.ts';
import { KeyCounts } from './key-counts.ts';
import { KeyRates } from './key-rates.ts';

export type Verdict =
  /** The place is taken. The connection is served after `afterMs`. */
  { readonly afterMs: number } | { readonly reason: ServerFullReason };

export interface AdmissionOptions {
  readonly maxConnections: number;
  /** 0 = no cap. */
  readonly maxPerAddress: number;
  /** 0 = no limit. */
  readonly acceptsPerSecond: number;
}

/** The longest wait because of the rate. A connection that would have to wait longer is refused. */
export const MAX_RATE_WAIT_MS = 60_000;

export class Admission {
  readonly options: AdmissionOptions;
  readonly #perAddress = new KeyCounts();
  readonly #rates: KeyRates | undefined;
  #active = 0;

  constructor(options: AdmissionOptions) {
    this.options = options;
    const { acceptsPerSecond } = options;
    if (acceptsPerSecond > 0)
      this.#rates = new KeyRates({ intervalMs: 1000 / acceptsPerSecond, burst: acceptsPerSecond });
  }

  /** Places that are taken. */
  get active(): number {
    return this.#active;
  }

  /** Takes a place, or says why there is none. */
  admit(address: string): Verdict {
    const { maxConnections, maxPerAddress } = this.options;
    if (this.#active >= maxConnections) return { reason: 'connections' };
    const key = addressKey(address);
    if (maxPerAddress > 0 && this.#perAddress.of(key) >= maxPerAddress) return { reason: 'address' };
    const afterMs = this.#rates?.take(key, MAX_RATE_WAIT_MS) ?? 0;
    if (afterMs > MAX_RATE_WAIT_MS) return { reason: 'rate' };
    this.#perAddress.add(key);
    this.#active++;
    return { afterMs };
  }

  /** The connection with this place has ended. */
  release(address: string): void {
    this.#active--;
    this.#perAddress.remove(addressKey(address));
  }
}

/** @param maxConnections TCP_MAX_CONNECTIONS, or as many as the descriptors allow */
export function admissionOptions(settings: Settings, maxConnections: number): AdmissionOptions {
  return {
    maxConnections,
    maxPerAddress: settings.TCP_MAX_CONNECTIONS_PER_IP,
    acceptsPerSecond: settings.TCP_MAX_ACCEPTS_PER_SECOND,
  };
}
