// Runs child processes for the local Kafka: commands with a time limit, and children that end with a killed parent.
import { type ChildProcess, execFile, spawn } from 'node:child_process';

export interface RunResult {
  readonly exitCode: number | undefined;
  readonly stdout: Buffer;
  readonly stderr: string;
  /** The command was killed at its time limit. */
  readonly timedOut: boolean;
}

const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/** Runs a command for `timeoutMs` at most. Never rejects: a command that cannot be started has no exit code. */
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

/** Runs a command whose output goes to stderr, for a user who waits for it. Resolves with the exit code. */
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
 * Runs `command` if this process is killed before it can clean up, as by kill -9. A shell waits for the end of a pipe,
 * which the kernel closes with this process. Returns a function that cancels this. Does nothing on Windows (no sh).
 */
export function onParentDeath(command: readonly string[]): () => void {
  const shell = spawn('sh', ['-c', 'read -r _; exec "$@"', 'sh', ...command], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // A process group of its own, because Ctrl-C would end it otherwise.
    detached: true,
  });
  shell.on('error', () => {});
  shell.stdin.on('error', () => {});
  shell.unref();
  // In fact it is a socket, although its type is a plain stream.
  (shell.stdin as unknown as { unref?: () => void }).unref?.();
  return () => shell.kill('SIGKILL');
}
