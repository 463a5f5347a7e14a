// npm run test:nodes [-- VERSION ...] [--suite unit]: the tests on each major version of Node that we support.
// The npm package `node` brings them. Prints a table; exits with 1 if a run failed.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { textTable } from '../docs/markdown.ts';
import { interrupted, runToEnd } from './command.ts';

/** engines in package.json names the oldest. .nvmrc names the recommended one. */
const VERSIONS = ['20', '22', '24', '26'];
const RUN = fileURLToPath(new URL('../../../scripts/run.mjs', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { suite: { type: 'string', default: 'all' } },
});
process.exitCode = await main(positionals.length > 0 ? positionals : VERSIONS);

async function main(versions: readonly string[]): Promise<number> {
  const rows: string[][] = [];
  for (const version of versions) {
    if (interrupted.aborted) break;
    const from = performance.now();
    const code = await runOn(version, [RUN, values.suite === 'unit' ? 'test:unit' : 'test']);
    rows.push([version, code === 0 ? 'ok' : 'FAILED', `${((performance.now() - from) / 1000).toFixed(0)} s`]);
  }
  console.log(`\n${textTable(['Node', 'result', 'time'], rows)}`);
  return rows.length === versions.length && rows.every(([, result]) => result === 'ok') ? 0 : 1;
}

function runOn(version: string, args: readonly string[]): Promise<number> {
  console.error(`\nNode ${version}`);
  // The directory of package.json would be searched for `node` first.
  const prefix = fileURLToPath(new URL('../../../', import.meta.url));
  return runToEnd([
    'npm',
    'exec',
    '--yes',
    '--prefix',
    join(prefix),
    `--package=node@${version}`,
    '--',
    'node',
    ...args,
  ]);
}
