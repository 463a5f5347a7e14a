// What JSON.parse of the bench's lines costs here and now: the unit in which the server's cost is stated.

import { Child } from '../../load/processes/child.ts';
import type { PoolOptions } from '../devices/lines.ts';
import type { JsonParseCalls } from './json-parse-worker.ts';

/** CPU microseconds a line, several rounds of one fresh process. */
export async function jsonParseCost(lines: PoolOptions, signal: AbortSignal): Promise<number[]> {
  const worker = parser(signal);
  try {
    return await worker.call('measure', lines);
  } finally {
    await worker.stop();
  }
}

/**
 * Does `work` and samples meanwhile what JSON.parse costs beside it. Where two busy cores share something, as
 * virtual ones do, it is more than on the quiet machine, and so is everything the server does.
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
