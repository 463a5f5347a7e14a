// The whole plan of a fleet, from the constants and the questions. No I/O.
import { sizeText } from '../../src/config/kinds.ts';
import { returnWindowMs } from '../../src/server/departures.ts';
import type { Constants } from '../constants.ts';
import { gatewaySettings } from '../gateway-settings.ts';
import { ROOM, roundUp } from './gateway.ts';
import type { PlanInput } from './input.ts';
import { type Brokers, brokersFor, type Partitions, partitionsFor } from './kafka.ts';
import { MAX_SPOOL_BYTES, type Machines, machinesFor, stormWith } from './machines.ts';
import type { Storm } from './storm.ts';
import { type Traffic, trafficOf } from './traffic.ts';

export interface Plan {
  readonly input: PlanInput;
  /** Of the whole fleet, in the average second. */
  readonly traffic: Traffic;
  readonly machines: Machines & { readonly total: number };
  /** Server processes of all machines, spare ones included. Each machine has a first process besides. */
  readonly processes: number;
  readonly partitions: Partitions;
  readonly brokers: Brokers;
  /** With the needed machines, while the spare ones are away. */
  readonly storm: Storm;
  /** The messages that devices have kept when they come back after as long a regional outage, and the time to take it in. */
  readonly backlog: {
    readonly messagesPerDevice: number;
    readonly messages: number;
    readonly seconds: number;
  };
  /** Seconds over which the devices of one machine are sent elsewhere when it drains. */
  readonly drainSeconds: number;
  readonly pricePerHour: {
    readonly machines: number | null;
    readonly brokers: number | null;
    readonly total: number | null;
  };
  /** Settings that each gateway needs, other than the defaults. */
  readonly settings: Readonly<Record<string, string>>;
}

const GIB = 2 ** 30;
/** Part of the cores and of the network that may take in the messages that devices kept. */
const CATCH_UP_USE = 0.9;
/** Of full packets. */
const HEADERS = 1.05;

/** @throws ImpossiblePlanError */
export function planFor(constants: Constants, input: PlanInput): Plan {
  const { fleet, machine, broker, goals } = input;
  const traffic = trafficOf(fleet);
  const partitions = partitionsFor(input);
  const machines = machinesFor({ constants, input, partitions: partitions.number });
  const total = machines.needed + goals.spare;
  const processes = total * machine.cores;
  const brokers = brokersFor(constants, input, { partitions: partitions.number, processes });
  const storm = stormWith(constants, input, machines.share);
  const messagesPerDevice = goals.outageSeconds / fleet.intervalSeconds;
  // Kept messages come in long writes, so only the cost of the messages themselves counts.
  const backlogUs = constants.messageUs + (fleet.lineBytes * constants.byteNs) / 1000;
  const freeCores =
    machines.needed * Math.max(0, machine.cores * CATCH_UP_USE - machines.share.cores.average);
  const messages = messagesPerDevice * fleet.devices;
  const cpuSeconds = (messages * backlogUs) / 1e6 / freeCores;
  const networkSeconds =
    (messages * fleet.lineBytes * HEADERS) / (machines.needed * machine.networkBytesPerSecond * CATCH_UP_USE);
  const priceOf = (each: number | null, number: number): number | null =>
    each === null ? null : each * number;
  const prices = {
    machines: priceOf(machine.pricePerHour, total),
    brokers: priceOf(broker.pricePerHour, brokers.number),
  };
  const devicesEach = Math.ceil((fleet.devices / machines.needed) * ROOM);
  const drainSeconds = Math.ceil(returnWindowMs(fleet.devices / total) / 1000);
  const spoolGib = Math.ceil(
    Math.min(MAX_SPOOL_BYTES, Math.max(GIB, machines.share.spool.bytes * ROOM)) / GIB,
  );
  return {
    input,
    traffic,
    machines: { ...machines, total },
    processes,
    partitions,
    brokers,
    storm,
    backlog: { messagesPerDevice, messages, seconds: Math.max(cpuSeconds, networkSeconds) },
    drainSeconds,
    pricePerHour: {
      ...prices,
      total: prices.machines === null || prices.brokers === null ? null : prices.machines + prices.brokers,
    },
    settings: {
      ...unusualSettings(input, storm),
      TCP_PROCESSES: String(machine.cores),
      TCP_MAX_CONNECTIONS: String(Math.min(1_000_000, Math.max(100, roundUp(devicesEach)))),
      KAFKA_NUM_PARTITIONS: String(partitions.number),
      KAFKA_REPLICATION_FACTOR: String(input.kafka.replicas),
      SPOOL_MAX_BYTES: `${spoolGib}GiB`,
      SHUTDOWN_SPREAD: `${drainSeconds}s`,
    },
  };
}

/** Settings of the model that are not at their defaults. */
function unusualSettings({ settings }: PlanInput, { maxHandshakes }: Storm): Record<string, string> {
  const usual = gatewaySettings(1);
  const { lingerSeconds, kafkaBufferBytes, tcpBufferBytes } = settings;
  return {
    ...(maxHandshakes !== usual.maxHandshakes && { TCP_TLS_MAX_HANDSHAKES: String(maxHandshakes) }),
    ...(lingerSeconds !== usual.lingerSeconds && {
      KAFKA_BATCH_TIMEOUT: `${Math.round(lingerSeconds * 1000)}ms`,
    }),
    ...(kafkaBufferBytes !== usual.kafkaBufferBytes && { KAFKA_BUFFER_BYTES: sizeText(kafkaBufferBytes) }),
    ...(tcpBufferBytes !== usual.tcpBufferBytes && { TCP_BUFFER_BYTES: sizeText(tcpBufferBytes) }),
  };
}
