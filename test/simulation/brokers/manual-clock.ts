// A clock for simulated brokers that only a test moves.
import type { BrokerClock } from '../../../simulation/brokers/clock.ts';
import { Random } from '../../../simulation/world/random.ts';

interface Due {
  readonly atMs: number;
  readonly work: () => void;
}

export class ManualClock implements BrokerClock {
  #nowMs = 0;
  #due: Due[] = [];
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed, 'clock');
  }

  nowMs = (): number => this.#nowMs;
  wallMs = (): number => 1_800_000_000_000 + Math.floor(this.#nowMs);
  random = (): number => this.#random.next();

  after = (delayMs: number, work: () => void): { cancel(): void } => {
    const due = { atMs: this.#nowMs + delayMs, work };
    this.#due.push(due);
    return {
      cancel: () => {
        this.#due = this.#due.filter((one) => one !== due);
      },
    };
  };

  /** Runs what is due meanwhile, in its order. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      await Promise.resolve();
      const next = this.#due.reduce<Due | undefined>(
        (first, one) => (first === undefined || one.atMs < first.atMs ? one : first),
        undefined,
      );
      if (next === undefined || next.atMs > endMs) break;
      this.#due = this.#due.filter((one) => one !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.work();
    }
    this.#nowMs = endMs;
  }
}
