import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeString, duplicateKey, elements, members } from '../../src/protocol/json-text.ts';

const indent = fc.constantFrom(undefined, 1, '\t', '\r\n ');

describe('members and elements', () => {
  it('split any object into its keys and the text of its values, with or without white space', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), indent, (object, space) => {
        const parts = members(JSON.stringify(object, null, space));
        assert.deepEqual(
          parts.map(({ key, raw }) => [key, JSON.parse(raw)]),
          Object.entries(JSON.parse(JSON.stringify(object))),
        );
      }),
    );
  });

  it('split any array into the text of its elements', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), indent, (array, space) => {
        const parts = elements(JSON.stringify(array, null, space));
        assert.deepEqual(
          parts.map((raw) => JSON.parse(raw)),
          JSON.parse(JSON.stringify(array)),
        );
      }),
    );
  });

  it('keep duplicates and numbers as they were written', () => {
    assert.deepEqual(members(' { "a" : 1.0 , "a":[1e400, {"b":"}"}] } '), [
      { key: 'a', raw: '1.0' },
      { key: 'a', raw: '[1e400, {"b":"}"}]' },
    ]);
    assert.deepEqual(members('{}'), []);
    assert.deepEqual(elements('[ ]'), []);
  });
});

describe('duplicateKey', () => {
  it('is the first key that appears twice, with its escapes resolved', () => {
    assert.equal(duplicateKey(members('{"a":1,"b":2,"\\u0062":3,"a":4}')), 'b');
    assert.equal(duplicateKey(members('{"a":1,"A":2,"__proto__":3}')), undefined);
  });
});

describe('decodeString', () => {
  it('gives what JSON.parse gives', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.equal(decodeString(JSON.stringify(text)), text);
      }),
    );
  });
});
