// One broker of a local cluster: starts, stops and freezes it, and waits until it serves.
import { setTimeout as sleep } from 'node:timers/promises';
import { liveBrokers } from './client.ts';
import type { BrokerNode } from './node.ts';

const READY_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 100;
// On SIGTERM a broker hands over its leaderships first. Without a quorum it would try for minutes.
const SIGTERM_TIMEOUT_MS = 20_000;

/** A broker did not come up. The message holds the last lines of its log. */
export class BrokerStartError extends Error {
  readonly code = 'BROKER_START_FAILED';
  override readonly name = 'BrokerStartError';
}

export class KafkaBroker {
  readonly #node: BrokerNode;
  #frozen = false;

  constructor(node: BrokerNode) {
    this.#node = node;
  }

  get id(): number {
    return this.#node.id;
  }

  /** host:port for clients on this machine; the same after a restart. */
  get address(): string {
    return this.#node.address;
  }

  /** Holds one directory per partition. With Docker it is a path inside the container. */
  get dataDir(): string {
    return this.#node.dataDir;
  }

  /** See BrokerNode. */
  get endsInOrder(): boolean {
    return this.#node.endsInOrder;
  }

  isRunning(): Promise<boolean> {
    return this.#node.isRunning();
  }

  /** Resolves when the broker's process is gone, for whatever reason. */
  exited(): Promise<void> {
    return this.#node.exited();
  }

  logTail(): Promise<string> {
    return this.#node.logTail();
  }

  /** Resolves once the broker answers and counts as alive. Throws BrokerStartError. */
  async start(): Promise<void> {
    await this.launch();
    await this.ready([this.id]);
  }

  /** The process alone. Of three brokers none is ready before two run. */
  async launch(): Promise<void> {
    this.#frozen = false;
    await this.#node.launch();
  }

  /** Waits until this broker answers and knows all of `ids` to be alive. */
  async ready(ids: readonly number[]): Promise<void> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    for (;;) {
      const alive = await liveBrokers(this.address).catch((): number[] => []);
      const running = await this.#node.isRunning();
      // Check after the answer: another process on that port may have answered.
      if (running && ids.every((id) => alive.includes(id))) return;
      if (!running) throw await this.#startError('ended at its start');
      if (performance.now() > deadline)
        throw await this.#startError(`is not ready after ${READY_TIMEOUT_MS} ms`);
      await sleep(READY_POLL_MS);
    }
  }

  /** Resolves when the process is gone. SIGTERM turns into SIGKILL for a broker that does not leave in time. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (!(await this.#node.isRunning())) return;
    if (this.#frozen && signal === 'SIGTERM') await this.resume();
    await this.#node.signal(signal);
    const timer = setTimeout(() => this.#node.signal('SIGKILL').catch(() => {}), SIGTERM_TIMEOUT_MS);
    await this.#node.exited();
    clearTimeout(timer);
  }

  /** Starts again at the same address, without any data and as another cluster. For a cluster of one. */
  async startAsAnotherCluster(): Promise<void> {
    await this.#node.wipe();
    await this.start();
  }

  /** Freezes the process (SIGSTOP): its connections stay open and nothing answers. */
  async pause(): Promise<void> {
    await this.#node.signal('SIGSTOP');
    this.#frozen = true;
  }

  async resume(): Promise<void> {
    await this.#node.signal('SIGCONT');
    this.#frozen = false;
  }

  /** Removes everything of a stopped broker except its data. */
  async remove(): Promise<void> {
    await this.#node.remove();
  }

  async #startError(what: string): Promise<BrokerStartError> {
    const log = await this.#node.logTail();
    return new BrokerStartError(
      `Kafka broker ${this.id} (${this.address}) ${what}. Its last log lines:\n${log}`,
    );
  }
}
