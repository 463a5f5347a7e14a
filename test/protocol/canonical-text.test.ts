import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  hasControl,
  hasHalf,
  isAtMost,
  skipTrimmed,
  trimmedEnd,
} from '../../src/protocol/canonical-characters.ts';
import { CanonicalText } from '../../src/protocol/canonical-text.ts';

/** The text of a string in records. @param raw JSON text */
function canonical(raw: string): string {
  const text = new CanonicalText();
  const bytes = Buffer.from(`${raw},`);
  text.begin(bytes.length);
  assert.equal(text.string(bytes, 0), bytes.length - 1);
  assert.equal(text.wasEscaped, raw.includes('\\'));
  return text.toString();
}

/** Spells some characters of a text as escapes, in either case. */
const spelt = fc
  .array(fc.tuple(fc.string({ unit: 'binary', maxLength: 3 }), fc.nat(2)), { maxLength: 8 })
  .map((parts) =>
    parts
      .map(([text, how]) => {
        if (how === 0) return JSON.stringify(text).slice(1, -1);
        const units = Array.from({ length: text.length }, (_, i) =>
          text.charCodeAt(i).toString(16).padStart(4, '0'),
        );
        return units.map((unit) => `\\u${how === 1 ? unit : unit.toUpperCase()}`).join('');
      })
      .join(''),
  );

describe('CanonicalText', () => {
  it('spells every string as JSON.stringify does', () => {
    fc.assert(
      fc.property(spelt, (text) => {
        assert.equal(canonical(`"${text}"`), JSON.stringify(JSON.parse(`"${text}"`)));
      }),
      { numRuns: 3000 },
    );
    assert.equal(canonical('"\\/\\u002F\\u0022\\u001B\\uD83C\\uDF27\\ud800x"'), '"//\\"\\u001b🌧\\ud800x"');
  });
});

describe('the characters of canonical text', () => {
  const content = (text: string) => Buffer.from(JSON.stringify(text).slice(1, -1));

  it('are counted, judged and trimmed as those of the string', () => {
    const unit = fc.oneof(
      fc.constantFrom(
        ...' \t\n\u000b\f\r\b\u00a0\u1680\u2003\u2028\u202f\u205f\u3000\ufeff\u180e\u200b\u0085\u001f',
        ...'\\"tnfrba',
      ),
      fc.constantFrom('\ud800', '\udc00', '\u007f', '🌧', '\\n', 'ü'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    );
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 12 }), (units) => {
        const text = units.join('');
        const bytes = content(text);
        const count = [...text].length;
        assert.ok(isAtMost(count, bytes, 0, bytes.length));
        assert.equal(count > 0 && isAtMost(count - 1, bytes, 0, bytes.length), false);
        assert.equal(hasHalf(bytes, 0, bytes.length), !text.isWellFormed());
        // biome-ignore lint/suspicious/noControlCharactersInRegex: it has to find control characters
        const isBad = /[\u0000-\u001f\u007f-\u009f]/.test(text) || !text.isWellFormed();
        assert.equal(hasControl(bytes, 0, bytes.length), isBad);
        const start = skipTrimmed(bytes, 0, bytes.length);
        const trimmed = bytes.subarray(start, trimmedEnd(bytes, start, bytes.length));
        assert.deepEqual(trimmed, content(text.trim()));
      }),
      { numRuns: 3000 },
    );
  });
});
