// One of several servers that take turns, at full speed or at a rate, so that a slow minute of the machine affects all of them. Adds up
// the figures of its turns.
import type { LoadOptions, SendOptions, SendResult } from '../devices/load-worker.ts';
import { type BenchOptions, type Gateway, mark, warmUpFast } from '../servers/loaded-gateways.ts';

export interface TurnFigures {
  readonly messages: number;
  /** From before the first write to the last confirmation. */
  readonly perSecond: number;
  /** CPU microseconds a message, user and system time. */
  readonly serverCpuUs: number;
}

/** Turns of each side, unless a scenario says otherwise. */
export const TURNS = 2;

export class Side {
  /** All messages since the start, warm-up included. */
  sent = 0;
  /** Messages a second at full speed, after the warm-up. */
  warmPerSecond = 0;
  readonly #gateway: Gateway;
  readonly #seconds: number;
  readonly #warmUpSeconds: number;
  readonly #load: LoadOptions;
  readonly #turns: number;
  #messages = 0;
  #wallSeconds = 0;
  #cpuSeconds = 0;

  constructor(
    gateway: Gateway,
    { seconds, warmUpSeconds }: Pick<BenchOptions, 'seconds' | 'warmUpSeconds'>,
    load: LoadOptions,
    turns = TURNS,
  ) {
    this.#gateway = gateway;
    this.#seconds = seconds;
    this.#warmUpSeconds = warmUpSeconds;
    this.#load = load;
    this.#turns = turns;
  }

  /** Of its turns. */
  get ofTurns(): TurnFigures {
    return {
      messages: this.#messages,
      perSecond: this.#messages / this.#wallSeconds,
      serverCpuUs: (this.#cpuSeconds * 1e6) / this.#messages,
    };
  }

  async warmUp(): Promise<void> {
    const { connections, linesPerWrite } = this.#load;
    await this.#gateway.load.call('connect', this.#load);
    // At least one write of each device, so that none begins in the measured window.
    const firstCount = connections * linesPerWrite;
    const options = { seconds: this.#warmUpSeconds, firstCount };
    const { perSecond } = await warmUpFast(({ count }) => this.send({ count }), options);
    this.warmPerSecond = perSecond;
  }

  /** @param perSecond messages, spread over the time; absent: at full speed */
  async turn(perSecond?: number): Promise<void> {
    const { server } = this.#gateway;
    const { linesPerWrite } = this.#load;
    const count = Math.ceil(((perSecond ?? this.warmPerSecond) * this.#seconds) / this.#turns);
    const from = mark(server);
    await this.send({ count, ...(perSecond !== undefined && { perSecond, linesPerWrite }) });
    const to = mark(server);
    this.#messages += count;
    this.#wallSeconds += (to.wallUs - from.wallUs) / 1e6;
    this.#cpuSeconds += to.cpuSeconds - from.cpuSeconds;
  }

  /** Resolves when all is confirmed: to the devices if they ask for it, otherwise by the server's figures. */
  async send(messages: SendOptions): Promise<SendResult> {
    this.sent += messages.count;
    const { server, load } = this.#gateway;
    if (this.#load.seq) return load.call('send', messages);
    const [result] = await Promise.all([load.call('send', messages), server.untilConfirmed(this.sent)]);
    return result;
  }
}
