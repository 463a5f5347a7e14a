// What a calibration measures: a fresh gateway of three server processes with a TLS port beside the plain one, a broker, and
// a process of devices. It reads the CPU time of each.
import { type OwnGateway, withOwnGateway } from '../../bench/servers/own-gateway.ts';
import { Child } from '../../load/processes/child.ts';
import { tlsSettings, withCertificate } from '../../scripts/lib/certificate.ts';
import { cpuSecondsOf, descendantsOf, statusOf } from '../../scripts/lib/proc.ts';
import type { FleetCalls } from './fleet-worker.ts';

/** So that the cost of the first process can be told from that of a server process. */
export const SERVER_PROCESSES = 3;
const FLEET = new URL('fleet-worker.js', import.meta.url);

export interface CalibrationOptions {
  readonly bootstrap: string;
  /** Of each figure; the median counts. */
  readonly runs: number;
  readonly connections: number;
  /** Of each measured window. */
  readonly seconds: number;
  readonly signal: AbortSignal;
}

export interface Stage extends OwnGateway {
  readonly fleet: Child<FleetCalls>;
  /** The certificate of the gateway, PEM. */
  readonly ca: string;
}

/** CPU seconds so far. */
export interface CpuSeconds {
  /** All server processes together. */
  readonly servers: number;
  readonly primary: number;
  readonly broker: number;
}

/** Runs `work` with a gateway and devices of its own. An error gets the end of the gateway's log. */
export function withStage<T>(
  { bootstrap, signal }: CalibrationOptions,
  settings: Readonly<Record<string, string>>,
  work: (stage: Stage) => Promise<T>,
): Promise<T> {
  return withCertificate(async (certificate) => {
    const fleet = new Child<FleetCalls>(FLEET, { signal });
    const all = { TCP_PROCESSES: String(SERVER_PROCESSES), ...tlsSettings(certificate), ...settings };
    try {
      return await withOwnGateway({ bootstrap, name: 'plan', settings: all, signal }, async (gateway) => {
        const result = await work({ ...gateway, fleet, ca: certificate.cert });
        // A gateway that has to close thousands of connections may need longer than its stop allows.
        await fleet.call('leave', null);
        return result;
      });
    } finally {
      await fleet.stop();
    }
  });
}

export function cpuOf({ server }: Stage): CpuSeconds {
  const [first = 0, ...others] = server.pids;
  return {
    primary: cpuSecondsOf(first),
    servers: others.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0),
    broker: brokerPids().reduce((sum, pid) => sum + cpuSecondsOf(pid), 0),
  };
}

export const cpuBetween = (from: CpuSeconds, to: CpuSeconds): CpuSeconds => ({
  servers: to.servers - from.servers,
  primary: to.primary - from.primary,
  broker: to.broker - from.broker,
});

/** The CPU time of the broker cannot be read. */
export class NoBrokerError extends Error {
  readonly code = 'PLAN_NO_BROKER';

  constructor() {
    super(
      'the CPU time of the broker cannot be read: this part needs a Kafka that it starts itself with Java 17. Unset KAFKA_BROKERS',
    );
  }
}

/** @throws NoBrokerError if the broker runs in Docker or was started by somebody else */
export function expectBroker(): void {
  if (brokerPids().length === 0) throw new NoBrokerError();
}

/** The brokers that this process started. */
const brokerPids = (): number[] =>
  descendantsOf(process.pid).filter((pid) => statusOf(pid, 'Name') === 'java');
