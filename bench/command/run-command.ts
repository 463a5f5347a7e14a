// The end of every command that measures: an interrupt and what can be expected to go wrong are no stack traces.
import type { Command } from 'commander';

const EXIT_INTERRUPTED = 130;

/** An error that the caller can do something about, its message all there is to tell. */
type Expected = new (...args: never[]) => Error;

/**
 * Parses the command line and runs what it asks for.
 * @param interrupt aborted by a signal: whatever is thrown afterwards is its consequence
 * @param expected exit code by error; the rest are bugs or a broker that would not start, where the whole error helps
 */
export async function runCommand(
  program: Command,
  interrupt: AbortSignal,
  expected: readonly (readonly [Expected, exitCode: number])[],
): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    if (interrupt.aborted) {
      process.exitCode = EXIT_INTERRUPTED;
      return;
    }
    const known = expected.find(([kind]) => error instanceof kind);
    if (known === undefined) throw error;
    console.error((error as Error).message);
    process.exitCode = known[1];
  }
}
