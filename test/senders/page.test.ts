// Every configuration of docs/senders.md is either run by the tests or said to be untested.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { configuration, PAGE, testedBlocks } from '../../scripts/senders/configurations.ts';

// From dist/test/senders.
const source = (path: string) =>
  readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');
const page = readFileSync(PAGE, 'utf8');
const PLACE = { host: '127.0.0.1', port: 1234, files: { ca: '/ca', trustStore: '/store', input: '/input' } };
/** The start of the gateway. */
const PLAIN_BLOCKS = [/^TCP_LINES_PORT=8090 npm start$/];

test('each block that is marked as tested is run', () => {
  const code = ['scripts/senders/senders.ts', 'test/senders/formats.test.ts'].map(source).join('\n');
  for (const name of testedBlocks().keys())
    if (name !== 'logger') assert.match(code, new RegExp(`configuration\\('${name}'`), name);
});

test('a block for a place names that place, and nothing of the page', () => {
  for (const [name, text] of testedBlocks()) {
    const placed = configuration(name, PLACE);
    assert.doesNotMatch(placed, /gateway\.example|8090|\/etc\/|\/var\/log/, name);
    if (text.includes('gateway.example')) assert.match(placed, /127\.0\.0\.1\W+(port\W+)?1234/, name);
  }
});

test('a block that is not marked stands under "Not tested here", and says so', () => {
  let [isInside, section] = [false, ''];
  const lines = page.split('\n');
  for (const [at, line] of lines.entries()) {
    if (line.startsWith('## ')) section = line;
    if (!line.startsWith('```')) continue;
    isInside = !isInside;
    if (!isInside) continue;
    const [before = '', first = ''] = [lines[at - 1], lines[at + 1]];
    if (section === '## Not tested here') assert.match(before, /not tested here:$/);
    else if (!PLAIN_BLOCKS.some((plain) => plain.test(first)))
      assert.match(before, /^<!-- tested: \S+ -->$/, first);
  }
});
