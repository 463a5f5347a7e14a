// Whether devices that are sent away together are told to come back one after the other: otherwise they all connect at once.

/** Replies of one stop come within this time. */
const TOGETHER_MS = 2_000;
/** The chance that so many different waits are the same by accident is nothing. */
const MANY = 5;

export class ToldWaits {
  readonly lies: string[] = [];
  /** Of the latest stop, by its code. */
  readonly #latest = new Map<string, { readonly waitsMs: Set<number>; count: number; lastMs: number }>();

  /** @param nowMs never falls */
  told(code: string, waitMs: number, nowMs: number): void {
    const known = this.#latest.get(code);
    const group =
      known !== undefined && nowMs - known.lastMs < TOGETHER_MS
        ? known
        : { waitsMs: new Set<number>(), count: 0, lastMs: nowMs };
    this.#latest.set(code, group);
    group.waitsMs.add(waitMs);
    group.count++;
    group.lastMs = nowMs;
    if (group.count === MANY && group.waitsMs.size === 1)
      this.lies.push(`${MANY} devices together are told ${code} with reconnect_after_ms ${waitMs}`);
  }
}
