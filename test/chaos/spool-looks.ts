// Looks into SPOOL_DIR, by `sluice spool ls` and by the names of files and folders.
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const LS_TIMEOUT_MS = 30_000;

/** The readings of all topics and processes. May be called while the gateway runs. */
export async function recordsLeft(directory: string): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, 'spool', 'ls', '--json'], {
    env: { PATH: process.env.PATH ?? '', SPOOL_DIR: directory },
    timeout: LS_TIMEOUT_MS,
  });
  return (JSON.parse(stdout) as { total: { records: number } }).total.records;
}

/** The folders of server processes that no longer run. */
export function formerParts(directory: string, processes: number): string[] {
  return readdirSync(directory).filter(
    (name) => Number(/^process-(\d+)$/.exec(name)?.[1] ?? -1) >= processes,
  );
}

/** The records in the first process's spool that wait for their partition. */
export interface Placing {
  /** The plan of the copy that is under way. Each chunk has a new one. */
  readonly plan: string | undefined;
  /** Bytes in the logs that records are copied from: without a partition, or of a removed partition. */
  readonly sourceBytes: number;
  /** Bytes of these in the logs of removed partitions. */
  readonly goneBytes: number;
}

export function lookAtPlacing(directory: string, topic: string): Placing {
  const plan = join(directory, `${topic}.placing`);
  const bytesIn = (start: string) =>
    readdirSync(directory)
      .filter((name) => name.startsWith(start))
      .reduce((sum, name) => sum + segmentBytes(join(directory, name)), 0);
  return {
    plan: existsSync(plan) ? readFileSync(plan, 'latin1') : undefined,
    sourceBytes: bytesIn(`${topic}~`),
    goneBytes: bytesIn(`${topic}~gone-`),
  };
}

function segmentBytes(directory: string): number {
  try {
    const segments = readdirSync(directory).filter((name) => name.endsWith('.log'));
    return segments.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  } catch {
    // It was drained and removed meanwhile.
    return 0;
  }
}
