// Writes what the docs repeat from the code: docs/configuration.md, .env.example and the table of reply codes in
// docs/protocol.md. With --check it writes nothing and exits 1 where a file differs. `npm run docs` runs it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { CODE_NAMES, CODES, isFatal } from '../src/protocol/codes.ts';
import { configurationPage, envExample, markdownTable } from './docs-settings.ts';

const root = new URL('../../', import.meta.url);
const check = process.argv.includes('--check');

const files: Record<string, string | undefined> = {
  'docs/configuration.md': configurationPage(),
  '.env.example': envExample(),
  'docs/protocol.md': withCodes('docs/protocol.md'),
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

/** The page with the table between its markers replaced; a page that is not there is left so. */
function withCodes(name: string): string | undefined {
  const page = read(name);
  if (page === undefined) return undefined;
  const [begin, end] = ['<!-- codes:begin -->', '<!-- codes:end -->'];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${name} lacks the markers ${begin} and ${end}`);
  return `${page.slice(0, from + begin.length)}\n${codesTable()}\n${page.slice(to)}`;
}

function codesTable(): string {
  const rows = CODE_NAMES.map((code) => [
    `\`${code}\``,
    isFatal(code) ? 'is closed' : 'goes on',
    CODES[code].meaning,
  ]);
  return markdownTable(['code', 'the connection', 'meaning'], rows);
}
