#!/usr/bin/env node
// The program `sluice`: reads the command line and runs the command. It loads nothing that the command does not need.
import { commandLineFor, parseCommandLine } from './cli/command-line.ts';
import { surviveGoneTerminal } from './cli/gone-terminal.ts';
import { endOnSignalsAsAnyProcess } from './cli/process-one.ts';
import { COMMANDS, SERVE } from './commands.ts';
import { packageVersion } from './config/package-version.ts';

await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<void> {
  // A reader that has gone (`| head`, a dead log collector) must not end the process.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  // Without a listener, SIGUSR1 opens Node's inspector: code execution for any user of this machine.
  // Without one, SIGUSR2 ends the process: tools that rotate logs send it.
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => {});
  endOnSignalsAsAnyProcess();
  surviveGoneTerminal();
  const table = { version: packageVersion(), commands: COMMANDS };
  const run = await parseCommandLine(args, { ...table, byDefault: SERVE.runWith });
  const context = {
    version: table.version,
    commandLine: (words: readonly string[]) => commandLineFor(words, table),
  };
  // exit() would lose text that is still in a pipe.
  const exitCode = typeof run === 'number' ? run : await run(context);
  if (exitCode !== undefined) process.exitCode = exitCode;
}
