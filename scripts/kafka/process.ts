// Runs child processes with a time limit, and ends children whose parent was killed.
import { type ChildProcess, execFile, spawn } from 'node:child_process';

export interface RunResult {
  readonly exitCode: number | undefined;
  readonly stdout: Buffer;
  readonly stderr: string;
  /** True when the command was killed because its time was up. */
  readonly timedOut: boolean;
}

const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/** Runs a command to its end, or for `timeoutMs`. Never rejects: a command that cannot start has no exit code. */
export function run(command: string, args: readonly string[], timeoutMs: number): Promise<RunResult> {
  return new Promise((resolve) => {
    const options = {
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      maxBuffer: MAX_OUTPUT_BYTES,
      encoding: 'buffer',
    } as const;
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : undefined;
      const unstarted = child.pid === undefined && error ? error.message : '';
      resolve({ exitCode, stdout, stderr: stderr.toString() + unstarted, timedOut: error?.killed === true });
    });
    child.stdin?.end();
  });
}

/** Runs a command that its user waits for, with its output on stderr. Resolves with the exit code. */
export function runVisibly(command: string, args: readonly string[]): Promise<number | undefined> {
  return exitOf(spawn(command, args, { stdio: ['ignore', 2, 2] }));
}

export function exitOf(child: ChildProcess): Promise<number | undefined> {
  return new Promise((resolve) => {
    child.once('error', () => resolve(undefined));
    child.once('exit', (code) => resolve(code ?? undefined));
  });
}

/**
 * Runs `command` if this process dies without cleaning up, as by kill -9. A shell waits on a pipe, which the kernel
 * closes when this process ends. Returns a function that cancels it. Does nothing on Windows, which has no sh.
 */
export function onParentDeath(command: readonly string[]): () => void {
  const shell = spawn('sh', ['-c', 'read -r _; exec "$@"', 'sh', ...command], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // A process group of its own, or Ctrl-C would end it.
    detached: true,
  });
  shell.on('error', () => {});
  shell.stdin.on('error', () => {});
  shell.unref();
  // It is a socket, although its type is a plain stream.
  (shell.stdin as unknown as { unref?: () => void }).unref?.();
  return () => shell.kill('SIGKILL');
}
