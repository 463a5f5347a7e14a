// Writes what the docs repeat from the code and from measurements: docs/configuration.md, .env.example, the table of
// reply codes in docs/protocol.md, and from docs/benchmarks.json that page and the README's table. With --check it writes nothing and exits 1 where a file differs. `npm run docs` runs it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { CODE_NAMES, CODES, isFatal } from '../src/protocol/codes.ts';
import { benchSection, readmeTable } from './bench/benchmarks-page.ts';
import { parseBenchFile } from './bench/results-file.ts';
import { configurationPage, envExample } from './docs-settings.ts';
import { textTable } from './report/markdown.ts';
import { withSection } from './report/section.ts';

const root = new URL('../../', import.meta.url);
const check = process.argv.includes('--check');

const BENCHMARKS = 'docs/benchmarks.json';
const benchmarks = parseBenchFile(read(BENCHMARKS) ?? '', BENCHMARKS);

const files: Record<string, string | undefined> = {
  'docs/configuration.md': configurationPage(),
  '.env.example': envExample(),
  'docs/protocol.md': sectionOf('docs/protocol.md', 'codes', codesTable()),
  'docs/benchmarks.md': sectionOf('docs/benchmarks.md', 'bench', benchSection(benchmarks)),
  'README.md': sectionOf('README.md', 'speed', readmeTable(benchmarks)),
};

for (const [name, text] of Object.entries(files)) {
  if (text === undefined || text === read(name)) continue;
  if (check) {
    console.error(`${name} differs from the code it is generated from; run: npm run docs`);
    process.exitCode = 1;
  } else {
    writeFileSync(new URL(name, root), text);
    console.log(`wrote ${name}`);
  }
}

function read(name: string): string | undefined {
  const url = new URL(name, root);
  return existsSync(url) ? readFileSync(url, 'utf8') : undefined;
}

/** A page that is not there is left so. */
function sectionOf(name: string, section: string, text: string): string | undefined {
  const page = read(name);
  return page === undefined ? undefined : withSection(page, section, text);
}

function codesTable(): string {
  const rows = CODE_NAMES.map((code) => [
    `\`${code}\``,
    isFatal(code) ? 'is closed' : 'goes on',
    CODES[code].meaning,
  ]);
  return textTable(['code', 'the connection', 'meaning'], rows);
}
