// The devices of a storm, in several processes: they come at once, may send a message each, and leave.
import { Child } from '../../load/processes/child.ts';
import type { StormCalls, StormResult } from './storm-worker.ts';

export interface StormOptions {
  readonly port: number;
  readonly devices: number;
  /** Processes with devices. A descriptor for each device is needed. */
  readonly processes: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const WORKER = new URL('storm-worker.js', import.meta.url);
/** Past the last message. */
const STORED_TIMEOUT_MS = 20_000;

export class Storm {
  readonly #processes: readonly Child<StormCalls, string>[];
  readonly #options: StormOptions;
  #onConnected = (): void => {};

  constructor(options: StormOptions) {
    this.#options = options;
    const { processes, signal } = options;
    const onReport = (): void => this.#onConnected();
    this.#processes = Array.from({ length: processes }, () => new Child(WORKER, { signal, onReport }));
  }

  /** Resolves when the next storm has its first connection. */
  firstConnected(): Promise<void> {
    return new Promise((resolve) => {
      this.#onConnected = resolve;
    });
  }

  /** Resolves once each device was told or has failed. The times are those of the slowest process. */
  async begin(): Promise<Omit<StormResult, 'failed'>> {
    const { port, timeoutMs } = this.#options;
    const results = await Promise.all(
      this.#processes.map((process, number) =>
        process.call('storm', {
          port,
          first: this.#firstOf(number, this.#options.devices),
          count: this.#countOf(number, this.#options.devices),
          timeoutMs,
        }),
      ),
    );
    const failed = results.flatMap(({ failed }) => Object.entries(failed));
    if (failed.length > 0)
      console.error(`devices failed: ${failed.map(([why, times]) => `${why} ${times}`).join(', ')}`);
    return {
      connectedMs: Math.max(...results.map(({ connectedMs }) => connectedMs)),
      toldMs: Math.max(...results.map(({ toldMs }) => toldMs)),
      told: results.reduce((sum, { told }) => sum + told, 0),
    };
  }

  /** A message of each of so many devices, in turn. Resolves with the time until each was stored, milliseconds. */
  async send(messages: number, perSecond: number): Promise<number[]> {
    const timeoutMs = (messages * 1000) / perSecond + STORED_TIMEOUT_MS;
    const times = await Promise.all(
      this.#processes.map((process, number) =>
        process.call('send', {
          perSecond: perSecond / this.#processes.length,
          messages: this.#countOf(number, messages),
          timeoutMs,
        }),
      ),
    );
    return times.flatMap((ofProcess) => [...ofProcess]);
  }

  async leave(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.call('leave', null)));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.stop()));
  }

  /** Of a total that the processes share. */
  #firstOf(number: number, total: number): number {
    return Math.min(total, number * Math.ceil(total / this.#processes.length));
  }

  #countOf(number: number, total: number): number {
    return this.#firstOf(number + 1, total) - this.#firstOf(number, total);
  }
}
