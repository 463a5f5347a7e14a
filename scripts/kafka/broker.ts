// One broker of a local cluster, as a Java process (java-node.ts) or a container (docker-node.ts): starts it, stops it,
// freezes it, and waits until it serves. It never chooses the broker's settings.
import { setTimeout as sleep } from 'node:timers/promises';
import { liveBrokers } from './client.ts';

const READY_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 100;
/** A broker hands over its leaderships when it stops. Without a quorum it would try that for minutes. */
const SIGTERM_TIMEOUT_MS = 20_000;

/** A broker did not start. The message has the last lines of its log. */
export class BrokerStartError extends Error {
  readonly code = 'BROKER_START_FAILED';
  override readonly name = 'BrokerStartError';
}

export abstract class KafkaBroker {
  abstract readonly id: number;
  /** host:port for clients on this machine; the same after a restart. */
  abstract readonly address: string;
  /** Holds one directory for each partition. With Docker it is a path inside the container. */
  abstract readonly dataDir: string;
  /** True if the broker must be stopped with SIGTERM even if nobody needs its data. */
  abstract readonly endsInOrder: boolean;
  #frozen = false;

  /** Starts the process without waiting for it: one of three brokers is not ready before a second one runs. */
  abstract launch(): Promise<void>;
  abstract isRunning(): Promise<boolean>;
  /** Resolves when the process has ended, for whatever reason; at once if none runs. */
  abstract exited(): Promise<void>;
  abstract logTail(): Promise<string>;
  /** Removes everything of a stopped broker except its data. */
  abstract remove(): Promise<void>;
  protected abstract signal(signal: 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Removes the data of a stopped broker. The next launch makes a cluster with another id. */
  protected abstract wipe(): Promise<void>;

  /** Resolves when the broker answers and counts as alive. Throws BrokerStartError. */
  async start(): Promise<void> {
    await this.launch();
    await this.ready([this.id]);
  }

  /** Waits until this broker answers and knows that the brokers `ids` are alive. */
  async ready(ids: readonly number[]): Promise<void> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    for (;;) {
      const alive = await liveBrokers(this.address).catch((): number[] => []);
      // Checked after the answer, which may have come from another process on that port.
      const running = await this.isRunning();
      if (running && ids.every((id) => alive.includes(id))) return;
      if (!running) throw await this.#startError('ended at its start');
      if (performance.now() > deadline)
        throw await this.#startError(`is not ready after ${READY_TIMEOUT_MS} ms`);
      await sleep(READY_POLL_MS);
    }
  }

  /** Resolves when the process has ended. A broker that does not end in time after SIGTERM gets SIGKILL. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (!(await this.isRunning())) return;
    if (this.#frozen && signal === 'SIGTERM') await this.resume();
    await this.signal(signal);
    const timer = setTimeout(() => this.signal('SIGKILL').catch(() => {}), SIGTERM_TIMEOUT_MS);
    await this.exited();
    clearTimeout(timer);
    this.#frozen = false;
  }

  /** Starts again at the same address, without data and as another cluster. Only for a cluster of one broker. */
  async startAsAnotherCluster(): Promise<void> {
    await this.wipe();
    await this.start();
  }

  /** Freezes the process (SIGSTOP): its connections stay open, and it answers nothing. */
  async pause(): Promise<void> {
    await this.signal('SIGSTOP');
    this.#frozen = true;
  }

  async resume(): Promise<void> {
    await this.signal('SIGCONT');
    this.#frozen = false;
  }

  async #startError(what: string): Promise<BrokerStartError> {
    const log = await this.logTail();
    return new BrokerStartError(
      `Kafka broker ${this.id} (${this.address}) ${what}. Its last log lines:\n${log}`,
    );
  }
}
