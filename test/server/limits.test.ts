import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connectionCap, openFilesLimit, RESERVED_DESCRIPTORS } from '../../src/server/limits.ts';

describe('connectionCap', () => {
  it('is what was asked for as long as enough descriptors stay free', () => {
    assert.equal(connectionCap(1000, 1000 + RESERVED_DESCRIPTORS), 1000);
    assert.equal(connectionCap(1000, 999 + RESERVED_DESCRIPTORS), 999);
  });

  it('is at least one, and what was asked for if the system tells no limit', () => {
    assert.equal(connectionCap(1000, 10), 1);
    assert.equal(connectionCap(1000, undefined), 1000);
  });
});

describe('openFilesLimit', () => {
  it('reads the soft limit', () => {
    const read = () => 'Limit   Soft Limit  Hard Limit  Units\nMax open files  20000  40000  files\n';
    assert.equal(openFilesLimit(read), 20_000);
  });

  it('is undefined if the limit is unlimited or cannot be read', () => {
    for (const read of [() => 'Max open files  unlimited  unlimited  files', () => assert.fail('ENOENT')])
      assert.equal(openFilesLimit(read), undefined);
  });
});
