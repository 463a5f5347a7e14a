import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { TURN_BUDGET_MS, TurnBudget } from '../../src/queue/turn-budget.ts';
import { ReplyFlush } from '../../src/server/reply-flush.ts';

it('charges a turn for each write in advance, so that it takes no more lines than it can answer', () => {
  const budget = new TurnBudget(() => 0);
  const replyFlush = new ReplyFlush(budget);
  let writes = 0;
  for (; !budget.usedUp && writes < 10_000; writes++) replyFlush.add({ flush: () => {} });
  assert.ok(writes >= 200 && writes <= 1000, `${writes} writes in ${TURN_BUDGET_MS} ms`);
});

it('writes all replies before the event loop goes on, and those that a write causes', async () => {
  const replyFlush = new ReplyFlush(new TurnBudget());
  const written: string[] = [];
  const last = { flush: () => written.push('last') };
  replyFlush.add({ flush: () => written.push('first') });
  replyFlush.add({
    flush: () => {
      written.push('second');
      replyFlush.add(last);
    },
  });
  assert.deepEqual(written, []);
  await nextTurn();
  assert.deepEqual(written, ['first', 'second', 'last']);
});

it('does not make the next turn longer by the time of the writes', async () => {
  let nowMs = 0;
  const budget = new TurnBudget(() => nowMs);
  const replyFlush = new ReplyFlush(budget);
  const replies = {
    flush: () => {
      nowMs += 0.1;
    },
  };
  for (let i = 0; i < 1000; i++) replyFlush.add(replies);
  assert.equal(budget.usedUp, true);
  budget.nextTurn(() => {});
  await nextTurn();
  assert.ok(nowMs > 2 * TURN_BUDGET_MS);
  assert.equal(budget.turnMs, TURN_BUDGET_MS);
});
