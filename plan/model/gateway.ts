// The cost of one gateway, a machine with several server processes: cores at a steady rate, memory, and arrivals a second.
import type { Constants } from '../constants.ts';
import type { GatewaySettings } from './input.ts';
import { batchesPerSecond, requestsPerSecond } from './traffic.ts';

/**
 * Of each server process, beside its connections and buffers: 64 MiB under waiting lines and 32 MiB kept for the next batches
 * (docs/quick-test-guide.md, "The operating system").
 */
const MAX_UNUSED_BYTES = 96 * 2 ** 20;

export interface GatewayLoad {
  readonly messagesPerSecond: number;
  /** Lines that become no record. */
  readonly keepalivesPerSecond?: number;
  readonly lineBytes: number;
  readonly processes: number;
  readonly partitions: number;
  readonly lingerSeconds: number;
  readonly tls: boolean;
}

export interface GatewayCores {
  /** All server processes together. */
  readonly servers: number;
  /** The first process, which has the ledger and the admin port. */
  readonly primary: number;
  readonly total: number;
}

/** With TCP_PROCESSES=1 a gateway is one process, which does the work of the first one too. */
export const hasFirstProcess = (processes: number): boolean => processes > 1;

/** Cores, of the machine on which the constants were measured. */
export function steadyCores(constants: Constants, load: GatewayLoad): GatewayCores {
  const { messagesPerSecond, keepalivesPerSecond = 0, lineBytes, processes, tls } = load;
  const messageUs =
    constants.messageUs + (lineBytes * constants.byteNs) / 1000 + (tls ? constants.tlsMessageUs : 0);
  // A keepalive wakes its process as a message does. That it needs no batch was not measured, so it is not counted.
  const lines = messagesPerSecond + keepalivesPerSecond;
  const batching = { ...load, messagesPerSecond: lines };
  const us =
    lines * messageUs +
    batchesPerSecond(batching) * constants.batchUs +
    requestsPerSecond(batching) * constants.requestUs;
  const servers = processes * constants.serverIdleCores + us / 1e6;
  const primary = hasFirstProcess(processes) ? constants.primaryIdleCores : 0;
  return { servers, primary, total: servers + primary };
}

export interface Connected {
  readonly devices: number;
  readonly processes: number;
  readonly tls: boolean;
}

/** Resident memory of a gateway with so many devices that send now and then, without full buffers. */
export function residentBytes(constants: Constants, { devices, processes, tls }: Connected): number {
  const each = tls ? constants.tlsConnectionBytes : constants.connectionBytes;
  const primary = hasFirstProcess(processes) ? constants.primaryBytes : 0;
  return primary + processes * constants.serverBytes + devices * each;
}

/** Memory that the machine of a gateway needs: with the kernel's part, and with every buffer full. */
export function neededBytes(constants: Constants, settings: GatewaySettings, load: Connected): number {
  const buffers = settings.kafkaBufferBytes + settings.tcpBufferBytes + load.processes * MAX_UNUSED_BYTES;
  return residentBytes(constants, load) + load.devices * constants.kernelBytes + buffers;
}

export interface ArrivalsOptions {
  /** That are free for arrivals. */
  readonly cores: number;
  readonly tls: boolean;
  readonly rttSeconds: number;
  readonly maxHandshakes: number;
}

export interface Arrivals {
  readonly perSecond: number;
  /** The limit that binds. */
  readonly limit: 'cores' | 'first process' | 'handshakes at once';
}

/** How many devices a gateway takes in a second, each with a full handshake if it uses TLS. */
export function arrivalsPerSecond(
  constants: Constants,
  { cores, tls, rttSeconds, maxHandshakes }: ArrivalsOptions,
): Arrivals {
  const serverUs = constants.connectServerUs + (tls ? constants.handshakeUs : 0);
  const { connectPrimaryUs } = constants;
  const limits: Arrivals[] = [
    { limit: 'cores', perSecond: (cores * 1e6) / (serverUs + connectPrimaryUs) },
    // One thread.
    { limit: 'first process', perSecond: (Math.min(1, cores) * 1e6) / connectPrimaryUs },
  ];
  // A handshake keeps its place from the first byte until the answer to the server's flight has come.
  if (tls && rttSeconds > 0)
    limits.push({ limit: 'handshakes at once', perSecond: maxHandshakes / rttSeconds });
  return limits.reduce((least, one) => (one.perSecond < least.perSecond ? one : least));
}

/** The largest value of TCP_TLS_MAX_HANDSHAKES. */
const MAX_HANDSHAKES = 100_000;
/** A setting gets this much more than the plan needs. */
export const ROOM = 1.25;

/** TCP_TLS_MAX_HANDSHAKES with which the cores limit arrivals: more if devices are far away, at least the default. */
export function handshakesFor(constants: Constants, options: ArrivalsOptions): number {
  const { tls, rttSeconds, maxHandshakes } = options;
  if (!tls) return maxHandshakes;
  const { perSecond } = arrivalsPerSecond(constants, { ...options, maxHandshakes: Number.POSITIVE_INFINITY });
  return Math.max(maxHandshakes, Math.min(MAX_HANDSHAKES, roundUp(perSecond * rttSeconds * ROOM)));
}

/** To two digits. */
export function roundUp(value: number): number {
  if (value <= 0) return 0;
  const step = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1);
  return Math.ceil(value / step) * step;
}
