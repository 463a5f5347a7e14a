// Runs one command and passes signals on to it, so that it ends before its parent does.
import { type ChildProcess, spawn } from 'node:child_process';

let child: ChildProcess | undefined;
const interruption = new AbortController();
/** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
export const interrupted = interruption.signal;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    interruption.abort();
    child?.kill(signal);
  });
}

/** Resolves with the exit code; 1 if a signal ended the command. */
export function runToEnd(
  [command = '', ...args]: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  const { NODE_TEST_CONTEXT: _, ...ownEnv } = env;
  return new Promise((resolve, reject) => {
    // Without NODE_TEST_CONTEXT: with it, a runner started by a test would print Node's internal format.
    child = spawn(command, args, { stdio: 'inherit', env: ownEnv });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
