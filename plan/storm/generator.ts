// The simulated load generator of a measured run: devices in a process that shares the cores with the gateway. A storm of
// real devices has none, because each device is a machine of its own.
import type { Generator } from './model.ts';
import { NumberQueue } from './queue.ts';
import { type Machine, Worker } from './worker.ts';

/** What a device does next. The value is its share of the cost of a connection. */
const STEPS = {
  plain: { connect: 0.6, connected: 0.2, answered: 0, identified: 0.2 },
  tls: { connect: 0.15, connected: 0.2, answered: 0.5, identified: 0.15 },
} as const;

export interface GeneratorHost {
  connect(device: number, atMs: number): void;
  /** These return whether the device is back now. */
  connected(ticket: number, atMs: number): boolean;
  answered(ticket: number, atMs: number): boolean;
  identified(ticket: number, atMs: number): boolean;
}

type Step = 'connected' | 'answered' | 'identified';
const ORDER: readonly Step[] = ['connected', 'answered', 'identified'];

export class GeneratorProcess extends Worker {
  readonly #host: GeneratorHost;
  readonly #options: Generator;
  readonly #shares: (typeof STEPS)['plain' | 'tls'];
  readonly #due = new NumberQueue();
  #underWay = 0;
  readonly #steps = {
    connected: new NumberQueue(),
    answered: new NumberQueue(),
    identified: new NumberQueue(),
  };

  constructor(
    host: GeneratorHost,
    machine: Machine,
    { tls, ...options }: Generator & { readonly tls: boolean },
  ) {
    super(machine);
    this.#host = host;
    this.#options = options;
    this.#shares = STEPS[tls ? 'tls' : 'plain'];
  }

  due(device: number, nowMs: number): void {
    this.#due.push(device);
    this.wake(nowMs);
  }

  /** An attempt failed. */
  failed(nowMs: number): void {
    this.#underWay--;
    this.wake(nowMs);
  }

  step(step: Step, ticket: number, nowMs: number): void {
    this.#steps[step].push(ticket);
    this.wake(nowMs);
  }

  protected turn(startMs: number, slowness: number): number | undefined {
    const { connectsPerTurn, connectUs, mostUnderWay } = this.#options;
    let us = 0;
    const at = (): number => startMs + (us / 1000) * slowness;
    for (let count = 0; count < connectsPerTurn && this.#underWay < mostUnderWay; count++) {
      const device = this.#due.shift();
      if (device === undefined) break;
      this.#underWay++;
      us += connectUs * this.#shares.connect;
      this.#host.connect(device, at());
    }
    for (const step of ORDER) {
      const queue = this.#steps[step];
      for (let left = queue.size; left > 0; left--) {
        us += connectUs * this.#shares[step];
        const isBack = this.#host[step](queue.shift() as number, at());
        if (isBack) this.#underWay--;
      }
    }
    return us > 0 ? us : undefined;
  }
}
