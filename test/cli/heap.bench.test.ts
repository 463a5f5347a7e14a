import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { keepYoungGenerationSmall, youngBytes } from '../../src/cli/heap.ts';

const MIB = 2 ** 20;
const OBJECTS = 1_000_000;

/** Objects that stay, like those of connections. */
function keepObjects(): object[] {
  return Array.from({ length: OBJECTS }, (_, index) => ({ index }));
}

test('the young generation keeps its size while many objects stay, and grows if it is used up all the time', async () => {
  keepYoungGenerationSmall();
  const kept = keepObjects();
  assert.equal(kept.length, OBJECTS);
  const bytes = youngBytes();
  // Both halves. Without the call it would be 32 MiB or more.
  assert.ok(bytes > 0 && bytes <= 4 * MIB, `${bytes} bytes`);

  const recent = new Array<object>(20_000);
  for (const deadline = performance.now() + 10_000; youngBytes() < 16 * MIB; await sleep(1)) {
    assert.ok(performance.now() < deadline, `${youngBytes()} bytes after 10 s of load`);
    for (let n = 0; n < 40_000; n++) recent[n % recent.length] = { n: [n] };
  }

  // The next look ends the growth.
  await sleep(1500);
  const grown = youngBytes();
  assert.equal(keepObjects().length, OBJECTS);
  assert.ok(youngBytes() <= grown, `${youngBytes()} bytes, ${grown} before`);
});
