import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const ENABLED = '/sys/kernel/mm/transparent_hugepage/enabled';

/** Loads the packages of the checksum and of the default codec, and prints the KB of huge pages of its process. */
const code = (before: string) => `
import { readFileSync } from 'node:fs';
import { keepNativePackagesSmall } from '${new URL('../../src/config/environment.js', import.meta.url)}';
import { nativeCrc32c } from '${new URL('../../src/checksum/crc32c.js', import.meta.url)}';
import { nativeBlock } from '${new URL('../../src/kafka/batches/snappy.js', import.meta.url)}';
const hugeKb = () => Number(/^AnonHugePages: +([0-9]+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))[1]);
${before}
const beforeKb = hugeKb();
nativeCrc32c();
nativeBlock();
console.log(hugeKb() - beforeKb);
`;

const hugeKbAfter = (before: string): number =>
  Number(execFileSync(process.execPath, ['--input-type=module', '-e', code(before)], { encoding: 'utf8' }));

test('the packages in native code take no huge pages at their start', (t) => {
  if (process.platform !== 'linux' || readFileSync(ENABLED, 'utf8').includes('[never]'))
    return t.skip('the kernel gives no huge pages');
  if (hugeKbAfter('') === 0) return t.skip('the kernel has no huge page to give');
  assert.equal(hugeKbAfter('keepNativePackagesSmall();'), 0);
});
