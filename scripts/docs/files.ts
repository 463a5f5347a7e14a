// Generates docs/files.md: every source file with the first sentence of its head comment.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { markdownTable } from './markdown.ts';

const PRODUCTS: Readonly<Record<string, string>> = {
  src: 'The gateway',
  load: 'The load tool',
  bench: 'The bench',
};

/** @param root the project's folder @throws Error if a file has no head comment */
export function filesPage(root: string): string {
  const sections = Object.entries(PRODUCTS).map(([product, title]) => {
    const files = readdirSync(join(root, product), { recursive: true, encoding: 'utf8' })
      .map((path) => `${product}/${path.replaceAll('\\', '/')}`)
      .filter((path) => path.endsWith('.ts'))
      .sort();
    const rows = files.map((path) => [
      `\`${path}\``,
      firstSentence(path, readFileSync(join(root, path), 'utf8')),
    ]);
    return `## ${title} (\`${product}\`)\n${markdownTable(['file', 'what it does'], rows)}\n`;
  });
  return `<!-- Generated from the first comment of each file by \`npm run docs\`. Do not edit. -->
# Files
Where to begin is in [architecture.md](architecture.md). Tests are in \`test\`, in folders of the same names.

${sections.join('\n')}`;
}

function firstSentence(path: string, text: string): string {
  const lines = text.replace(/^#!.*\n/, '').split('\n');
  const end = lines.findIndex((line) => !line.startsWith('//'));
  const head = lines
    .slice(0, end)
    .map((line) => line.slice(2).trim())
    .join(' ');
  const [sentence] = head.split(/(?<=[.:])\s+(?=[A-Z`-]|$)/);
  if (!sentence) throw new Error(`${path} begins with no comment that says what it does`);
  return sentence.replace(/[.:]$/, '');
}
