// Measures all points in turns, so that a slow minute of the machine affects all of them.
import {
  BASE,
  DIMENSIONS,
  type Dimension,
  type DimensionName,
  keyOf,
  obstacleTo,
  type Point,
  pointAt,
} from './dimensions.ts';
import { type MeasureOptions, measurePoint } from './measure.ts';
import type { DimensionResult, PointResult, PointRun } from './result.ts';

interface Measured {
  readonly point: Point;
  readonly name: string;
  readonly skipped: string | undefined;
  readonly runs: PointRun[];
  readonly failures: string[];
}

/** Rejects only if the signal is aborted. Other failures are printed and kept with their point. */
export async function measureAll(
  only: readonly DimensionName[],
  runs: number,
  options: MeasureOptions,
): Promise<DimensionResult[]> {
  const wanted = DIMENSIONS.filter(({ name }) => only.includes(name));
  const points = pointsOf(wanted);
  for (const { name, skipped } of points.values())
    if (skipped !== undefined) console.log(`${name}: not measured: ${skipped}`);
  for (let run = 1; run <= runs; run++) {
    for (const measured of points.values())
      if (measured.skipped === undefined) await measureOnce(measured, `run ${run} of ${runs}`, options);
  }
  return wanted.map((dimension) => resultOf(dimension, points));
}

/** Each point once, even if several dimensions share it. */
function pointsOf(dimensions: readonly Dimension[]): ReadonlyMap<string, Measured> {
  const points = new Map<string, Measured>();
  for (const dimension of dimensions) {
    for (const value of dimension.values) {
      const point = pointAt(dimension, value);
      const key = keyOf(point);
      if (points.has(key)) continue;
      const name = key === keyOf(BASE) ? 'base' : `${dimension.name} ${value}`;
      points.set(key, { point, name, skipped: obstacleTo(point), runs: [], failures: [] });
    }
  }
  return points;
}

async function measureOnce(measured: Measured, which: string, options: MeasureOptions): Promise<void> {
  const { point, name, runs, failures } = measured;
  try {
    const run = await measurePoint(point, options);
    runs.push(run);
    const { perSecond, cpuUs, p99Ms } = run;
    console.log(
      `${name}, ${which}: ${Math.round(perSecond).toLocaleString('en-US')} messages/s, ${cpuUs.toFixed(2)} us, p99 ${p99Ms.toFixed(1)} ms`,
    );
  } catch (error) {
    options.signal.throwIfAborted();
    const message = error instanceof Error ? error.message : String(error);
    failures.push(message);
    console.error(`FAILED  ${name}, ${which}: ${message}`);
  }
}

function resultOf(dimension: Dimension, points: ReadonlyMap<string, Measured>): DimensionResult {
  const { name, title, setting, values } = dimension;
  const base = keyOf(BASE);
  const results = values.map((value): PointResult => {
    const key = keyOf(pointAt(dimension, value));
    const { skipped, runs, failures } = points.get(key) as Measured;
    return { value, base: key === base, ...(skipped !== undefined && { skipped }), runs, failures };
  });
  return { name, title, ...(setting !== undefined && { setting }), points: results };
}
