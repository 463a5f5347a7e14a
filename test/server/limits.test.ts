import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  connectionLimits,
  OpenFilesError,
  openFilesLimit,
  RESERVED_DESCRIPTORS,
} from '../../src/server/limits.ts';
import { testLog } from '../support/log.ts';

describe('connectionLimits', () => {
  const lines: string[] = [];
  const log = testLog({}, { write: (line: string) => lines.push(line) });
  const of = (processes: number, free: number) =>
    connectionLimits(1000, { processes, log, limit: free + RESERVED_DESCRIPTORS });

  it('are as asked if the descriptors of all processes together suffice', () => {
    assert.deepEqual(of(2, 500), { maxConnections: 1000, maxSockets: 500 });
    assert.deepEqual(lines, []);
  });

  it('are lowered, with a warning that names the limit to raise', () => {
    assert.deepEqual(of(2, 499), { maxConnections: 998, maxSockets: 499 });
    assert.match(lines.join(), /ulimit -n.*raise it to at least 800 .*LimitNOFILE/);
  });

  it('below a tenth refuse the start with exit code 78', () => {
    assert.equal(of(1, 100).maxConnections, 100);
    for (const [processes, free] of [
      [1, 99],
      [2, 49],
      [1, -10],
    ] as const)
      assert.throws(
        () => of(processes, free),
        (error) =>
          error instanceof OpenFilesError &&
          error.exitCode === 78 &&
          /ulimit -n.* TCP_MAX_CONNECTIONS=1000 .*raise it to at least/.test(error.message),
      );
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
