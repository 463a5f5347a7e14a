// Holds the model and the simulation against the measured runs: the same machine, the same processes, and the load generator
// that takes its part of the cores.
import { median } from '../../bench/statistics.ts';
import { defaultOf } from '../../src/config/settings.ts';
import type { Constants } from '../constants.ts';
import { gatewaySettings } from '../gateway-settings.ts';
import { arrivalsPerSecond, residentBytes, steadyCores } from '../model/gateway.ts';
import { costsOf, limitsOf } from '../storm/model.ts';
import { PROTOCOL } from '../storm/rules.ts';
import { simulate } from '../storm/simulate.ts';
import { atOnce } from '../storm/starts.ts';
import type { Results, Run } from './results.ts';
import {
  CLIENT_PROCESSES,
  CONNECTS_PER_TURN,
  LINE_BYTES,
  MOST,
  MOST_UNDER_WAY,
  PATIENCE_MS,
} from './setup.ts';

/** The largest deviation that counts as good: 20 %. */
export const ALLOWED = 0.2;

export interface Row {
  readonly quantity: string;
  readonly unit: string;
  readonly connections: number;
  readonly tls: boolean;
  readonly model: number;
  /** Only storms are simulated. */
  readonly simulated: number | undefined;
  readonly measured: number;
}

/** The share by which the model or the simulation is off, whichever is further. */
export function deviationOf({ model, simulated, measured }: Row): number {
  const of = (value: number): number => Math.abs(value / measured - 1);
  return Math.max(of(model), simulated === undefined ? 0 : of(simulated));
}

export function compare(constants: Constants, results: Results): Row[] {
  return results.runs.flatMap((run) => [
    stormRow(constants, results, run),
    steadyRow(constants, run),
    memoryRow(constants, run),
  ]);
}

/** net.ipv4.tcp_syn_linear_timeouts of Linux from 6.5 on: four times after a second, then doubled. */
const SYN_AGAIN_MS = [1_000, 2_000, 3_000, 4_000, 5_000, 7_000, 11_000, 19_000];
const SEEDS = [1, 2, 3] as const;
/** The measured gateways have the defaults. */
const PARTITIONS = defaultOf('KAFKA_NUM_PARTITIONS');
const LIMIT_MS = 600_000;

function stormRow(constants: Constants, { cores }: Results, run: Run): Row {
  const { connections, tls, processes, storms } = run;
  // The load generator is not compared. So its part is the one that it had.
  const clientUs = (median(storms.map(({ clientCpuSeconds }) => clientCpuSeconds)) * 1e6) / connections;
  const simulated = SEEDS.map(
    (seed) =>
      simulate(
        {
          devices: connections,
          gateways: 1,
          processes,
          cores,
          background: 0,
          tls,
          rttMs: 0,
          costs: costsOf(constants),
          rule: PROTOCOL,
          maxConnections: connections,
          patienceMs: PATIENCE_MS,
          synAgainMs: SYN_AGAIN_MS,
          limitMs: LIMIT_MS,
          seed,
          generator: {
            processes: CLIENT_PROCESSES,
            connectUs: clientUs,
            connectsPerTurn: CONNECTS_PER_TURN,
            mostUnderWay: MOST_UNDER_WAY[tls ? 'tls' : 'plain'],
          },
        },
        atOnce(connections),
      ).seconds.p99,
  );
  const gatewayUs =
    constants.connectServerUs + constants.connectPrimaryUs + (tls ? constants.handshakeUs : 0);
  // The gateway gets its part of the cores, the load generator the rest.
  const share = gatewayUs / (gatewayUs + clientUs);
  const { maxHandshakes } = limitsOf({ processes: 1 });
  const { perSecond } = arrivalsPerSecond(constants, {
    cores: cores * share,
    tls,
    rttSeconds: 0,
    maxHandshakes,
  });
  return {
    quantity: '99 % back',
    unit: 's',
    connections,
    tls,
    model: (MOST * connections) / perSecond + lostSynSeconds(run),
    simulated: median(simulated),
    measured: median(storms.map(({ seconds }) => seconds)),
  };
}

/**
 * Plain devices connect faster than a process accepts. If the queue of the port is full, their SYN is lost and sent again a
 * second later, and the gateway is idle for half of that second on average. Over TLS the load generator is slower than the
 * gateway, so the queue does not fill.
 */
function lostSynSeconds({ connections, tls, processes }: Run): number {
  const { backlog } = limitsOf({ processes });
  const [againMs = 0] = SYN_AGAIN_MS;
  return !tls && connections > backlog ? againMs / 2 / 1000 : 0;
}

function steadyRow(constants: Constants, { connections, tls, processes, steady }: Run): Row {
  const { total } = steadyCores(constants, {
    messagesPerSecond: steady.perSecond,
    lineBytes: LINE_BYTES,
    processes,
    partitions: PARTITIONS,
    lingerSeconds: gatewaySettings(1).lingerSeconds,
    tls,
  });
  return {
    quantity: `CPU at ${Math.round(steady.perSecond).toLocaleString('en')} messages/s`,
    unit: 'cores',
    connections,
    tls,
    model: total,
    simulated: undefined,
    measured: steady.serverCores + steady.firstCores,
  };
}

function memoryRow(constants: Constants, { connections, tls, processes, memoryBytes }: Run): Row {
  return {
    quantity: 'memory',
    unit: 'MB',
    connections,
    tls,
    model: residentBytes(constants, { devices: connections, processes, tls }) / 1e6,
    simulated: undefined,
    measured: memoryBytes / 1e6,
  };
}
