import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readConstants } from '../../../plan/constants.ts';
import { FLEET, playsOf } from '../../../plan/storm/plays.ts';

const UNIT_DEVICES = 50_000;
/** Twenty times the devices. With a sum over all devices at each event it would be 400 times the work. */
const MAX_UNITS = 100;

/** CPU time of this process, which other work on the machine does not stretch as it does the clock. */
function simulate(devices: number): { back: number; cpuMs: number } {
  const play = playsOf({ ...FLEET, devices }, readConstants()).find(
    ({ scenario, name }) => scenario === 'restart' && name === 'protocol',
  );
  assert.ok(play);
  const before = process.cpuUsage();
  const { back } = play.run();
  const { user, system } = process.cpuUsage(before);
  return { back, cpuMs: (user + system) / 1000 };
}

describe('a million devices', () => {
  it('all come back, and the time to simulate them grows as their number does', (t) => {
    // Compiles the code.
    simulate(UNIT_DEVICES);
    const unit = simulate(UNIT_DEVICES);
    assert.equal(unit.back, UNIT_DEVICES);
    const whole = simulate(1_000_000);
    const units = whole.cpuMs / unit.cpuMs;
    t.diagnostic(`${whole.cpuMs.toFixed()} ms of CPU, ${units.toFixed(1)} times that of ${UNIT_DEVICES}`);
    assert.equal(whole.back, 1_000_000);
    assert.ok(units < MAX_UNITS, `${units} times`);
  });
});
