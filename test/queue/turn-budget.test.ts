import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MAX_TURN_BUDGET_MS, TURN_BUDGET_MS, TurnBudget } from '../../src/queue/turn-budget.ts';

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
  const wanted = TURN_BUDGET_MS / 0.002;
  assert.ok(lines >= wanted && lines <= 1.3 * wanted, `${lines} lines`);
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

it('has a quarter of the time that everything else took while lines waited, within its limits', async () => {
  const { clock, budget } = setUp();
  for (const [restMs, wantedMs] of [
    [3 * TURN_BUDGET_MS, TURN_BUDGET_MS],
    [80, 20],
    [500, MAX_TURN_BUDGET_MS],
    [120, 30],
    [0, TURN_BUDGET_MS],
  ] as const) {
    // It grows by half at most from turn to turn.
    for (let turn = 0, before = budget.turnMs; turn < 12; turn++, before = budget.turnMs) {
      budget.owe(budget.turnMs * 1e6);
      budget.nextTurn(() => {});
      clock.nowMs += restMs;
      await nextTurn();
      assert.ok(budget.turnMs <= 1.5 * before);
    }
    assert.equal(budget.turnMs, wantedMs);
  }
});

it('comes back to its usual length although lines cause three times their own time elsewhere', async () => {
  const { clock, budget } = setUp();
  for (const restMs of [...Array<number>(10).fill(400), ...Array<number>(20).fill(0)]) {
    budget.owe(budget.turnMs * 1e6);
    budget.nextTurn(() => {});
    clock.nowMs += restMs + 3 * budget.turnMs;
    await nextTurn();
  }
  assert.equal(budget.turnMs, TURN_BUDGET_MS);
});

it('stays short if it was not used up, and after a time in which nothing waited', async () => {
  const { clock, budget } = setUp();
  budget.nextTurn(() => {});
  clock.nowMs += 100;
  await nextTurn();
  assert.equal(budget.turnMs, TURN_BUDGET_MS);
  budget.owe(TURN_BUDGET_MS * 1e6);
  clock.nowMs += 100;
  budget.nextTurn(() => {});
  await nextTurn();
  assert.equal(budget.turnMs, TURN_BUDGET_MS);
});

it('does not grow by the time of lines and their replies', async () => {
  const { clock, budget } = setUp();
  budget.owe(TURN_BUDGET_MS * 1e6);
  budget.nextTurn(() => {});
  budget.begin();
  clock.nowMs += 10;
  budget.end();
  for (const count of ['measure', 'pay'] as const)
    budget[count](() => {
      clock.nowMs += 10;
    });
  clock.nowMs += 5 * TURN_BUDGET_MS;
  await nextTurn();
  assert.equal(budget.turnMs, 1.25 * TURN_BUDGET_MS);
});

it('what is called before a turn may bring work for it', async () => {
  const order: string[] = [];
  const budget: TurnBudget = new TurnBudget(undefined, {
    begin: () => {
      order.push('before');
      if (order.length === 1) budget.nextTurn(() => order.push('brought'));
    },
    minMs: () => 0,
  });
  budget.nextTurn(() => order.push('waited'));
  await nextTurn();
  assert.deepEqual(order, ['before', 'waited', 'brought']);
});

it('is as long as its owner wants it from turn to turn, whatever the turn before took', async () => {
  let minMs = 0;
  const budget = new TurnBudget(() => 0, { begin: () => {}, minMs: () => minMs });
  for (const [wantedMs, turnMs] of [
    [7, 7],
    [0, TURN_BUDGET_MS],
    [9, 9],
    [1, TURN_BUDGET_MS],
  ] as const) {
    minMs = wantedMs;
    budget.nextTurn(() => {});
    await nextTurn();
    assert.equal(budget.turnMs, turnMs);
    budget.owe(turnMs * 1e6 - 1000);
    assert.equal(budget.usedUp, false);
    budget.owe(2000);
    assert.equal(budget.usedUp, true);
  }
});
