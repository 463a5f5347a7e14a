// Judges a page by the rules of WCAG 2.2 A and AA with axe-core, contrast included.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const SCRIPT = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

interface Violation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** @param what names the judged page in the message */
export async function assertAccessible(page: Page, what: string): Promise<void> {
  await page.evaluate(SCRIPT);
  const violations = await page.evaluate<Violation[]>(
    `axe.run({ runOnly: ${JSON.stringify(TAGS)}, resultTypes: ['violations'] }).then(({ violations }) => violations)`,
  );
  const found = violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}\n${nodes
        .slice(0, 5)
        .map((node) => `  ${node.html}\n    ${node.failureSummary?.replaceAll('\n', '\n    ')}`)
        .join('\n')}`,
  );
  assert.deepEqual(found, [], `${what}:\n${found.join('\n')}`);
}
