// Reads a profile of `node --cpu-prof` and lists the functions that used the CPU time of the measured window.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { table } from '../report/report.ts';

/** The used part of the .cpuprofile format. Times are microseconds on the monotonic clock. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface SelfTime {
  readonly name: string;
  readonly where: string;
  readonly us: number;
}

const TOP = 30;
const IDLE = new Set(['(idle)', '(root)']);
const MODULE_PATH = /^.*\/(dist|node_modules)\//;

/** The table of the profile in `dir`, and its path. */
export async function profileReport(dir: string, windowUs: readonly [number, number]): Promise<string> {
  const [name] = (await readdir(dir)).filter((file) => file.endsWith('.cpuprofile')).sort();
  if (name === undefined) return `no CPU profile in ${dir}`;
  const path = join(dir, name);
  const times = selfTimes(JSON.parse(await readFile(path, 'utf8')) as CpuProfile, windowUs);
  const total = times.reduce((sum, { us }) => sum + us, 0);
  const rows = times
    .slice(0, TOP)
    .map(({ name, where, us }) => [`${((100 * us) / total).toFixed(1)} %`, name, where]);
  return `${table(['self', 'function', 'where'], rows)}\nOpen it in DevTools: ${path}`;
}

/** Self time of each function on the main thread, highest first, without idle time. */
export function selfTimes(profile: CpuProfile, [from, to]: readonly [number, number]): SelfTime[] {
  const byNode = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const byFunction = new Map<string, SelfTime>();
  let at = profile.startTime;
  profile.samples.forEach((id, index) => {
    at += profile.timeDeltas[index] ?? 0;
    const frame = byNode.get(id);
    if (frame === undefined || at < from || at > to || IDLE.has(frame.functionName)) return;
    const name = frame.functionName || '(anonymous)';
    const where = frame.url && `${frame.url.replace(MODULE_PATH, '')}:${frame.lineNumber + 1}`;
    const key = `${name} ${where}`;
    // A sample lasts until the next one.
    const us = (byFunction.get(key)?.us ?? 0) + (profile.timeDeltas[index + 1] ?? 0);
    byFunction.set(key, { name, where, us });
  });
  return [...byFunction.values()].sort((a, b) => b.us - a.us);
}
