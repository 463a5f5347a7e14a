// The result of a scaling run, as in its JSON file.
import type { Circumstances } from '../report/circumstances.ts';
import { median } from '../statistics.ts';
import type { DimensionName } from './dimensions.ts';

/** One run of one point. */
export interface PointRun {
  /** Confirmed messages a second at full speed, after the warm-up. */
  readonly perSecond: number;
  /** CPU microseconds a message at full speed: user and system time of all processes of the gateway. */
  readonly cpuUs: number;
  /** Milliseconds from the due time of a message to its arrival at a consumer, at the paced rate. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Confirmed messages a second at the paced rate, from the first due message to the last confirmation. */
  readonly pacedPerSecond: number;
  /** Messages of both parts. All were proved to be in the topic. */
  readonly messages: number;
}

export interface PointResult {
  readonly value: number | string;
  /** True for the point that all dimensions share. */
  readonly base: boolean;
  /** Why it was not measured. */
  readonly skipped?: string;
  /** The successful runs. */
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

/** Undefined without runs. */
export function spreadOf({ runs }: PointResult, value: (run: PointRun) => number): Spread | undefined {
  const values = runs.map(value);
  if (values.length === 0) return undefined;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** Below this share a point builds up a queue, and its latency only shows how long the load was. */
const PACED_SHARE = 0.9;

/** A remark beside the figures of a point; may be empty. */
export function remarkOn(point: PointResult, { rate }: Pick<ScalingResult, 'rate'>): string {
  if (point.skipped !== undefined) return `not measured: ${point.skipped}`;
  const remarks: string[] = [];
  if (point.base) remarks.push('base');
  if (point.runs.some(({ pacedPerSecond }) => pacedPerSecond < PACED_SHARE * rate))
    remarks.push(`does not take ${rate.toLocaleString('en-US')}/s`);
  if (point.failures.length > 0) remarks.push(`failed runs: ${point.failures.length}`);
  return remarks.join('; ');
}
