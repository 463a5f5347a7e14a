import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { skipSpace, skipValue } from '../../src/protocol/json-scan.ts';

/** True if the scan takes the whole text as one JSON value. */
function isJson(text: string): boolean {
  const bytes = Buffer.from(`${text}\n`);
  const end = skipValue(bytes, skipSpace(bytes, 0));
  return end >= 0 && skipSpace(bytes, end) === bytes.length - 1;
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('skipValue', () => {
  const scalars =
    '0 -0 -0.5e+07 1E9 12345678901234567890 1e400 true false null "" "\\u00fC\\"\\\\\\/\\b\\f\\n\\r\\t"';
  const nested = '[] {} [[]] {"a":{}} [{"":[]},[1,{"a":null}]] {"a":1,"a":1}';
  const broken =
    '01 -  1. .5 1e 1e+ +1 0x1 1a tru nulls NaN " "\\x" "\\u12g4" "\\u123" [ ] [1 [1,] [,1] [1}  { } {1:1} {"a"} {"a":} {"a":1,} {"a":1] {"a" 1} [1]] \' // ,';
  for (const text of [...scalars.split(' '), ...nested.split(' '), ...broken.split(' ')]) {
    it(`judges ${text} as JSON.parse does`, () => {
      assert.equal(isJson(text), parses(text));
    });
  }

  it('judges changed JSON as JSON.parse does', (t) => {
    const token = fc.constantFrom(
      ...'{}[]:,"\\ \t\r01-.eE+utfna',
      'true',
      '""',
      '"a"',
      '\\u00',
      '\u0000',
      'ü',
      '\u2028',
    );
    const position = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
    const change = fc.tuple(position, fc.nat(3), token);
    let valid = 0;
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom(undefined, ' ', '\t'),
        fc.array(change, { maxLength: 3 }),
        (value, space, changes) => {
          let text = JSON.stringify(value, null, space).replaceAll('\n', ' ');
          for (const [where, count, inserted] of changes) {
            const at = Math.floor(where * (text.length + 1));
            text = text.slice(0, at) + inserted + text.slice(at + count);
          }
          if (parses(text)) valid++;
          assert.equal(isJson(text), parses(text), JSON.stringify(text));
        },
      ),
      { numRuns: 20_000 },
    );
    t.diagnostic(`${valid} of 20,000 were JSON`);
    assert.ok(valid > 4_000 && valid < 16_000);
  });

  it('takes any depth that is closed in the right order, and no other', () => {
    const depth = 30_000;
    const open = '[{"":'.repeat(depth);
    const close = '}]'.repeat(depth);
    assert.ok(isJson(`${open}1${close}`));
    assert.ok(!isJson(`${open}1${close.slice(1)}`));
    assert.ok(!isJson(`${open}1${close.slice(0, -1)}`));
    assert.ok(!isJson(`${open}1}${close}`));
    assert.ok(!isJson(open));
  });
});
