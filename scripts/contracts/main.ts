// `npm run contracts -- DIRECTORY`: writes the contracts of a gateway with the settings of the environment and of .env, as the
// gateway itself would read them. docs/contracts has those of the default settings.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { loadSettings } from '../../src/config/load.ts';
import type { Places } from './asyncapi.ts';
import { contractFiles } from './files.ts';
import { rulesOf } from './rules.ts';

const USAGE = 'Usage: npm run contracts -- DIRECTORY';

process.exitCode = main();

function main(): number {
  const { help, names } = argumentsOf() ?? { help: false, names: [] };
  const [directory, ...others] = names;
  if (help) {
    console.log(`${USAGE}\nWrites JSON Schema and AsyncAPI for the settings of the environment and of .env.`);
    return 0;
  }
  if (directory === undefined || others.length > 0) {
    console.error(USAGE);
    return 2;
  }
  const loaded = loadSettings({ env: process.env, dotenvPath: '.env' });
  if (!loaded.ok) {
    for (const problem of loaded.problems) console.error(problem);
    return 78;
  }
  const { settings } = loaded;
  const own = { rules: rulesOf(settings), places: ((name) => settings[name]) satisfies Places };
  for (const [file, text] of Object.entries(contractFiles(`${directory}/`, own))) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(`wrote ${file}`);
  }
  return 0;
}

/** Undefined if there is an option that it does not have. */
function argumentsOf(): { readonly help: boolean; readonly names: readonly string[] } | undefined {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { help: { type: 'boolean', default: false, short: 'h' } },
    });
    return { help: values.help, names: positionals };
  } catch {
    return undefined;
  }
}
