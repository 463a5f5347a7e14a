// A command: its name, the module with its options, and the module that runs it. Both are imported when the command is
// used, so that a command never loads the code of another one.
import type { Command } from 'commander';
import { keepFilesPrivate } from './private-files.ts';

export interface Context {
  /** Of the program. */
  readonly version: string;
  /** All commands but that of the completion itself, with the options of the one that `words` name. */
  readonly commandLine: (words: readonly string[]) => Promise<Command>;
}

/** Resolves with the exit code. Undefined: the command goes on, and sets its exit code at its end. */
export type Run = (context: Context) => Promise<number | undefined>;

/** Adds options and subcommands to a command. `chosen` is called while the command line is parsed. */
export type Define<Wish> = (command: Command, chosen: (wish: Wish) => void) => void;

interface Parts<Wish> {
  readonly name: string;
  readonly about: string;
  readonly options: () => Promise<Define<Wish>>;
  readonly run: () => Promise<(wish: Wish, context: Context) => Promise<number | undefined>>;
  readonly isHidden?: true;
  /** Its files are for everybody. Other commands write device data and secrets, which are for their owner only. */
  readonly keepsUmask?: true;
}

/** A command without the type of its options. */
export interface CommandEntry extends Pick<Parts<never>, 'name' | 'about' | 'isHidden'> {
  readonly define: (command: Command, chosen: (run: Run) => void) => Promise<void>;
}

/** A command that the table can hold, and that can be run without a command line. */
export interface TypedCommand<Wish> extends CommandEntry {
  readonly runWith: (wish: Wish) => Run;
}

export function command<Wish>(parts: Parts<Wish>): TypedCommand<Wish> {
  const { name, about, isHidden, keepsUmask } = parts;
  const runWith =
    (wish: Wish): Run =>
    async (context) => {
      if (!keepsUmask) keepFilesPrivate();
      return (await parts.run())(wish, context);
    };
  return {
    name,
    about,
    ...(isHidden && { isHidden }),
    define: async (one, chosen) => (await parts.options())(one, (wish) => chosen(runWith(wish))),
    runWith,
  };
}
