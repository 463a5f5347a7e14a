// Measures the cost of the spool: the same confirmed load on a server with Kafka and on one without, which confirms from
// its disk. The two take turns.
import { freePort } from '../../scripts/kafka/ports.ts';
import { type BenchOptions, type Gateway, mark, withGateways } from '../servers/loaded-gateways.ts';
import { proveAllSpooled, proveAllThere } from '../servers/own-gateway.ts';
import type { Percentiles } from '../statistics.ts';
import { Side, TURNS, type TurnFigures } from './side.ts';

export interface SpoolFigures {
  readonly kind: 'spool';
  readonly up: SpoolSideFigures;
  readonly down: SpoolSideFigures;
  /** Confirmed messages a second without Kafka, in units of those with it. */
  readonly ratio: number;
  /** Messages a second while latency is measured. */
  readonly pacedPerSecond: number;
  /** On the clock of CPU profiles. The server without Kafka is profiled. */
  readonly windowUs: readonly [from: number, to: number];
}

export interface SpoolSideFigures extends TurnFigures {
  /** Milliseconds from the due time of a line to its `stored`, well below full speed. */
  readonly storedMs: Percentiles;
  readonly residentMiB: number;
}

const LINES_PER_WRITE = 50;
/** Unconfirmed lines of a device: so many that the devices never limit the rate. */
const WINDOW_LINES = 1_000;
const PACED_PER_SECOND = 20_000;
const PACED_WARM_UP_SECONDS = 1;
/** Large enough for the whole run. --env can set another cap or sync. */
export const SPOOL_SETTINGS = { SPOOL_MAX_BYTES: '8GiB', SPOOL_SYNC: 'batch' } as const;

/** Rejects if a message is lost, refused or duplicated, with the end of the servers' logs. */
export async function measureSpool(options: BenchOptions): Promise<SpoolFigures> {
  const unreachable = `127.0.0.1:${await freePort()}`;
  const plans = [
    { settings: SPOOL_SETTINGS },
    { settings: SPOOL_SETTINGS, unreachable, profileDir: options.profileDir },
  ] as const;
  return withGateways(options, plans, async ([withKafka, without]) => {
    const up = new SpoolSide(withKafka, options);
    const down = new SpoolSide(without, options);
    await up.warmUp();
    await down.warmUp();
    const from = mark(without.server);
    for (let turn = 0; turn < TURNS; turn++) {
      await up.turn();
      await down.turn();
    }
    const to = mark(without.server);
    const pacedPerSecond = Math.round(
      Math.min(PACED_PER_SECOND, up.ofTurns.perSecond / 2, down.ofTurns.perSecond / 2),
    );
    await up.paced(pacedPerSecond);
    await down.paced(pacedPerSecond);

    await withKafka.server.untilConfirmed(up.sent);
    const upStats = await proveAllThere(withKafka, options.bootstrap, up.sent);
    const downStats = await proveAllSpooled(without, down.sent);
    return {
      kind: 'spool',
      up: up.figures(upStats.process.residentBytes),
      down: down.figures(downStats.process.residentBytes),
      ratio: down.ofTurns.perSecond / up.ofTurns.perSecond,
      pacedPerSecond,
      windowUs: [from.wallUs, to.wallUs],
    };
  });
}

/** A side that also measures latency at a rate. */
class SpoolSide extends Side {
  readonly #seconds: number;
  #storedMs: Percentiles | undefined;

  constructor(gateway: Gateway, options: BenchOptions) {
    const { connections, seconds } = options;
    const port = gateway.server.tcpPort;
    super(gateway, options, {
      port,
      connections,
      linesPerWrite: LINES_PER_WRITE,
      seq: true,
      window: WINDOW_LINES,
    });
    this.#seconds = seconds;
  }

  async paced(perSecond: number): Promise<void> {
    await this.send({ count: PACED_WARM_UP_SECONDS * perSecond, perSecond });
    const count = Math.ceil(this.#seconds * perSecond);
    this.#storedMs = (await this.send({ count, perSecond })).storedMs;
  }

  figures(residentBytes: number): SpoolSideFigures {
    if (this.#storedMs === undefined) throw new Error('no confirmation was timed');
    return { ...this.ofTurns, storedMs: this.#storedMs, residentMiB: residentBytes / 2 ** 20 };
  }
}
