import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { stormChart } from '../../../plan/storm/chart.ts';
import { NumberQueue } from '../../../plan/storm/queue.ts';
import type { Played } from '../../../plan/storm/results.ts';
import { PROTOCOL, PROTOCOL_WAITS, RULES } from '../../../plan/storm/rules.ts';
import { Series } from '../../../plan/storm/series.ts';
import { Wheel } from '../../../plan/storm/wheel.ts';

// Tests run from dist/test.
const PROTOCOL_PAGE = new URL('../../../../docs/protocol.md', import.meta.url);

describe('the wheel of events', () => {
  it('fires each event in its millisecond, and none that was moved or cancelled', () => {
    const wheel = new Wheel(5);
    const fired: [number, number][] = [];
    wheel.at(0, 3);
    wheel.at(1, 2.2);
    wheel.at(2, 3);
    wheel.at(3, 2);
    wheel.at(4, 1);
    wheel.at(3, 5);
    wheel.cancel(2);
    assert.equal(wheel.size, 4);
    for (let nowMs = 1; nowMs <= 6; nowMs++) wheel.advance(nowMs, (device) => fired.push([nowMs, device]));
    assert.deepEqual(fired.sort(), [
      [1, 4],
      [3, 0],
      [3, 1],
      [5, 3],
    ]);
    assert.equal(wheel.size, 0);
  });

  it('counts a time that has passed as the next millisecond', () => {
    const wheel = new Wheel(1);
    wheel.advance(10, () => {});
    wheel.at(0, 4);
    const fired: number[] = [];
    for (let nowMs = 11; nowMs < 14; nowMs++) wheel.advance(nowMs, () => fired.push(nowMs));
    assert.deepEqual(fired, [11]);
  });

  it('refuses an event that lies too far ahead', () => {
    assert.throws(() => new Wheel(1).at(0, 2 ** 20), RangeError);
  });
});

describe('the queue of numbers', () => {
  it('keeps the order while it grows and wraps', () => {
    const queue = new NumberQueue();
    const seen: number[] = [];
    for (let n = 0; n < 1_000; n++) {
      queue.push(n);
      if (n % 3 === 0) seen.push(queue.shift() as number);
    }
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) seen.push(next);
    assert.deepEqual(
      seen,
      Array.from({ length: 1_000 }, (_, n) => n),
    );
  });
});

describe('the series', () => {
  it('tells after how long so many events had come', () => {
    const series = new Series();
    for (let ms = 0; ms < 100_000; ms += 10) series.add(ms);
    assert.equal(series.secondsUntil(5_000), 50);
    assert.equal(series.secondsUntil(10_001), Number.POSITIVE_INFINITY);
    assert.deepEqual(new Set(series.perSecond()), new Set([100]));
  });
});

describe('the rules of waiting', () => {
  /** Waits in the row of docs/protocol.md that begins so. */
  function ofPage(row: string) {
    const line = readFileSync(PROTOCOL_PAGE, 'utf8')
      .split('\n')
      .find((one) => one.startsWith(`| ${row}`) && one.includes('doubled each time'));
    const [, first, most, unit] =
      /\| (\d+) s, doubled each time up to (\d+) minutes?( )/.exec(line ?? '') ?? [];
    assert.ok(unit, `docs/protocol.md has no waits in the row ${row}`);
    return { firstMs: Number(first) * 1000, maxMs: Number(most) * 60_000 };
  }

  it('are those of docs/protocol.md', () => {
    assert.deepEqual(PROTOCOL_WAITS, {
      noReply: ofPage('no reply: cut'),
      serverFull: ofPage('`server_full`'),
      handshake: ofPage('no reply before the TLS handshake'),
    });
  });

  it('add up to half of the wait at random', () => {
    assert.equal(
      PROTOCOL.waitMs('noReply', 3, () => 0),
      4_000,
    );
    assert.equal(
      PROTOCOL.waitMs('handshake', 20, () => 1),
      450_000,
    );
  });

  it('have different names', () => {
    assert.equal(new Set(RULES.map(({ name }) => name)).size, RULES.length);
  });
});

describe('the chart of storms', () => {
  it('has a line for each play in both panels, and equal text for equal figures', () => {
    const play = (scenario: Played['scenario'], name: string): Played => ({
      ...{ scenario, name, devices: 10, back: 10, p50Seconds: 1, p99Seconds: 3, allSeconds: 3, cpuTimes: 1 },
      attemptsEach: 1,
      failed: { noReply: 0, serverFull: 0, handshake: 0 },
      attemptsPerSecond: [5, 3, 2],
      backPerSecond: [4, 4, 2],
    });
    const fleet = { devices: 10, gateways: 1, processes: 2, cores: 2, tls: true, rttMs: 1, seed: 1 };
    const plays = [play('outage', 'a'), play('outage', 'b & c'), play('drain', 'd')];
    const file = { command: '', fleet, constantsAt: '', plays };
    const svg = stormChart(file);
    assert.equal(svg.match(/<polyline/g)?.length, 2 * plays.length);
    assert.ok(svg.includes('b &amp; c'));
    assert.equal(stormChart(file), svg);
  });
});
