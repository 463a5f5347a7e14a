// Keeps comments in plain English, as far as a program can tell.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

// From dist/test.
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const comments = ['src', 'load', 'bench', 'scripts'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(?:tsx?|mjs)$/.test(path))
    .flatMap((path) =>
      readFileSync(join(ROOT, folder, path), 'utf8')
        .split('\n')
        .filter((line) => /^\s*(?:\/\/|\/?\*)|\s\/\/\s/.test(line))
        .map((text) => ({ text: text.trim(), file: join(folder, path) })),
    ),
);

const withWord = (word: string) => comments.filter(({ text }) => new RegExp(`\\b${word}\\b`, 'i').test(text));

for (const [word, better] of [
  ['anew', 'again'],
  ['in the midst of', 'while'],
] as const) {
  test(`no comment says "${word}" instead of "${better}"`, () => assert.deepEqual(withWord(word), []));
}

// "Where" is right for places and wrong for conditions, "what" is right in questions and wrong for a noun. A program
// cannot tell, so the lines with them may only become fewer: the limits are what was left in November 2026.
for (const [word, limit] of [
  ['where', 24],
  ['what', 28],
] as const) {
  test(`at most ${limit} lines of comments say "${word}"`, () =>
    assert.ok(withWord(word).length <= limit, `${withWord(word).length}`));
}
