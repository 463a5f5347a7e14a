// Runs `sluice completion`, which prints the script of a shell, and `sluice complete`, which the script calls with the words
// of the line. @bomb.sh/tab finds the proposals in commander's definitions. Paths are left to the shell.
import { ShellCompDirective, script } from '@bomb.sh/tab';
import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';
import type { Context } from '../command.ts';
import { BASH_SCRIPT } from './bash.ts';
import { SHELLS, type Shell } from './command.ts';

export async function printScript(shell: Shell): Promise<number> {
  if (shell === 'bash') process.stdout.write(`${BASH_SCRIPT}\n`);
  else script(shell, 'sluice', 'sluice');
  return 0;
}

/** @param words behind `sluice`; the last one is being written, and may be empty */
export async function complete(words: readonly string[], { commandLine }: Context): Promise<number> {
  const program = await commandLine(words);
  if (takesPath(program, words.at(-2))) {
    process.stdout.write(`:${ShellCompDirective.ShellCompDirectiveDefault}\n`);
    return 0;
  }
  const root = tab(program, { completionCommandName: 'completion' });
  const completion = root.commands.get('completion');
  completion?.argument('shell', (propose) => {
    for (const shell of SHELLS) propose(shell, '');
  });
  root.parse([...words]);
  return 0;
}

/** Whether the word names an option whose value is a path. */
function takesPath(program: Command, word = ''): boolean {
  const options = [program, ...program.commands.flatMap((one) => [one, ...one.commands])].flatMap(
    (one) => one.options,
  );
  return options.some(
    (option) => [option.short, option.long].includes(word) && /<(?:file|path|directory)>/.test(option.flags),
  );
}
