// Whether the leaders of a topic's partitions can be connected to. A broker that answers metadata names the others by
// their advertised.listeners; only a connection shows that these addresses work from here.
import { pause } from '../../time/backoff.ts';

/** KafkaClient has shorter limits of its own; this one holds whatever it does. */
const CONNECT_LIMIT_MS = 15_000;
/** Messages in one sentence; a cluster of 50 unreachable brokers is not listed. */
const MAX_MESSAGES = 3;

export interface LeaderTrouble {
  readonly message: string;
  /** Some partitions have a leader that was connected to. */
  readonly isPartial: boolean;
}

export class LeaderConnections {
  readonly #connectTo: (nodeId: number) => Promise<void>;
  readonly #signal: AbortSignal;
  readonly #limitMs: number;
  /** Partitions by the node id of their leader. */
  #leads = new Map<number, number>();
  readonly #attempts = new Map<number, Promise<void>>();
  /** By node id, why the last attempt failed. It stays until one succeeds. */
  readonly #failures = new Map<number, string>();

  /** @param signal ends the waits; what the connections came to is not said any more */
  constructor(
    connectTo: (nodeId: number) => Promise<void>,
    { signal, limitMs = CONNECT_LIMIT_MS }: { signal: AbortSignal; limitMs?: number },
  ) {
    this.#connectTo = connectTo;
    this.#signal = signal;
    this.#limitMs = limitMs;
  }

  /** Connects to all leaders at the same time. An attempt that is still under way is not made twice. */
  connect(leaders: readonly number[]): void {
    this.#leads = new Map();
    for (const leader of leaders) {
      if (leader >= 0) this.#leads.set(leader, (this.#leads.get(leader) ?? 0) + 1);
    }
    for (const nodeId of this.#failures.keys()) if (!this.#leads.has(nodeId)) this.#failures.delete(nodeId);
    for (const nodeId of this.#leads.keys()) {
      if (!this.#attempts.has(nodeId)) this.#attempts.set(nodeId, this.#attempt(nodeId));
    }
  }

  /** Every leader's last attempt has succeeded. */
  get isComplete(): boolean {
    return this.#failures.size === 0 && ![...this.#leads.keys()].some((id) => this.#attempts.has(id));
  }

  /** Leaders that the last attempt did not reach, or null. An attempt that is under way changes nothing yet. */
  get trouble(): LeaderTrouble | null {
    if (this.#failures.size === 0) return null;
    const count = (nodes: Iterable<number>) =>
      [...nodes].reduce((sum, nodeId) => sum + (this.#leads.get(nodeId) ?? 0), 0);
    const failed = count(this.#failures.keys());
    const all = count(this.#leads.keys());
    const messages = [...this.#failures.values()].slice(0, MAX_MESSAGES).join('; ');
    return {
      message: `the leader of ${failed} of ${all} partitions cannot be connected to: ${messages}`,
      isPartial: failed < all,
    };
  }

  /** Resolves when no attempt to reach a leader is under way. */
  async settled(): Promise<void> {
    await Promise.all([...this.#leads.keys()].map((nodeId) => this.#attempts.get(nodeId)));
  }

  async #attempt(nodeId: number): Promise<void> {
    const limit = new AbortController();
    const ended = AbortSignal.any([limit.signal, this.#signal]);
    const late = pause(this.#limitMs, ended).then(() => {
      if (!ended.aborted) throw new Error(`broker ${nodeId} did not answer within ${this.#limitMs} ms`);
    });
    try {
      await Promise.race([this.#connectTo(nodeId), late]);
      this.#failures.delete(nodeId);
    } catch (error) {
      if (this.#leads.has(nodeId)) this.#failures.set(nodeId, (error as Error).message);
    } finally {
      limit.abort();
      this.#attempts.delete(nodeId);
    }
  }
}
