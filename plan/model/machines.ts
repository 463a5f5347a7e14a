// How many machines a fleet needs: the table of limits, each with the part of one machine that is used, and the smallest
// number that keeps all of them.
import { LINE_GROWTH } from '../../src/config/shares.ts';
import { RESERVED_DESCRIPTORS } from '../../src/server/limits.ts';
import type { Constants } from '../constants.ts';
import { hasFirstProcess, neededBytes, ROOM, steadyCores } from './gateway.ts';
import { ImpossiblePlanError } from './impossible.ts';
import type { PlanInput } from './input.ts';
import { type SpoolNeed, spoolOf } from './spool.ts';
import { LONGEST_WAIT_SECONDS, type Storm, stormOf } from './storm.ts';
import { batchesPerSecond, storedBytes, trafficOf } from './traffic.ts';

export const LIMITS = [
  'CPU',
  'memory',
  'open files',
  'network',
  'reconnect storm',
  'disk',
  'records in flight',
  'devices a machine',
] as const;
export type LimitName = (typeof LIMITS)[number];

export interface LimitUse {
  readonly limit: LimitName;
  /** Machines that this limit alone would need. */
  readonly machines: number;
  /** Use of one machine, in units of what is allowed, with the machines of the plan. */
  readonly use: number;
}

/** Part of the memory and of the disk that may be used. The rest is for the system. */
const STORAGE_USE = 0.8;
/** Part of the cores that arrivals get: a storm may fill a machine. */
const STORM_USE = 0.9;
/** The kernel does not spread connections evenly over processes. */
const UNEVEN = 1.1;
const MAX_MACHINES = 100_000;
/** The largest value of SPOOL_MAX_BYTES. */
export const MAX_SPOOL_BYTES = 2 ** 40;

/** The facts that decide the number of machines. */
export interface Basis {
  readonly constants: Constants;
  readonly input: PlanInput;
  /** Of the topic. */
  readonly partitions: number;
}

/** One machine of so many that share the fleet. */
export interface Share {
  readonly machines: number;
  readonly devices: number;
  readonly processes: number;
  readonly cores: { readonly average: number; readonly peak: number };
  readonly memoryBytes: number;
  readonly descriptorsPerProcess: number;
  readonly inBytesPerSecond: number;
  readonly outBytesPerSecond: number;
  readonly recordsPerBatch: number;
  readonly storedBytesPerRecord: number;
  readonly spool: SpoolNeed;
  /** Of records that Kafka has not confirmed, in the busiest second. */
  readonly inFlightBytes: number;
}

export function shareOf({ constants, input, partitions }: Basis, machines: number): Share {
  const { fleet, machine, settings, goals } = input;
  const processes = machine.cores;
  const devices = fleet.devices / machines;
  const traffic = trafficOf({ ...fleet, devices });
  const { lingerSeconds } = settings;
  const coresAt = (factor: number): number =>
    steadyCores(constants, {
      messagesPerSecond: traffic.messages * factor,
      keepalivesPerSecond: traffic.keepalives * factor,
      lineBytes: fleet.lineBytes,
      processes,
      partitions,
      lingerSeconds,
      tls: fleet.tls,
    }).total;
  const batches = batchesPerSecond({
    messagesPerSecond: traffic.messages,
    processes,
    partitions,
    lingerSeconds,
  });
  const recordsPerBatch = traffic.messages / batches;
  const stored = storedBytes(constants, { lineBytes: fleet.lineBytes, recordsPerBatch });
  return {
    machines,
    devices,
    processes,
    cores: { average: coresAt(1), peak: coresAt(fleet.peak) },
    memoryBytes: neededBytes(constants, settings, { devices, processes, tls: fleet.tls }),
    descriptorsPerProcess: (devices / processes) * UNEVEN + RESERVED_DESCRIPTORS,
    inBytesPerSecond: traffic.inBytes * fleet.peak,
    outBytesPerSecond: (traffic.outBytes + traffic.messages * stored) * fleet.peak,
    recordsPerBatch,
    storedBytesPerRecord: stored,
    spool: spoolOf(constants, {
      messagesPerSecond: traffic.messages,
      bytesPerRecord: stored,
      outageSeconds: goals.outageSeconds,
      processes,
    }),
    inFlightBytes:
      traffic.messages *
      fleet.peak *
      (fleet.lineBytes * LINE_GROWTH) *
      (lingerSeconds + input.kafka.rttSeconds),
  };
}

/** The use of a limit by one machine, in units of what is allowed. Above 1 the limit is broken. */
export function useOf(limit: LimitName, { constants, input }: Basis, share: Share): number {
  const { machine, goals } = input;
  switch (limit) {
    case 'CPU':
      return share.cores.peak / (machine.cores * goals.use);
    case 'memory':
      return share.memoryBytes / (machine.memoryBytes * STORAGE_USE);
    case 'open files':
      return share.descriptorsPerProcess / machine.openFiles;
    case 'network':
      return (
        Math.max(share.inBytesPerSecond, share.outBytesPerSecond) /
        (machine.networkBytesPerSecond * goals.use)
      );
    case 'reconnect storm':
      return stormWith(constants, input, share).workSeconds / goals.stormSeconds;
    case 'disk':
      return share.spool.bytes / Math.min(machine.diskBytes * STORAGE_USE, MAX_SPOOL_BYTES / ROOM);
    case 'records in flight':
      return share.inFlightBytes / input.settings.kafkaBufferBytes;
    case 'devices a machine':
      return share.devices / goals.devicesPerMachine;
  }
}

/** The storm that so many machines get through. Devices that are back send at their usual rate. */
export function stormWith(
  constants: Constants,
  { fleet, machine, settings }: PlanInput,
  share: Share,
): Storm {
  return stormOf(constants, {
    devices: fleet.devices,
    gateways: share.machines,
    cores: Math.max(0, machine.cores * STORM_USE - share.cores.average),
    tls: fleet.tls,
    rttSeconds: fleet.rttSeconds,
    maxHandshakes: settings.maxHandshakes,
  });
}

export interface Machines {
  /** That have to run, without the spare ones. */
  readonly needed: number;
  readonly limits: readonly LimitUse[];
  /** The limit that asks for the most machines, or that is nearest if several ask for as many. */
  readonly first: LimitName;
  /** One of the needed machines. */
  readonly share: Share;
}

/** @throws ImpossiblePlanError if a machine is too small for any part of the fleet */
export function machinesFor(basis: Basis): Machines {
  const { stormSeconds } = basis.input.goals;
  if (stormSeconds < LONGEST_WAIT_SECONDS)
    throw new ImpossiblePlanError(
      `no number of machines brings all devices back in ${stormSeconds} s: devices wait up to ${LONGEST_WAIT_SECONDS} s before they try again (docs/protocol.md); give a longer --storm`,
    );
  const alone = new Map(LIMITS.map((limit) => [limit, fewest(limit, basis)]));
  const needed = Math.max(...alone.values());
  const share = shareOf(basis, needed);
  const limits = LIMITS.map((limit) => ({
    limit,
    machines: alone.get(limit) ?? 0,
    use: useOf(limit, basis, share),
  }));
  const first = limits.reduce((most, one) => (one.use > most.use ? one : most)).limit;
  return { needed, limits, first, share };
}

/** The smallest number of machines that keeps the limit. More machines always use less of each, so a binary search finds it. */
function fewest(limit: LimitName, basis: Basis): number {
  const isEnough = (machines: number): boolean => useOf(limit, basis, shareOf(basis, machines)) <= 1;
  let [low, high] = [0, 1];
  while (!isEnough(high)) {
    if (high >= MAX_MACHINES) throw new ImpossiblePlanError(whyImpossible(limit, basis));
    low = high;
    high = Math.min(MAX_MACHINES, high * 2);
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (isEnough(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function whyImpossible(limit: LimitName, { constants, input }: Basis): string {
  const { machine, fleet, goals, settings } = input;
  const { cores, memoryBytes } = machine;
  const mib = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  const empty = neededBytes(constants, settings, { devices: 0, processes: cores, tls: fleet.tls });
  if (limit === 'memory' && empty > memoryBytes * STORAGE_USE)
    return `a machine of ${mib(memoryBytes)} is too small: with ${cores} server processes and full buffers a gateway needs ${mib(empty / STORAGE_USE)} before the first device; give a larger --memory or fewer --cores`;
  const idle = cores * constants.serverIdleCores + (hasFirstProcess(cores) ? constants.primaryIdleCores : 0);
  if (limit === 'CPU' && idle > cores * goals.use)
    return `--use ${goals.use} is too low: an idle gateway uses more of ${cores} cores; give a higher one`;
  return `more than ${MAX_MACHINES.toLocaleString('en-US')} machines would be needed because of the limit "${limit}"; ${REMEDY_OF[limit]}`;
}

/** The option that makes a limit bind less. */
const REMEDY_OF: Readonly<Record<LimitName, string>> = {
  CPU: 'raise --cores',
  memory: 'raise --memory',
  'open files': 'raise --open-files',
  network: 'raise --network',
  'reconnect storm': 'raise --storm',
  disk: 'raise --disk or lower --outage',
  'records in flight': 'lower --linger or --kafka-rtt',
  'devices a machine': 'raise --per-machine',
};
