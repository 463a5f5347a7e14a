import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { TURN_BUDGET_MS, TurnBudget } from '../../src/queue/turn-budget.ts';

function setUp() {
  const clock = { nowMs: 0, looks: 0 };
  const budget = new TurnBudget(() => {
    clock.looks++;
    return clock.nowMs;
  });
  return { clock, budget };
}

it('is used up by time that passes between begin and end, in one piece or several', () => {
  for (const pieces of [1, 8]) {
    const { clock, budget } = setUp();
    for (let i = 0; i < pieces; i++) {
      assert.equal(budget.usedUp, false);
      budget.begin();
      clock.nowMs += TURN_BUDGET_MS / pieces;
      budget.end();
      // Sockets are read meanwhile.
      clock.nowMs += 10;
    }
    assert.equal(budget.usedUp, true);
  }
});

it('notices within a slice of quick lines that they take longer than they should, and looks seldom', () => {
  const { clock, budget } = setUp();
  budget.begin();
  let lines = 0;
  for (; !budget.usedUp; lines++) {
    clock.nowMs += 0.002;
    budget.spend(600);
  }
  assert.ok(lines >= 2000 && lines <= 2400, `${lines} lines`);
  assert.ok(clock.looks <= 10, `${clock.looks} looks at the clock`);
});

it('has time again in the next turn, once a turn for all who wait', async () => {
  const { clock, budget } = setUp();
  const use = () => {
    budget.begin();
    clock.nowMs += TURN_BUDGET_MS;
    budget.end();
  };
  const seen: string[] = [];
  use();
  budget.nextTurn(() => {
    seen.push(`first ${budget.usedUp}`);
    use();
    budget.nextTurn(() => seen.push(`third ${budget.usedUp}`));
  });
  budget.nextTurn(() => seen.push(`second ${budget.usedUp}`));
  assert.equal(budget.usedUp, true);
  await nextTurn();
  assert.deepEqual(seen, ['first false', 'second true']);
  await nextTurn();
  assert.deepEqual(seen, ['first false', 'second true', 'third false']);
});

it('counts time that is measured outside of a slice', () => {
  const { clock, budget } = setUp();
  budget.measure(() => {
    clock.nowMs += TURN_BUDGET_MS;
  });
  assert.equal(budget.usedUp, true);
});
