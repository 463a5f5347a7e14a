// Connects to the leaders of a topic's partitions and tells which of them cannot be reached. Metadata names brokers by
// their advertised.listeners, and only a connection shows that these addresses work from here. It never asks for leaders.
import { pause } from '../../time/backoff.ts';

/** A safety net. KafkaClient has shorter time limits. */
const CONNECT_LIMIT_MS = 15_000;
/** Broker errors in one log line, so that 50 unreachable brokers do not fill it. */
const MAX_MESSAGES = 3;

export interface LeaderTrouble {
  readonly message: string;
  /** The leaders of other partitions are connected. */
  readonly isPartial: boolean;
}

export class LeaderConnections {
  readonly #connectTo: (nodeId: number) => Promise<void>;
  readonly #signal: AbortSignal;
  readonly #limitMs: number;
  /** Number of partitions by node id of their leader. */
  #leads = new Map<number, number>();
  readonly #attempts = new Map<number, Promise<void>>();
  /** Error of the last attempt by node id. It stays until an attempt succeeds. */
  readonly #failures = new Map<number, string>();

  /** @param signal ends the waits. The outcomes do not count after that */
  constructor(
    connectTo: (nodeId: number) => Promise<void>,
    { signal, limitMs = CONNECT_LIMIT_MS }: { signal: AbortSignal; limitMs?: number },
  ) {
    this.#connectTo = connectTo;
    this.#signal = signal;
    this.#limitMs = limitMs;
  }

  /** Connects to all leaders at the same time. A broker has at most one attempt under way. */
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

  /** True if the last attempt of each leader has succeeded. */
  get isComplete(): boolean {
    return this.#failures.size === 0 && ![...this.#leads.keys()].some((id) => this.#attempts.has(id));
  }

  /** The leaders whose last attempt failed, or null. Attempts under way do not count yet. */
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
