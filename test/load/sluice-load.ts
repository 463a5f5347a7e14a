// `sluice load` as a process.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LoadResult } from '../../load/report/result.ts';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const TIMEOUT_MS = 90_000;

export interface LoadRunOutput {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export async function sluiceLoad(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<LoadRunOutput> {
  const child = spawn(process.execPath, [MAIN, 'load', ...args], {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, err };
}

/** The same with the JSON file that it wrote. */
export async function measuredLoad(args: readonly string[]): Promise<LoadRunOutput & { result: LoadResult }> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-load-'));
  try {
    const file = join(directory, 'result.json');
    const output = await sluiceLoad([...args, '--json', file]);
    const text = await readFile(file, 'utf8').catch(() => {
      throw new Error(`no result:\n${output.out}${output.err}`);
    });
    return { ...output, result: JSON.parse(text) as LoadResult };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
