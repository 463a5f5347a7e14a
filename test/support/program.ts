// Runs a program to its end and keeps its output: a compiled one of this project, without the environment of the test, or any
// other.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

const DIST = new URL('../../', import.meta.url);
const TIMEOUT_MS = 90_000;

export interface ProgramOutput {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory, by default the one for temporary files. */
  readonly cwd?: string;
  /** Called with everything printed so far, whenever it grows. */
  readonly onOutput?: (text: string, child: ChildProcess) => void;
}

/** @param file from dist, such as `src/main.js` */
export async function runProgram(
  file: string,
  args: readonly string[],
  { env = {}, cwd = tmpdir(), onOutput }: ProgramOptions = {},
): Promise<ProgramOutput> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(file, DIST)), ...args], {
    cwd,
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
  });
  return outputOf(child, onOutput);
}

/** Resolves when the program has ended and its output is complete. Rejects if it could not be started. */
export async function outputOf(
  child: ChildProcess,
  onOutput?: ProgramOptions['onOutput'],
): Promise<ProgramOutput> {
  const output = { out: '', err: '' };
  const keep = (name: 'out' | 'err') => (text: string) => {
    output[name] += text;
    onOutput?.(output.out + output.err, child);
  };
  child.stdout?.setEncoding('utf8').on('data', keep('out'));
  child.stderr?.setEncoding('utf8').on('data', keep('err'));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}
