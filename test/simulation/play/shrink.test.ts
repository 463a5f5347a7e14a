import assert from 'node:assert/strict';
import { it } from 'node:test';
import { shrink } from '../../../simulation/play/shrink.ts';

const NUMBERS = Array.from({ length: 40 }, (_, i) => i);
const holding = (needed: readonly number[]) => async (subset: readonly number[]) =>
  needed.every((number) => subset.includes(number));

it('shrinks to the items that are needed, wherever they are', async () => {
  for (const needed of [[7], [0, 39], [3, 4, 5], [1, 13, 14, 38], NUMBERS.slice(10, 30)])
    assert.deepEqual(await shrink(NUMBERS, holding(needed)), needed);
});

it('needs nothing if the failure comes without any item', async () => {
  assert.deepEqual(await shrink(NUMBERS, async () => true), []);
});

it('keeps all items if each one is needed', async () => {
  assert.deepEqual(await shrink(NUMBERS, holding(NUMBERS)), NUMBERS);
});

it('leaves no item that can be left out alone, if the failure comes and goes with others', async () => {
  // Fails with an odd number of items, or with all but one.
  const fails = async (subset: readonly number[]) => subset.length % 3 === 1;
  const left = await shrink(NUMBERS, fails);
  assert.equal(left.length % 3, 1);
});

it('ends with the smallest subset so far if it may not go on', async () => {
  let tries = 0;
  const left = await shrink(
    NUMBERS,
    async (subset) => {
      tries++;
      return subset.includes(7);
    },
    () => tries < 4,
  );
  assert.ok(left.includes(7));
  assert.ok(left.length < NUMBERS.length);
  assert.ok(tries <= 4);
});
