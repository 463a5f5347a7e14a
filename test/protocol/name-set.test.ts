import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { hashOf, NameSet } from '../../src/protocol/name-set.ts';

const set = new NameSet();

/** The index of the first name that the set has already, -1 if there is none. */
function firstTwice(names: readonly string[]): number {
  const bytes = Buffer.from(names.join(''));
  set.clear();
  let from = 0;
  return names.findIndex((name) => {
    const to = from + Buffer.byteLength(name);
    const isNew = set.add(hashOf(bytes, from, to), bytes, from, to);
    from = to;
    return !isNew;
  });
}

describe('NameSet', () => {
  it('finds the first name that comes twice, as a Set does', () => {
    const name = fc.stringMatching(/^[a-d]{0,4}$/);
    fc.assert(
      fc.property(fc.array(name, { maxLength: 400 }), (names) => {
        const expected = names.findIndex((text, index) => names.indexOf(text) < index);
        assert.equal(firstTwice(names), expected);
      }),
    );
  });

  it('grows with the names, and is empty again after clear()', () => {
    const names = Array.from({ length: 20_000 }, (_, index) => `name ${index}`);
    assert.equal(firstTwice([...names, 'name 19999']), 20_000);
    assert.equal(firstTwice(names), -1);
  });

  it('keeps the names of several objects apart', () => {
    set.clear();
    const bytes = Buffer.from('ab');
    const add = (at: number, object: number) => set.add(hashOf(bytes, at, at + 1), bytes, at, at + 1, object);
    for (let object = 0; object < 1024; object++) assert.ok(add(0, object) && add(1, object));
    for (let object = 0; object < 1024; object++) assert.ok(!add(0, object) && !add(1, object));
  });

  it('tells names with the same hash apart', () => {
    set.clear();
    const bytes = Buffer.from('abcabd');
    assert.ok(set.add(1, bytes, 0, 3));
    assert.ok(set.add(1, bytes, 3, 6));
    assert.ok(set.add(1, bytes, 0, 2));
    assert.ok(!set.add(1, bytes, 3, 6));
  });
});
