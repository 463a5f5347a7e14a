// The command `npm run conformance`: holds a gateway to docs/protocol.md, and knows nothing else of it.
import { NoConnection } from './client/dial.ts';
import { type Options, parseOptions, USAGE, UsageError } from './options.ts';
import { NotChecked } from './outcome.ts';
import { jsonReport, textReport } from './report.ts';
import { checkAll, chosenRules, Refused } from './run.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args);
    if (options === 'help') {
      console.log(USAGE);
      return 0;
    }
    return await run(options);
  } catch (error) {
    if (error instanceof UsageError) console.error(`${error.message}\nnpm run conformance -- --help`);
    else if ([NoConnection, NotChecked, Refused].some((kind) => error instanceof kind))
      console.error((error as Error).message);
    else throw error;
    return EXIT_USAGE;
  }
}

async function run(options: Options): Promise<number> {
  const rules = chosenRules(options);
  if (rules.length === 0) throw new UsageError(`there is no rule ${options.only.join(', ')}: see --list`);
  if (options.list) {
    for (const { id, section, says, isSlow } of rules)
      console.log(`${id}  [${section}]  ${says}${isSlow ? ' (--slow)' : ''}`);
    return 0;
  }
  const results = await checkAll(options);
  console.log(options.isJson ? jsonReport(results) : textReport(results));
  return results.some(({ result }) => result === 'failed') ? EXIT_FAILED : 0;
}
