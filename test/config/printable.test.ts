// Text from outside that is made harmless.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { printable } from '../../src/config/printable.ts';

const unit = fc.constantFrom(
  'a',
  '"',
  '\\',
  '\x1b',
  '\u009b',
  '\u202e',
  '\u0301',
  '\u{e0100}',
  '\ud800',
  '\u4e2d',
  '\u{1f600}',
);

test('nothing that a terminal obeys is left, nor more than eight marks on a character, and JSON stays the same', () => {
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 200 }), (text) => {
      const shown = printable(JSON.stringify(text));
      // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be left
      assert.doesNotMatch(shown, /[\u0000-\u001f\u007f-\u009f\u202e]|\p{Surrogate}|\p{Mark}{9}/u);
      assert.equal(JSON.parse(shown), text);
    }),
  );
  const words = 'e\u0301 \u0e19\u0e49\u0e33 \u0928\u093f \u{1f468}';
  assert.equal(printable(words), words);
});
