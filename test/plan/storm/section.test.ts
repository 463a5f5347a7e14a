import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MORE_HANDSHAKES, type Scenario } from '../../../plan/storm/plays.ts';
import { type Played, readStormFile } from '../../../plan/storm/results.ts';
import { stormSection } from '../../../plan/storm/section.ts';

const { plays } = readStormFile();

function play(scenario: Scenario, name: string): Played & { readonly all: number } {
  const found = plays.find((one) => one.scenario === scenario && one.name === name);
  assert.ok(found, `${scenario}, ${name}`);
  const { allSeconds: all } = found;
  assert.ok(all !== null, `${scenario}, ${name} is not over`);
  return { ...found, all };
}

const most = (values: readonly number[]): number => Math.max(...values);

describe('the stored storms bear out the lessons of docs/scaling.md:', () => {
  it('every device came back', () => {
    for (const { scenario, name, devices, back } of plays)
      assert.equal(back, devices, `${scenario}, ${name}`);
  });

  it('handshakes at once decide, and not the cores', () => {
    const few = play('restart', 'protocol');
    const many = play('restart', `protocol, ${MORE_HANDSHAKES} handshakes`);
    assert.ok(most(many.backPerSecond) > 1.5 * most(few.backPerSecond));
    assert.ok(many.all < few.all / 2, `${many.all} and ${few.all} s`);
    assert.equal(many.failed.handshake, 0);
  });

  it('a failed handshake need not wait longer than a lost connection', () => {
    const [five, one] = [play('restart', 'protocol'), play('restart', 'one-minute')];
    assert.ok(one.all < five.all / 2, `${one.all} and ${five.all} s`);
    const [fiveMany, oneMany] = [five, one].map(({ name }) =>
      play('restart', `${name}, ${MORE_HANDSHAKES} handshakes`),
    );
    assert.equal(oneMany?.all, fiveMany?.all);
  });

  it('waits that grow and jitter bring no device back sooner, with far fewer attempts in a second', () => {
    for (const scenario of ['outage', 'restart'] as const)
      assert.ok(play(scenario, 'fixed-jitter').all < play(scenario, 'protocol').all, scenario);
    assert.ok(play('restart', 'no-jitter').all < play('restart', 'protocol').all);
    const [short, protocol] = [play('outage', 'fixed-jitter'), play('outage', 'protocol')];
    assert.ok(most(short.attemptsPerSecond) > 10 * most(protocol.attemptsPerSecond));
  });

  it('a drain is slow and gentle', () => {
    const [told, killed] = [play('drain', 'told, all at once'), play('drain', 'killed')];
    assert.ok(told.all > 5 * killed.all);
    assert.ok(most(told.attemptsPerSecond) * 10 < most(killed.attemptsPerSecond));
  });

  it('after a long outage nearly every attempt succeeds', () => {
    assert.ok(play('outage', 'protocol').attemptsEach < 1.05);
  });

  it('and the section can be made of them', () => {
    assert.match(stormSection(), /\*\*What follows\.\*\*/);
  });
});
