// `npm run simulate` without mutants: its options, and the session that they ask for.
import { FAULTS } from './faults/table.ts';
import { parseOptions, type SimulateOptions, USAGE } from './options.ts';
import { runSession } from './session.ts';

/** Resolves with the exit code. */
export async function runCommand(args: readonly string[]): Promise<number> {
  let options: SimulateOptions | undefined;
  try {
    options = parseOptions(args);
  } catch (error) {
    console.error(`${(error as Error).message}\nnpm run simulate -- --help lists the options`);
    return 2;
  }
  if (options === undefined) {
    console.log([USAGE, ...FAULTS.map(({ name }) => `  ${name}`)].join('\n'));
    return 0;
  }
  return runSession(options, (text) => console.log(text));
}
