// The young generation under connections that come and go, in a process of its own: its size is that of the whole process.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { keepYoungGenerationSmall, youngBytes } from '../../src/cli/heap.ts';

const MIB = 2 ** 20;
/** More than a small young generation holds, as the connections of a flood of handshakes. */
const ALIVE = 30_000;
const NEW_PER_MS = 300;

test('the young generation grows while objects reach the old generation only to die there', async () => {
  keepYoungGenerationSmall();
  assert.ok(youngBytes() < 16 * MIB, `${youngBytes()} bytes at first`);
  const alive = new Array<object>(ALIVE);
  let made = 0;
  const startMs = performance.now();
  // Far fewer collections a second than those of full load.
  while (youngBytes() < 16 * MIB) {
    const passedMs = performance.now() - startMs;
    assert.ok(passedMs < 30_000, `${youngBytes()} bytes after 30 s`);
    for (; made < passedMs * NEW_PER_MS; made++) alive[made % ALIVE] = { n: [made] };
    await sleep(1);
  }
});
