// What lies in SPOOL_DIR, as `sluice spool ls` and the names of files and folders tell.
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const LS_TIMEOUT_MS = 30_000;

/** Readings of all topics and all processes. Also while the gateway runs. */
export async function recordsLeft(directory: string): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, 'spool', 'ls', '--json'], {
    env: { PATH: process.env.PATH ?? '', SPOOL_DIR: directory },
    timeout: LS_TIMEOUT_MS,
  });
  return (JSON.parse(stdout) as { total: { records: number } }).total.records;
}

/** Folders of server processes that do not run any more. */
export function formerParts(directory: string, processes: number): string[] {
  return readdirSync(directory).filter(
    (name) => Number(/^process-(\d+)$/.exec(name)?.[1] ?? -1) >= processes,
  );
}

/** The spool of the first process, as far as records wait there for their partition. */
export interface Placing {
  /** The plan of the copy into the partitions' logs that is under way: a new one for each chunk of records. */
  readonly plan: string | undefined;
  /** In the logs that records are copied from: those of no partition, and of partitions that the topic lost. */
  readonly sourceBytes: number;
  /** Of that, in the logs of partitions that the topic lost. */
  readonly goneBytes: number;
}

export function lookAtPlacing(directory: string, topic: string): Placing {
  const bytesIn = (start: string) =>
    readdirSync(directory)
      .filter((name) => name.startsWith(start))
      .reduce((sum, name) => sum + segmentBytes(join(directory, name)), 0);
  return {
    plan: planIn(join(directory, `${topic}.placing`)),
    sourceBytes: bytesIn(`${topic}~`),
    goneBytes: bytesIn(`${topic}~gone-`),
  };
}

function planIn(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'latin1') : undefined;
}

function segmentBytes(directory: string): number {
  try {
    const segments = readdirSync(directory).filter((name) => name.endsWith('.log'));
    return segments.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  } catch {
    // Used up and removed meanwhile.
    return 0;
  }
}
