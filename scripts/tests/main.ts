// The command line of the tests. What the suites are is said in suites.ts.
//   npm test                 everything but the measuring tests
//   npm test -- framer       the files whose path contains "framer", of every kind
//   npm run test:unit        what needs no Kafka and is quick; with --watch again after each change
//   npm run test:bench       the measuring tests, one file at a time
//   npm run test:long        the rounds and histories for which npm test has no time
import { parseArgs } from 'node:util';
import { runTests, select, suiteOf } from './suites.ts';
import { watch } from './watch.ts';

const { values, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: {
    suite: { type: 'string', default: 'all' },
    watch: { type: 'boolean', default: false },
    'test-name-pattern': { type: 'string', multiple: true, default: [] },
  },
});
process.exitCode = await main();

async function main(): Promise<number> {
  const suite = suiteOf(values.suite);
  const namePatterns = values['test-name-pattern'];
  if (values.watch) return watch(suite, { filters, namePatterns });
  const files = select(suite, filters);
  if (files.length > 0) return runTests(files, { suite, namePatterns, isWhole: filters.length === 0 });
  console.error(`No test file's path contains ${filters.join(' or ')}.`);
  return 1;
}
