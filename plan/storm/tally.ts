// What a simulated storm counts: attempts, failures and devices that came back, and the result that these make.
import type { World } from './model.ts';
import type { Failure } from './rules.ts';
import { Series } from './series.ts';

export interface StormResult {
  readonly devices: number;
  /** Devices that were back when the simulation ended. */
  readonly back: number;
  /** Times after which 50 %, 90 %, 99 % and all devices were back, seconds. Infinity if they were not. */
  readonly seconds: {
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly all: number;
  };
  readonly attempts: number;
  /** Attempts that failed, by their reason. */
  readonly failed: Readonly<Record<Failure, number>>;
  /** CPU time of the gateways, seconds. */
  readonly cpuSeconds: number;
  /** CPU seconds that the gateways would have needed if no attempt had failed. */
  readonly neededCpuSeconds: number;
  /** In each second: attempts, and devices that came back. */
  readonly attemptsPerSecond: readonly number[];
  readonly backPerSecond: readonly number[];
}

export class Tally {
  readonly #devices: number;
  readonly #attempts = new Series();
  readonly #backs = new Series();
  readonly #failed: Record<Failure, number> = { noReply: 0, serverFull: 0, handshake: 0 };

  constructor(devices: number) {
    this.#devices = devices;
  }

  /** All devices are back. */
  get isComplete(): boolean {
    return this.#backs.total >= this.#devices;
  }

  attempt(atMs: number): void {
    this.#attempts.add(atMs);
  }

  fail(failure: Failure): void {
    this.#failed[failure]++;
  }

  isBack(atMs: number): void {
    this.#backs.add(atMs);
  }

  /** @param cpuUs CPU time of all gateways, microseconds */
  result({ costs, tls }: Pick<World, 'costs' | 'tls'>, cpuUs: number): StormResult {
    const { acceptUs, placeUs, firstHalfUs, secondHalfUs, identifyUs } = costs;
    const eachUs = acceptUs + placeUs + identifyUs + (tls ? firstHalfUs + secondHalfUs : 0);
    const after = (share: number): number => this.#backs.secondsUntil(share * this.#devices);
    return {
      devices: this.#devices,
      back: this.#backs.total,
      seconds: { p50: after(0.5), p90: after(0.9), p99: after(0.99), all: after(1) },
      attempts: this.#attempts.total,
      failed: this.#failed,
      cpuSeconds: cpuUs / 1e6,
      neededCpuSeconds: (this.#backs.total * eachUs) / 1e6,
      attemptsPerSecond: this.#attempts.perSecond(),
      backPerSecond: this.#backs.perSecond(),
    };
  }
}
