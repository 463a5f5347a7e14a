// Errors that a command expects have a code. Any other one is a bug, and its stack is wanted.
import { say } from './output.ts';

/** Says its message, and returns the exit code. Throws the error if it has no code. */
export function sayExpected(error: unknown): number {
  const { code, exitCode, message } = error as { code?: unknown; exitCode?: unknown; message: string };
  if (typeof code !== 'string') throw error;
  say(message);
  return typeof exitCode === 'number' ? exitCode : 1;
}
