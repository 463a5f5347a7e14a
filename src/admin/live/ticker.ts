// Takes one snapshot with each beat for all who follow the gateway: the log of the health, the history and the streams of
// /events. It keeps nothing.
import { BEAT_MS, type Beat, beat } from '../../time/beat.ts';
import type { Snapshot } from '../snapshot.ts';

export const TICK_MS = BEAT_MS;

export class Ticker {
  readonly #snapshot: () => Snapshot | Promise<Snapshot>;
  readonly #beat: Pick<Beat, 'follow'>;
  readonly #followers = new Set<(snapshot: Snapshot) => void>();
  #end: (() => void) | undefined;
  #isTaking = false;

  /** @param snapshot rejects while there are no figures yet */
  constructor(snapshot: () => Snapshot | Promise<Snapshot>, pace: Pick<Beat, 'follow'> = beat) {
    this.#snapshot = snapshot;
    this.#beat = pace;
  }

  start(): void {
    this.#end ??= this.#beat.follow(() => void this.#tick());
  }

  stop(): void {
    this.#end?.();
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
    const taken = await this.#take();
    this.#isTaking = false;
    if (taken !== undefined) for (const follower of this.#followers) follower(taken);
  }

  /** Asks before it returns, so that the poll of the same beat and this are one message to each process. */
  async #take(): Promise<Snapshot | undefined> {
    try {
      return await this.#snapshot();
    } catch {
      return undefined;
    }
  }
}
