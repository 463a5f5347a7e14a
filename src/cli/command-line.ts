// Parses the command line with commander, and finds the command to run. It prints help, the version and usage errors, but
// starts nothing and reads no settings.
import { Command, CommanderError, Option } from 'commander';
import { distance } from 'fastest-levenshtein';
import { EXIT_CODES, EXIT_USAGE } from '../config/exit-codes.ts';
import { GROUPS } from '../config/groups.ts';
import { pathOfPage } from '../config/pages.ts';
import type { CommandEntry, Run } from './command.ts';
import type { ProgramOptions } from './serve-command.ts';

export interface CommandTable {
  readonly version: string;
  readonly commands: readonly CommandEntry[];
  /** Runs without a command. */
  readonly byDefault: (options: ProgramOptions) => Run;
}

/** Wrong letters in the name of a command that is proposed all the same. */
const MAX_EDITS = 2;

/**
 * @param args without node and script
 * @returns a number as the exit code, if nothing is to be run
 */
export async function parseCommandLine(
  args: readonly string[],
  { version, commands, byDefault }: CommandTable,
): Promise<Run | number> {
  let run: Run | undefined;
  const choose = (chosen: Run) => {
    run = chosen;
  };
  const program = programOf(version, commands)
    .hook('preSubcommand', (_program, one) => define(one, commands, choose))
    .allowExcessArguments()
    .action(() => {
      const [unknown] = program.args;
      if (unknown !== undefined) program.error(unknownText(unknown, commands));
      choose(byDefault(program.opts<ProgramOptions>()));
    });
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : EXIT_USAGE;
  }
  return run ?? 0;
}

/** The command line for the shell completion, whose package adds its own commands. It runs nothing. */
export async function commandLineFor(
  words: readonly string[],
  { version, commands }: Omit<CommandTable, 'byDefault'>,
): Promise<Command> {
  const others = commands.filter(({ name, isHidden }) => name !== 'completion' && !isHidden);
  const program = programOf(version, others);
  const named = program.commands.find((one) => words.includes(one.name()));
  if (named !== undefined) await define(named, commands, () => {});
  return program;
}

function programOf(version: string, commands: readonly CommandEntry[]): Command {
  const program = new Command('sluice')
    .description('Takes newline JSON from devices over TCP and turns it into confirmed Kafka records.')
    .version(version, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .option('--print-config', 'print every setting with its value and origin; secrets stay hidden')
    // For scripts/run.mjs, which knows that npm started it.
    .addOption(new Option('--stop-with-parent <pid>').argParser(Number).hideHelp())
    .addHelpText('after', settingsHelp)
    .allowExcessArguments(false)
    .exitOverride();
  // Commands inherit the settings above, such as the help option, so they are added last.
  for (const { name, about, isHidden = false } of commands)
    program.command(name, { hidden: isHidden }).description(about).helpCommand(false);
  return program;
}

async function define(
  one: Command,
  commands: readonly CommandEntry[],
  chosen: (run: Run) => void,
): Promise<void> {
  await commands.find(({ name }) => name === one.name())?.define(one, chosen);
}

function unknownText(word: string, commands: readonly CommandEntry[]): string {
  const near = commands
    .filter(({ name, isHidden }) => !isHidden && isNear(word, name))
    .map(({ name }) => name);
  const proposal = near.length === 0 ? 'see sluice --help' : `did you mean ${near.join(' or ')}?`;
  return `error: unknown command '${word}', ${proposal}`;
}

/** A slip of the fingers, or the beginning of the name. */
function isNear(word: string, name: string): boolean {
  return (
    distance(word, name) <= Math.min(MAX_EDITS, name.length / 2) || (word.length > 1 && name.startsWith(word))
  );
}

function settingsHelp(): string {
  return `
Settings come from the environment and from .env in the working directory. The environment wins:
${Object.values(GROUPS)
  .map((title) => `  ${title}`)
  .join('\n')}
${pathOfPage('docs/configuration.md')} lists all settings with defaults and limits; ${pathOfPage('.env.example')} is a file to copy.

Exit codes:
${EXIT_CODES.map(({ code, when }) => `  ${String(code).padEnd(3)} ${when}`).join('\n')}`;
}
