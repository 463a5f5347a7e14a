// `sluice load` and `sluice-load` as processes.
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoadResult } from '../../load/report/result.ts';
import { type ProgramOutput, runProgram } from '../support/program.ts';

type Env = Readonly<Record<string, string>>;

export const sluiceLoad = (args: readonly string[], env: Env = {}): Promise<ProgramOutput> =>
  runProgram('src/main.js', ['load', ...args], { env });

export const ownProgram = (args: readonly string[]): Promise<ProgramOutput> =>
  runProgram('load/main.js', args);

/** Runs `sluice load` and reads its JSON file. Rejects if there is none. @param more further options, as in a shell */
export async function measuredLoad(
  args: readonly string[],
  more: string,
): Promise<ProgramOutput & { result: LoadResult }> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-load-'));
  try {
    const file = join(directory, 'result.json');
    const output = await sluiceLoad([...args, ...more.split(' '), '--json', file]);
    const text = await readFile(file, 'utf8').catch(() => {
      throw new Error(`no result:\n${output.out}${output.err}`);
    });
    return { ...output, result: JSON.parse(text) as LoadResult };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
