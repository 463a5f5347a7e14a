// From the measurements to the constants: which figures each is worked out from, and how far its runs differ. No I/O.
import { median } from '../../bench/statistics.ts';
import type { ConstantName } from '../constants.ts';
import { gatewaySettings } from '../gateway-settings.ts';
import { requestsPerSecond } from '../model/traffic.ts';
import type { ArrivalCost } from './connect.ts';
import { fit } from './fit.ts';
import type { MemoryCost } from './memory.ts';
import { SERVER_PROCESSES } from './stage.ts';
import type { Observation } from './steady.ts';

/** A constant: worked out from all runs together, and the range over single runs. */
export interface Worked {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export type WorkedConstants = Partial<Readonly<Record<ConstantName, Worked>>>;

/** @param runs the observations of each run */
export function fromSteady(runs: readonly (readonly Observation[])[]): WorkedConstants {
  return withRange(steadyValues(runs.flat()), runs.map(steadyValues));
}

type Values = Partial<Record<ConstantName, number>>;

function steadyValues(all: readonly Observation[]): Values {
  const silent = all.filter(({ messages }) => messages === 0);
  const loaded = all.filter(({ messages }) => messages > 0);
  const idleOf = (cpu: (one: Observation) => number): number =>
    median(silent.map((one) => cpu(one) / one.seconds));
  const serversIdle = idleOf(({ serverSeconds }) => serverSeconds);
  const primaryIdleCores = median(all.map(({ primarySeconds, seconds }) => primarySeconds / seconds));
  const brokerIdleCores = idleOf(({ brokerSeconds }) => brokerSeconds);
  const us = (cpuSeconds: number, idleCores: number, { seconds }: Observation): number =>
    Math.max(0, cpuSeconds - idleCores * seconds) * 1e6;

  const [messageUs = 0, byteNs = 0, batchUs = 0, requestUs = 0, tlsMessageUs = 0] = fit(
    loaded.map((one) => [
      one.messages,
      (one.messages * one.lineBytes) / 1000,
      one.batches,
      requestsOf(one),
      one.tls ? one.messages : 0,
    ]),
    loaded.map((one) => us(one.serverSeconds, serversIdle, one)),
  );
  // The broker compiles its code while the first gateway is measured. It does not know which devices use TLS.
  const later = loaded.filter(({ tls }) => tls);
  const [brokerRequestUs = 0, brokerBatchUs = 0, brokerMessageUs = 0] = fit(
    later.map((one) => [requestsOf(one), one.batches, one.messages]),
    later.map((one) => us(one.brokerSeconds, brokerIdleCores, one)),
  );
  const [storedShare = 0, storedRecordBytes = 0, storedBatchBytes = 0, storedBatchShare = 0] = fit(
    loaded.map(({ lineBytes, batches, messages }) => {
      const alone = Math.sqrt(batches / messages);
      return [lineBytes, 1, alone, lineBytes * alone];
    }),
    loaded.map(({ batchBytes, messages }) => batchBytes / messages),
  );
  return {
    serverIdleCores: serversIdle / SERVER_PROCESSES,
    primaryIdleCores,
    messageUs,
    byteNs,
    batchUs,
    requestUs,
    tlsMessageUs,
    brokerIdleCores,
    brokerRequestUs,
    brokerBatchUs,
    brokerMessageUs,
    storedShare,
    storedRecordBytes,
    storedBatchBytes,
    storedBatchShare,
  };
}

/** No figure of the gateway counts them, so they are worked out as the model does. */
const requestsOf = ({ messages, seconds }: Observation): number =>
  seconds *
  requestsPerSecond({
    messagesPerSecond: messages / seconds,
    processes: SERVER_PROCESSES,
    lingerSeconds: gatewaySettings(1).lingerSeconds,
  });

export function fromArrivals(costs: readonly ArrivalCost[]): WorkedConstants {
  const of = (kind: ArrivalCost['kind'], us: (cost: ArrivalCost) => number): number[] =>
    costs.filter((cost) => cost.kind === kind).map(us);
  const server = ({ serverUs }: ArrivalCost): number => serverUs;
  const plain = of('plain', server);
  const above = (kind: ArrivalCost['kind']): number[] =>
    of(kind, server).map((us, run) => Math.max(0, us - (plain[run] ?? 0)));
  return {
    connectServerUs: ofRuns(plain),
    connectPrimaryUs: ofRuns(of('plain', ({ primaryUs }) => primaryUs)),
    handshakeUs: ofRuns(above('full')),
    resumedHandshakeUs: ofRuns(above('resumed')),
  };
}

export function fromMemory(costs: readonly MemoryCost[]): WorkedConstants {
  const names = [
    'serverBytes',
    'primaryBytes',
    'connectionBytes',
    'tlsConnectionBytes',
    'kernelBytes',
  ] as const;
  return Object.fromEntries(
    names
      .map((name) => [name, costs.map((cost) => cost[name]).filter((bytes) => !Number.isNaN(bytes))] as const)
      .filter(([, values]) => values.length > 0)
      .map(([name, values]) => [name, ofRuns(values)]),
  );
}

export const fromDrains = (perSecond: readonly number[]): WorkedConstants => ({
  drainPerSecond: ofRuns(perSecond),
});

const ofRuns = (values: readonly number[]): Worked => ({
  value: median(values),
  low: Math.min(...values),
  high: Math.max(...values),
});

function withRange(value: Values, runs: readonly Values[]): WorkedConstants {
  return Object.fromEntries(
    Object.entries(value).map(([name, all]) => {
      const values = runs.map((run) => run[name as ConstantName] ?? 0);
      return [name, { value: all, low: Math.min(all, ...values), high: Math.max(all, ...values) }];
    }),
  );
}
