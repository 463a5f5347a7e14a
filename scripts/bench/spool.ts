// What the spool costs: the same load, every message confirmed, on a server that has Kafka and on one that cannot
// reach it and confirms from its disk. The two take turns, so that a slow minute of the machine meets both.
import { freePort } from '../kafka/ports.ts';
import type { LatencySummary } from './figures.ts';
import {
  type BenchOptions,
  type Gateway,
  mark,
  proveAllSpooled,
  proveAllThere,
  warmUpFast,
  withGateways,
} from './gateway.ts';
import type { SendOptions } from './load-worker.ts';

export interface SpoolFigures {
  readonly kind: 'spool';
  readonly up: SideFigures;
  readonly down: SideFigures;
  /** Confirmed messages a second without Kafka, of those with it. */
  readonly ratio: number;
  /** The rate at which latency is measured. */
  readonly pacedPerSecond: number;
  /** On the clock of CPU profiles, which are of the server without Kafka. */
  readonly windowUs: readonly [from: number, to: number];
}

export interface SideFigures {
  readonly messages: number;
  readonly perSecond: number;
  /** Microseconds of CPU, user and system, a message at full speed. */
  readonly serverCpuUs: number;
  /** Milliseconds from the time a line was due to its `stored`, well below saturation. */
  readonly storedMs: LatencySummary;
  readonly residentMiB: number;
}

/** Turns of each side at full speed. */
const TURNS = 2;
const LINES_PER_WRITE = 50;
/** Lines of a device that wait for their confirmation: enough that never the devices are what is waited for. */
const WINDOW_LINES = 1_000;
const PACED_PER_SECOND = 20_000;
const PACED_WARM_UP_SECONDS = 1;
/** The disk holds all of the run; who sets another cap or sync sees what that costs. */
export const SPOOL_SETTINGS = { SPOOL_MAX_BYTES: '8GiB', SPOOL_SYNC: 'batch' } as const;

/** Rejects where anything is lost, refused or twice, with the end of the servers' logs. */
export async function measureSpool(options: BenchOptions): Promise<SpoolFigures> {
  const unreachable = `127.0.0.1:${await freePort()}`;
  const plans = [
    { settings: SPOOL_SETTINGS },
    { settings: SPOOL_SETTINGS, unreachable, profileDir: options.profileDir },
  ] as const;
  return withGateways(options, plans, async ([withKafka, without]) => {
    const up = new Side(withKafka, options);
    const down = new Side(without, options);
    await up.warmUp();
    await down.warmUp();
    const from = await mark(without.server);
    for (let turn = 0; turn < TURNS; turn++) {
      await up.atFullSpeed();
      await down.atFullSpeed();
    }
    const to = await mark(without.server);
    const pacedPerSecond = Math.round(Math.min(PACED_PER_SECOND, up.perSecond / 2, down.perSecond / 2));
    await up.paced(pacedPerSecond);
    await down.paced(pacedPerSecond);

    await withKafka.server.untilConfirmed(up.sent);
    const upStats = await proveAllThere(withKafka, options.bootstrap, up.sent);
    const downStats = await proveAllSpooled(without, down.sent);
    return {
      kind: 'spool',
      up: up.figures(upStats.process.residentBytes),
      down: down.figures(downStats.process.residentBytes),
      ratio: down.perSecond / up.perSecond,
      pacedPerSecond,
      windowUs: [from.wallUs, to.wallUs],
    };
  });
}

/** One of the two servers and what its turns came to. */
class Side {
  /** All messages since the start, warm-up included. */
  sent = 0;
  readonly #gateway: Gateway;
  readonly #options: BenchOptions;
  #messages = 0;
  #turnMessages = 0;
  #seconds = 0;
  #cpuSeconds = 0;
  #storedMs: LatencySummary | undefined;

  constructor(gateway: Gateway, options: BenchOptions) {
    this.#gateway = gateway;
    this.#options = options;
  }

  get perSecond(): number {
    return this.#messages / this.#seconds;
  }

  async warmUp(): Promise<void> {
    const { server, load } = this.#gateway;
    const { connections, seconds } = this.#options;
    const port = server.tcpPort;
    await load.call('connect', {
      port,
      connections,
      linesPerWrite: LINES_PER_WRITE,
      seq: true,
      window: WINDOW_LINES,
    });
    const { perSecond } = await warmUpFast(({ count }) => this.#send({ count }));
    this.#turnMessages = Math.ceil((perSecond * seconds) / TURNS);
  }

  async atFullSpeed(): Promise<void> {
    const { server } = this.#gateway;
    const from = await mark(server);
    await this.#send({ count: this.#turnMessages });
    const to = await mark(server);
    this.#messages += this.#turnMessages;
    this.#seconds += (to.wallUs - from.wallUs) / 1e6;
    this.#cpuSeconds += to.cpuSeconds - from.cpuSeconds;
  }

  async paced(perSecond: number): Promise<void> {
    await this.#send({ count: PACED_WARM_UP_SECONDS * perSecond, perSecond });
    const count = Math.ceil(this.#options.seconds * perSecond);
    this.#storedMs = (await this.#send({ count, perSecond })).storedMs;
  }

  figures(residentBytes: number): SideFigures {
    if (this.#storedMs === undefined) throw new Error('no confirmation was timed');
    return {
      messages: this.#messages,
      perSecond: this.perSecond,
      serverCpuUs: (this.#cpuSeconds * 1e6) / this.#messages,
      storedMs: this.#storedMs,
      residentMiB: residentBytes / 2 ** 20,
    };
  }

  /** Resolves when each device has `stored` for its last line. */
  #send(messages: SendOptions) {
    this.sent += messages.count;
    return this.#gateway.load.call('send', messages);
  }
}
