// Runs the command that a command line names.
import { commandLineFor, parseCommandLine } from './cli/command-line.ts';
import { COMMANDS, SERVE } from './commands.ts';
import { packageVersion } from './config/package-version.ts';

/** Resolves with the exit code, or with undefined once a gateway is up. */
export async function runProgram(args: readonly string[]): Promise<number | undefined> {
  const table = { version: packageVersion(), commands: COMMANDS };
  const run = await parseCommandLine(args, { ...table, byDefault: SERVE.runWith });
  const context = {
    version: table.version,
    commandLine: (words: readonly string[]) => commandLineFor(words, table),
  };
  return typeof run === 'number' ? run : await run(context);
}
