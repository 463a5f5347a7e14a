import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapSpaceStatistics } from 'node:v8';
import { keepYoungGenerationSmall } from '../../src/cli/heap.ts';

const MIB = 2 ** 20;
const OBJECTS = 1_000_000;

function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;
}

/** As connections do: objects that stay. */
function keepObjects(): object[] {
  return Array.from({ length: OBJECTS }, (_, index) => ({ index }));
}

test('the young generation keeps its size while many objects stay', () => {
  keepYoungGenerationSmall();
  const kept = keepObjects();
  assert.equal(kept.length, OBJECTS);
  const bytes = youngBytes();
  // Both halves; without the call it is 32 MiB or more.
  assert.ok(bytes > 0 && bytes <= 4 * MIB, `${bytes} bytes`);
});
