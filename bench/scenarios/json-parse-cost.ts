// Measures the cost of JSON.parse for the bench's lines: the unit for the server's cost.
import { Child } from '../../load/processes/child.ts';
import type { PoolOptions } from '../devices/lines.ts';
import type { JsonParseCalls } from './json-parse-worker.ts';

/** CPU microseconds a line, one value for each round in a fresh process. */
export async function jsonParseCost(lines: PoolOptions, signal: AbortSignal): Promise<number[]> {
  const worker = parser(signal);
  try {
    return await worker.call('measure', lines);
  } finally {
    await worker.stop();
  }
}

/**
 * Runs `work` and samples the cost of JSON.parse meanwhile. Busy cores that share hardware, as virtual ones do, are
 * slower than on a quiet machine, for JSON.parse as for the server.
 */
export async function jsonParseCostDuring<T>(
  lines: PoolOptions,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly us: number }> {
  const worker = parser(signal);
  try {
    await worker.call('begin', lines);
    const result = await work();
    return { result, us: await worker.call('end', null) };
  } finally {
    await worker.stop();
  }
}

const parser = (signal: AbortSignal) =>
  new Child<JsonParseCalls>(new URL('json-parse-worker.js', import.meta.url), { signal });
