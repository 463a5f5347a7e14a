// The table of examples/devices/README.md: every client is in it, with about as many lines as it has.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../../../examples/devices/', import.meta.url));

test('the table of clients has every file and about its length', () => {
  const page = readFileSync(`${FOLDER}README.md`, 'utf8');
  const rows = [...page.matchAll(/^\| \[(\S+)\]\(\1\) \|.*\| (\d+) \|$/gm)];
  const files = readdirSync(FOLDER).filter((file) => /\.(ts|py|go|c|sh)$/.test(file));
  assert.deepEqual(rows.map(([, file]) => file).toSorted(), files.toSorted());
  for (const [, file, listed] of rows) {
    const lines = readFileSync(`${FOLDER}${file}`, 'utf8').split('\n').length - 1;
    assert.ok(Math.abs(lines - Number(listed)) <= lines / 10, `${file} has ${lines} lines, not ${listed}`);
  }
});
