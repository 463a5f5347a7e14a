// What a scaling run found out, as its JSON file has it.

import type { Circumstances } from '../report/circumstances.ts';
import { median } from '../statistics.ts';
import type { DimensionName } from './dimensions.ts';

/** One run of one point. */
export interface PointRun {
  /** Confirmed messages a second at full speed, after the warm-up. */
  readonly perSecond: number;
  /** Microseconds of the gateway's CPU, user and system of all processes, a message, meanwhile. */
  readonly cpuUs: number;
  /** Milliseconds from when a message was due to a consumer that has it, at the paced rate. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Confirmed messages a second at the paced rate, from the first that was due to the last confirmation. */
  readonly pacedPerSecond: number;
  /** Messages of both, each proved to be in the topic. */
  readonly messages: number;
}

export interface PointResult {
  readonly value: number | string;
  /** The point that all dimensions share. */
  readonly base: boolean;
  /** Why it was not measured. */
  readonly skipped?: string;
  /** Those that succeeded. */
  readonly runs: readonly PointRun[];
  readonly failures: readonly string[];
}

export interface DimensionResult {
  readonly name: DimensionName;
  readonly title: string;
  readonly setting?: string;
  readonly points: readonly PointResult[];
}

export interface ScalingResult {
  readonly kind: 'scaling';
  readonly circumstances: Circumstances;
  readonly runs: number;
  readonly seconds: number;
  /** Messages a second of the paced part. */
  readonly rate: number;
  readonly linesPerWrite: number;
  readonly dimensions: readonly DimensionResult[];
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Undefined where there is no run. */
export function spreadOf({ runs }: PointResult, value: (run: PointRun) => number): Spread | undefined {
  const values = runs.map(value);
  if (values.length === 0) return undefined;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** A point that confirms less of the paced rate works off a queue: its latency says how long the load was. */
const PACED_SHARE = 0.9;

/** What is to be said of a point besides its figures; empty where nothing. */
export function remarkOn(point: PointResult, { rate }: Pick<ScalingResult, 'rate'>): string {
  if (point.skipped !== undefined) return `not measured: ${point.skipped}`;
  const remarks: string[] = [];
  if (point.base) remarks.push('base');
  if (point.runs.some(({ pacedPerSecond }) => pacedPerSecond < PACED_SHARE * rate))
    remarks.push(`does not take ${rate.toLocaleString('en-US')}/s`);
  if (point.failures.length > 0) remarks.push(`failed runs: ${point.failures.length}`);
  return remarks.join('; ');
}
