// Reads docs/migrating.md for its tests.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const PAGE = readFileSync(
  fileURLToPath(new URL('../../../docs/migrating.md', import.meta.url)),
  'utf8',
);

/** The block of text behind `<!-- tested: NAME -->`. */
export function blockOf(name: string): string {
  const pattern = new RegExp(`<!-- tested: ${name} -->\\n\`\`\`\\w+\\n([^]*?)\`\`\`\\n`);
  return pattern.exec(PAGE)?.[1] ?? assert.fail(`docs/migrating.md has no block ${name}`);
}
