#!/usr/bin/env node
// The program `sluice`. It finds the quick way: a gateway and its server processes start without the
// modules of the command line, which program.ts reads. It loads nothing that the command does not need. `#start/...` are
// the files of dist/bundle (decision 86).
import { setFlagsFromString } from 'node:v8';
import { surviveGoneTerminal } from './cli/gone-terminal.ts';
import { keepFilesPrivate } from './cli/private-files.ts';
import { endOnSignalsAsAnyProcess } from './cli/process-one.ts';
import { SERVER_PROCESS_ARGUMENTS } from './processes/server-process-flag.ts';

const NODE_VERSIONS = 'Sluice needs Node.js 20.19 or later, but not 21, and of 22 at least 22.3';

// Before the modules are loaded: V8 would give their short-lived objects 16 MiB, and keep them resident for a while.
// cli/heap.ts lets it grow later.
setFlagsFromString('--semi-space-growth-factor=1');
await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<void> {
  // A reader that has gone (`| head`, a dead log collector) must not end the process.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  // Without a listener, SIGUSR1 opens Node's inspector: code execution for any user of this machine.
  // Without one, SIGUSR2 ends the process: tools that rotate logs send it.
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => {});
  endOnSignalsAsAnyProcess();
  surviveGoneTerminal();
  const exitCode = await run(args);
  // exit() would lose text that is still in a pipe.
  if (exitCode !== undefined) process.exitCode = exitCode;
}

async function run(args: readonly string[]): Promise<number | undefined> {
  // Without it the files of dist/bundle cannot be loaded.
  if (typeof process.getBuiltinModule !== 'function') {
    process.stderr.write(`${NODE_VERSIONS}. This is ${process.version}.\n`);
    return (await import('./config/exit-codes.ts')).EXIT_SETTINGS;
  }
  const command = args.join(' ');
  if (command === SERVER_PROCESS_ARGUMENTS.join(' ') && process.send !== undefined) {
    const { startServerProcess } = await import('#start/server-process');
    startServerProcess();
    return undefined;
  }
  if (command === '' || command === 'serve') {
    keepFilesPrivate();
    return (await import('#start/gateway')).runServe({});
  }
  return (await import('./program.ts')).runProgram(args);
}
