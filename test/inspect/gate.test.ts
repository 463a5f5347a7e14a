// Work that goes one by one, and few of which wait.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate } from '../../src/inspect/gate.ts';

test('one is inside, some wait in order, a further one is sent away, and a failure lets the next one in', async () => {
  const gate = new Gate(2);
  const begun: number[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const enter = (n: number) =>
    gate.enter(() => {
      begun.push(n);
      return new Promise<number>((resolve, reject) => {
        ends.push((error) => (error === undefined ? resolve(n) : reject(error)));
      });
    });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const [first, second, third] = [enter(1), enter(2), enter(3)];
  assert.equal(enter(4), undefined);
  await turn();
  assert.deepEqual(begun, [1]);
  ends[0]?.(new Error('broken'));
  await assert.rejects(first ?? Promise.resolve(), /broken/);
  await turn();
  assert.deepEqual(begun, [1, 2]);
  const fifth = enter(5);
  assert.equal(enter(6), undefined);
  for (let n = 1; n < 4; n++) {
    ends[n]?.();
    await turn();
  }
  assert.deepEqual(await Promise.all([second, third, fifth]), [2, 3, 5]);
});
