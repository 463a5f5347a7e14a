// Tells connections to go, a few in each turn: those that have reached their greatest age, and in a drain all of them, one
// after the other over a time. It also says when they may come back. Each connection ends by itself.
import type { ClosingCode } from '../protocol/codes.ts';

/** A connection as its departure sees it. */
export interface Leaver {
  depart(code: ClosingCode, reconnectAfterMs: number): void;
}

/** How the devices of a gateway leave in a drain. */
export interface DeparturePlan {
  /** SHUTDOWN_SPREAD: time over which they are told to go. */
  readonly overMs: number;
  /** Time over which they come back, as returnWindowMs() says. */
  readonly returnMs: number;
}

/** Devices that come back in a second if they leave all at once: one core takes them with full TLS handshakes. */
const RETURNS_PER_SECOND = 200;
export const MIN_RECONNECT_MS = 500;
const RECONNECT_MS = { least: 5000, most: 5 * 60_000 };
const PACE_MS = 20;
/** Connections told in one turn of the event loop. */
const MAX_PER_TURN = 256;

/** Time over which so many devices come back. */
export function returnWindowMs(devices: number): number {
  const { least, most } = RECONNECT_MS;
  return Math.min(most, Math.max(least, (devices * 1000) / RETURNS_PER_SECOND)) - MIN_RECONNECT_MS;
}

/**
 * reconnect_after_ms of a device that leaves. `share` is its place among all that leave, from 0 to 1. Devices come back in
 * the order in which they left, so the rate is steady: random delays would add their own peaks to those of leaving.
 */
export function reconnectAfterMs(share: number, { overMs, returnMs }: DeparturePlan): number {
  const { least } = RECONNECT_MS;
  return Math.round(MIN_RECONNECT_MS + share * Math.max(returnMs - overMs, least - MIN_RECONNECT_MS));
}

export class Departures {
  readonly #aged = new Set<Leaver>();
  #isTelling = false;
  #timer: NodeJS.Timeout | undefined;

  /** The connection has reached its greatest age. */
  add(leaver: Leaver): void {
    this.#aged.add(leaver);
    this.#tellAged();
  }

  /** The connection has ended. */
  forget(leaver: Leaver): void {
    this.#aged.delete(leaver);
  }

  /** Tells all of them to go, over the time of the plan. */
  begin(leavers: Iterable<Leaver>, plan: DeparturePlan): void {
    const all = [...leavers];
    const startMs = performance.now();
    let told = 0;
    this.stop();
    this.#timer = setInterval(() => {
      const share = Math.min(1, (performance.now() - startMs) / plan.overMs);
      const due = Math.min(Math.ceil(share * all.length), told + MAX_PER_TURN);
      for (; told < due; told++)
        all[told]?.depart('draining', reconnectAfterMs((told + Math.random()) / all.length, plan));
      if (told === all.length) this.stop();
    }, PACE_MS);
  }

  /** Nobody else is told. */
  stop(): void {
    clearInterval(this.#timer);
    this.#aged.clear();
  }

  #tellAged(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    setImmediate(() => {
      this.#isTelling = false;
      let left = MAX_PER_TURN;
      for (const leaver of this.#aged) {
        if (left-- === 0) break;
        this.#aged.delete(leaver);
        leaver.depart('max_age', reconnectAfterMs(Math.random(), { overMs: 0, returnMs: returnWindowMs(1) }));
      }
      if (this.#aged.size > 0) this.#tellAged();
    });
  }
}
