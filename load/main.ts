#!/usr/bin/env node
// The program `sluice-load`: the same as `sluice load`, without the gateway.
import { CommanderError } from 'commander';
import { environment } from '../src/config/environment.ts';
import { EXIT_USAGE } from '../src/config/exit-codes.ts';
import { loadSettings } from '../src/config/load.ts';
import { packageVersion } from '../src/config/package-version.ts';
import { loadProgram } from './command/command.ts';
import type { LoadOptions } from './command/options.ts';
import { load } from './command/run.ts';

// A closed pipe, as of `| head`, must not end the load.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
let options: LoadOptions | undefined;
try {
  const program = loadProgram((chosen) => {
    options = chosen;
  });
  program.version(packageVersion(), '-v, --version', 'print the version').exitOverride().parse();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
}
// exitCode and not exit(): text that waits in a pipe must still get out.
if (options !== undefined)
  process.exitCode = await load(options, loadSettings({ env: environment(), dotenvPath: '.env' }));
