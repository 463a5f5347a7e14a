// Takes one snapshot a second for all who follow the gateway: the log of the health, the history and the streams of
// /events. It keeps nothing.
import type { Snapshot } from '../snapshot.ts';

export const TICK_MS = 1000;

export class Ticker {
  readonly #snapshot: () => Snapshot | Promise<Snapshot>;
  readonly #everyMs: number;
  readonly #followers = new Set<(snapshot: Snapshot) => void>();
  #timer: NodeJS.Timeout | undefined;
  #isTaking = false;

  /** @param snapshot rejects while there are no figures yet */
  constructor(snapshot: () => Snapshot | Promise<Snapshot>, everyMs: number = TICK_MS) {
    this.#snapshot = snapshot;
    this.#everyMs = everyMs;
  }

  /** The timer does not keep the process alive. */
  start(): void {
    this.#timer ??= setInterval(() => void this.#tick(), this.#everyMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#followers.clear();
  }

  /** @returns ends it */
  follow(follower: (snapshot: Snapshot) => void): () => void {
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  async #tick(): Promise<void> {
    // A snapshot that takes long is taken once.
    if (this.#isTaking || this.#followers.size === 0) return;
    this.#isTaking = true;
    const taken = await Promise.resolve()
      .then(this.#snapshot)
      .catch(() => undefined);
    this.#isTaking = false;
    if (taken !== undefined) for (const follower of this.#followers) follower(taken);
  }
}
