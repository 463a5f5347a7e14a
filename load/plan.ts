// The plan of one run of the load. load/command checks it; everything else trusts it. No I/O.
import type { ConnectionOptions } from 'node:tls';

/** A message holds one reading, one with nested values, one as `name=value` text, or several readings. */
export type Shape =
  | { readonly kind: 'flat' }
  | { readonly kind: 'nested' }
  | { readonly kind: 'pairs' }
  | { readonly kind: 'batch'; readonly readings: number };

/** Certificates and keys as PEM. Without a CA, those of the system are trusted. */
export interface TlsTarget {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface Target {
  readonly host: string;
  readonly port: number;
  /** Absent: devices speak plain. */
  readonly tls?: TlsTarget;
}

export interface ReadBack {
  /** Each as host:port. */
  readonly brokers: readonly string[];
  readonly topic: string;
  /** Read during the load, which measures the latency to the consumer. False: read after it. */
  readonly live: boolean;
  readonly ssl: ConnectionOptions | undefined;
  readonly sasl:
    | {
        readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
        readonly username: string;
        readonly password: string;
      }
    | undefined;
}

/** How plain lines are divided, on the gateway's port for them. */
export type Framing = 'lf' | 'octet-counted';

/** How much the rate rises from step to step. */
export type Step = { readonly perSecond: number } | { readonly percent: number };

export interface LoadPlan {
  readonly target: Target;
  readonly connections: number;
  readonly processes: number;
  /** Messages a second over all connections; 0 = at full speed. */
  readonly rate: number;
  readonly step: Step | undefined;
  /** Milliseconds in which the connections are opened one by one; 0 = all before the load. */
  readonly rampMs: number;
  /** Milliseconds of load after the ramp. With steps, of each step. */
  readonly durationMs: number;
  /** Milliseconds at the start of the load in which latencies do not count. */
  readonly warmUpMs: number;
  /** Milliseconds between the reply to a device's write and its next write; undefined = the rate decides. */
  readonly thinkMs: number | undefined;
  /** Length of a line with its LF. */
  readonly sizeBytes: number;
  readonly shape: Shape;
  readonly linesPerWrite: number;
  /** Ask for confirmations. */
  readonly seq: boolean;
  /** Unconfirmed messages that a connection may have. */
  readonly window: number;
  /** Share of lines that the gateway must refuse, from 0 to below 1. */
  readonly badShare: number;
  readonly slowReaders: number;
  /** Share of connections that are closed in order and opened again each second. */
  readonly churn: number;
  readonly zipcodes: number;
  readonly token: string | undefined;
  /** Tags that each device identifies with; 0 = none. */
  readonly tags: number;
  /** Each device identifies with a `device_id`, its name in the records. */
  readonly deviceIds: boolean;
  /** Devices send plain lines: they do not identify, and nothing is answered. */
  readonly lines: Framing | undefined;
  readonly seed: number;
  /** Milliseconds without progress after which missing readings count as lost. */
  readonly settleMs: number;
  /** Milliseconds without Kafka after which loss counts as unknown. */
  readonly reconnectMs: number;
  /** Highest p99 allowed. */
  readonly maxP99Ms: number;
  readonly readBack: ReadBack | undefined;
}

export const readingsOf = (shape: Shape): number => (shape.kind === 'batch' ? shape.readings : 1);

/** Bytes for device, sequence number, time and checksum, however long the run is. */
export function smallestLine(shape: Shape): number {
  const LINE_BYTES = 50;
  const READING_BYTES = 100;
  return LINE_BYTES + READING_BYTES * readingsOf(shape);
}

export const largestLine = (shape: Shape): number => 40_000 * readingsOf(shape);

/** Slow readers are spread evenly over all devices, so every process has its share. */
export function isSlow(index: number, { slowReaders, connections }: LoadPlan): boolean {
  return (
    Math.floor(((index + 1) * slowReaders) / connections) > Math.floor((index * slowReaders) / connections)
  );
}

/** The devices of process `number`, of `of` processes. */
export function shareOf(connections: number, number: number, of: number): { first: number; end: number } {
  return {
    first: Math.floor((connections * number) / of),
    end: Math.floor((connections * (number + 1)) / of),
  };
}
