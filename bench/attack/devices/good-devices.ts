// The well-behaved devices beside an attack: 50 that send a line each 100 ms and want it confirmed, and 10 that send
// keepalives. At the end all readings are read back from Kafka.
import { randomBytes } from 'node:crypto';
import type { Target } from '../../../load/plan.ts';
import { Child } from '../../../load/processes/child.ts';
import { Clock } from '../../../load/processes/clock.ts';
import { LoadProcesses } from '../../../load/processes/load-processes.ts';
import { ordinaryPlan, readLive } from '../../load-plan.ts';
import type { GoodFigures, GoodOutcome } from '../evidence.ts';
import { GOOD_TOKEN } from './good-token.ts';
import type { KeepaliveCalls } from './keepalive-process.ts';

export interface GoodDevicesOptions {
  readonly bootstrap: string;
  readonly target: Target;
  readonly topic: string;
  readonly signal: AbortSignal;
}

const KEEPALIVES = new URL('keepalive-process.js', import.meta.url);
const WRITERS = 50;
const WRITES_PER_SECOND = 500;
const KEEPALIVE_DEVICES = 10;
const KEEPALIVE_EVERY_MS = 50;
/** A phase begins this much later, so that the devices know of it in time. */
const LEAD_US = 20_000;
/** After this long without progress, missing readings count as lost. */
const SETTLE_MS = 5_000;

export class GoodDevices {
  readonly #clock = new Clock();
  readonly #load: LoadProcesses;
  readonly #keepalives: Child<KeepaliveCalls>;
  #keepalivesLost = 0;
  #broken = 0;

  /** Resolves when all devices are identified. */
  static async connect(options: GoodDevicesOptions): Promise<GoodDevices> {
    const devices = new GoodDevices(options);
    try {
      // The name of a run begins with a letter.
      await devices.#load.setUp(`g${randomBytes(4).toString('hex')}`, devices.#clock);
      await Promise.all([
        devices.#load.open(),
        devices.#keepalives.call('connect', { target: options.target, count: KEEPALIVE_DEVICES }),
      ]);
      return devices;
    } catch (error) {
      await devices.stop();
      throw error;
    }
  }

  private constructor({ bootstrap, target, topic, signal }: GoodDevicesOptions) {
    const plan = ordinaryPlan({
      target,
      connections: WRITERS,
      rate: WRITES_PER_SECOND,
      durationMs: 0,
      token: GOOD_TOKEN,
      settleMs: SETTLE_MS,
      reconnectMs: SETTLE_MS,
      // Read after the attack: a reader would take CPU from the gateway.
      readBack: { ...readLive(bootstrap, topic), live: false },
    });
    this.#load = new LoadProcesses(plan);
    this.#keepalives = new Child<KeepaliveCalls>(KEEPALIVES, { signal });
  }

  /** Sends for `seconds`, and waits for the answers. */
  async measure(seconds: number): Promise<GoodFigures> {
    const [storedMs, { ms, lost, broken }] = await Promise.all([
      this.#write(seconds),
      this.#keepalives.call('measure', { seconds, everyMs: KEEPALIVE_EVERY_MS }),
    ]);
    this.#keepalivesLost += lost;
    this.#broken = broken;
    return { storedMs, keepaliveMs: ms };
  }

  /** Reads the topic back. */
  async finish(): Promise<GoodOutcome> {
    const readBack = await this.#load.settle(await this.#load.close());
    const { unconfirmed, breaks, away } = this.#load.totals.counts;
    return {
      readBack,
      unconfirmed,
      broken: breaks + away + this.#broken,
      keepalivesLost: this.#keepalivesLost,
    };
  }

  async stop(): Promise<void> {
    await Promise.all([this.#load.stop(), this.#keepalives.stop()]);
  }

  async #write(seconds: number): Promise<GoodFigures['storedMs']> {
    const startUs = this.#clock.nowUs() + LEAD_US;
    const endUs = startUs + seconds * 1e6;
    await this.#load.run({ startUs, endUs, measureFromUs: startUs, rate: WRITES_PER_SECOND }, 0);
    await this.#load.drain();
    const { confirmed } = this.#load.totals.takeLatencies();
    if (confirmed === undefined) throw new Error('no line of a good device was confirmed');
    return confirmed;
  }
}
