// Asks before something is changed, on the terminal, which standard input has to be. Whatever is not yes means no.
import { createInterface } from 'node:readline/promises';
import { EXIT_USAGE } from '../config/exit-codes.ts';
import { say } from './output.ts';

interface Question {
  /** As `Remove 3 files?`. */
  readonly question: string;
  /** Said if nobody agrees, as `nothing was removed`. */
  readonly unchanged: string;
  /** --yes: nobody is asked. */
  readonly yes: boolean | undefined;
}

/** Resolves with undefined if somebody agrees, else with the exit code. */
export async function confirm({ question, unchanged, yes }: Question): Promise<number | undefined> {
  if (yes) return undefined;
  if (!process.stdin.isTTY) {
    say(`${unchanged}: there is no terminal to ask on. Use --yes`);
    return EXIT_USAGE;
  }
  if (await isYes(`${question} [y/N] `)) return undefined;
  say(unchanged);
  return 1;
}

async function isYes(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    // Ctrl-C and Ctrl-D mean no.
    const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
    const answer = await Promise.race([terminal.question(question), closed]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}
