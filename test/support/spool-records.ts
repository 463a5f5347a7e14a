// Reads the records of a spool directory with `sluice spool cat`.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ReadBack } from '../e2e/fleet.ts';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const MAX_OUTPUT_BYTES = 2 ** 29;

interface CatLine {
  readonly process?: number;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string;
  readonly value: string;
}

/** Every record in the directory, including all processes' parts. Each part has its own offsets. */
export async function spoolRecords(directory: string): Promise<ReadBack[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, 'spool', 'cat'], {
    env: { PATH: process.env.PATH ?? '', SPOOL_DIR: directory },
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const { partition, offset, timestamp, key, value } = JSON.parse(line) as CatLine;
    return { partition, offset, timestamp, key: Buffer.from(key), value: Buffer.from(value) };
  });
}
