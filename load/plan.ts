// What one run of the load is told to do, checked at the edge (cli/load) and then trusted. No I/O.
import type { ConnectionOptions } from 'node:tls';

/** One reading a message, one reading as `name=value` text, or so many readings a message. */
export type Shape =
  | { readonly kind: 'flat' }
  | { readonly kind: 'pairs' }
  | { readonly kind: 'batch'; readonly readings: number };

export interface Target {
  readonly host: string;
  readonly port: number;
}

export interface ReadBack {
  /** host:port each. */
  readonly brokers: readonly string[];
  readonly topic: string;
  /** Read while the load runs, which gives the latency to the consumer; false: afterwards. */
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

/** Raise the rate until it breaks. Exactly one of the two. */
export type Step = { readonly perSecond: number } | { readonly percent: number };

export interface LoadPlan {
  readonly target: Target;
  readonly connections: number;
  readonly processes: number;
  /** Messages a second over all connections; 0 = as fast as they are taken. */
  readonly rate: number;
  readonly step: Step | undefined;
  /** Milliseconds within which the connections are opened one after the other; 0 = at once, before the load. */
  readonly rampMs: number;
  /** Milliseconds of load after the ramp; of each step. */
  readonly durationMs: number;
  /** The first milliseconds after the ramp, whose latencies do not count. */
  readonly warmUpMs: number;
  /** Milliseconds between the answer to a device's write and its next write; undefined = the rate decides. */
  readonly thinkMs: number | undefined;
  /** Bytes of a line, with its LF. */
  readonly sizeBytes: number;
  readonly shape: Shape;
  readonly linesPerWrite: number;
  /** Ask for confirmations. */
  readonly seq: boolean;
  /** Messages that a connection may have unconfirmed. */
  readonly window: number;
  /** Share of lines that are to be refused, 0 to below 1. */
  readonly badShare: number;
  readonly slowReaders: number;
  /** Share of connections that are closed in order and opened again, a second. */
  readonly churn: number;
  readonly zipcodes: number;
  readonly token: string | undefined;
  readonly seed: number;
  /** Milliseconds without any progress after which what is missing counts as lost. */
  readonly settleMs: number;
  /** Milliseconds without a record from Kafka after which loss counts as unknown. */
  readonly reconnectMs: number;
  /** Milliseconds that p99 may be. */
  readonly maxP99Ms: number;
  readonly readBack: ReadBack | undefined;
}

export const readingsOf = (shape: Shape): number => (shape.kind === 'batch' ? shape.readings : 1);

/** Bytes that a line needs for device, sequence, time and checksum, at any length of the run. */
export function smallestLine(shape: Shape): number {
  const LINE_BYTES = 50;
  const READING_BYTES = 100;
  return LINE_BYTES + READING_BYTES * readingsOf(shape);
}

export const largestLine = (shape: Shape): number => 40_000 * readingsOf(shape);

/** Device `index` of all: which of them read slowly. Spread evenly, so that every process has its part. */
export function isSlow(index: number, { slowReaders, connections }: LoadPlan): boolean {
  return (
    Math.floor(((index + 1) * slowReaders) / connections) > Math.floor((index * slowReaders) / connections)
  );
}

/** The part of all devices that process `number` of `of` has. */
export function shareOf(connections: number, number: number, of: number): { first: number; end: number } {
  return {
    first: Math.floor((connections * number) / of),
    end: Math.floor((connections * (number + 1)) / of),
  };
}
