// Measures 50,000 devices that come at once to a gateway of three server processes, and then send steadily.
import { openFilesLimit } from '../../src/server/limits.ts';
import { Storm } from '../devices/storm.ts';
import { nowUs } from '../now-us.ts';
import type { BenchOptions } from '../servers/loaded-gateways.ts';
import { withOwnGateway } from '../servers/own-gateway.ts';
import { type Percentiles, percentilesOf } from '../statistics.ts';

export interface StormManyFigures {
  readonly kind: 'storm-many';
  readonly devices: number;
  readonly connectedSeconds: number;
  readonly toldSeconds: number;
  readonly failed: number;
  readonly perSecond: number;
  /** From the due time of a message to its `stored`. */
  readonly storedMs: Percentiles;
  readonly windowUs: readonly [from: number, to: number];
}

/** Devices, as a multiple of those of the scenario storm. */
const TIMES = 5;
const SERVER_PROCESSES = 3;
const STORM_PROCESSES = 3;
const TIMEOUT_MS = 60_000;
const MESSAGES_PER_SECOND = 8_000;
const MESSAGES_PER_DEVICE = 0.8;
/** Descriptors of a process beside those of its devices, and the uneven share of a server process. */
const SPARE_FILES = 2_000;

/** Why this machine cannot measure it, if so. */
export function lacksForStormMany({ devices }: Pick<BenchOptions, 'devices'>, limit = openFilesLimit()) {
  const needed = Math.ceil((TIMES * devices) / Math.min(SERVER_PROCESSES, STORM_PROCESSES)) + SPARE_FILES;
  return limit === undefined || limit >= needed
    ? undefined
    : `it needs ${needed} open files a process, and ${limit} are allowed`;
}

/** Devices that fail are counted. Rejects if a message is not stored. */
export function measureStormMany(options: BenchOptions): Promise<StormManyFigures> {
  const { bootstrap, settings, node, profileDir, signal } = options;
  const devices = TIMES * options.devices;
  const all = {
    TCP_PROCESSES: String(SERVER_PROCESSES),
    TCP_MAX_CONNECTIONS: String(devices + SPARE_FILES),
    ...settings,
  };
  const how = { bootstrap, name: 'storm-many', settings: all, node, profileDir, signal };
  return withOwnGateway(how, async ({ server }) => {
    const storm = new Storm({
      port: server.tcpPort,
      devices,
      processes: STORM_PROCESSES,
      timeoutMs: TIMEOUT_MS,
      signal,
    });
    try {
      const fromUs = nowUs();
      const { told, toldMs, connectedMs } = await storm.begin();
      const toUs = nowUs();
      const storedMs = percentilesOf(
        await storm.send(Math.floor(MESSAGES_PER_DEVICE * told), MESSAGES_PER_SECOND),
      );
      return {
        kind: 'storm-many',
        devices,
        connectedSeconds: connectedMs / 1000,
        toldSeconds: toldMs / 1000,
        failed: devices - told,
        perSecond: MESSAGES_PER_SECOND,
        storedMs,
        windowUs: [fromUs, toUs],
      };
    } finally {
      await storm.stop();
    }
  });
}
