// Parses the command line with commander into a request for main.ts. It prints help, the version and usage errors, but
// starts nothing and reads no settings.
import { Command, CommanderError, Option } from 'commander';
import { addLoadCommand } from '../../load/command/command.ts';
import type { LoadOptions } from '../../load/command/options.ts';
import { EXIT_USAGE } from '../config/exit-codes.ts';
import { GROUPS } from '../config/settings.ts';
import { SERVER_PROCESS_FLAG } from '../processes/process-handle.ts';
import { addSpoolCommands, type SpoolCommand } from './spool/command.ts';

export type Request =
  | { readonly run: 'serve' | 'server-process' | 'print-config' }
  | { readonly run: 'spool'; readonly command: SpoolCommand }
  | { readonly run: 'load'; readonly options: LoadOptions }
  | { readonly run: 'nothing'; readonly exitCode: number };

/** @param args without node and script */
export function parseCommandLine(args: readonly string[], version: string): Request {
  let serve = false;
  let serverProcess = false;
  let spool: SpoolCommand | undefined;
  let load: LoadOptions | undefined;
  const program = new Command('sluice')
    .description('Takes newline JSON from devices over TCP and turns it into confirmed Kafka records.')
    .version(version, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .option('--print-config', 'print every setting with its value and origin; secrets stay hidden')
    .addHelpText('after', () => settingsHelp())
    .allowExcessArguments()
    .exitOverride()
    .action(() => {
      const [unknown] = program.args;
      if (unknown !== undefined) program.error(`error: unknown command '${unknown}', see sluice --help`);
      serve = true;
    });
  program
    .command('serve')
    .description('start the gateway; the default without a command')
    .allowExcessArguments(false)
    .helpOption('-h, --help', 'print this help')
    // The gateway starts its own server processes with this flag.
    .addOption(new Option(SERVER_PROCESS_FLAG).hideHelp())
    .action((options: { serverProcess?: true }) => {
      serve = true;
      serverProcess = options.serverProcess === true && process.send !== undefined;
    });
  addSpoolCommands(program, (command) => {
    spool = command;
  });
  addLoadCommand(program, (options) => {
    load = options;
  });

  try {
    program.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { run: 'nothing', exitCode: error.exitCode === 0 ? 0 : EXIT_USAGE };
  }
  if (spool !== undefined) return { run: 'spool', command: spool };
  if (load !== undefined) return { run: 'load', options: load };
  if (!serve) return { run: 'nothing', exitCode: 0 };
  if (serverProcess) return { run: 'server-process' };
  return { run: program.opts<{ printConfig?: true }>().printConfig ? 'print-config' : 'serve' };
}

function settingsHelp(): string {
  return `
Settings come from the environment and from .env in the working directory. The environment wins:
${Object.values(GROUPS)
  .map((title) => `  ${title}`)
  .join('\n')}
docs/configuration.md lists all settings with defaults and limits; .env.example is a file to copy.

Exit codes: 0 stopped in order, 1 failed start or hard stop, 64 wrong command line, 70 a bug, 78 wrong settings, or a spool that is in use or newer than this program`;
}
