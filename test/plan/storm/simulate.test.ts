import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { World } from '../../../plan/storm/model.ts';
import { limitsOf } from '../../../plan/storm/model.ts';
import { PROTOCOL, RULES, ruleOf } from '../../../plan/storm/rules.ts';
import { simulate } from '../../../plan/storm/simulate.ts';
import { afterCut, afterDrain, afterOutage, atOnce } from '../../../plan/storm/starts.ts';

const DEVICES = 3_000;
const WORLD: World = {
  devices: DEVICES,
  gateways: 2,
  processes: 2,
  cores: 2,
  background: 0,
  tls: true,
  rttMs: 100,
  costs: { acceptUs: 100, placeUs: 20, firstHalfUs: 400, secondHalfUs: 150, identifyUs: 50 },
  rule: PROTOCOL,
  maxConnections: DEVICES,
  patienceMs: 30_000,
  synAgainMs: [1_000, 3_000, 7_000, 15_000],
  seed: 1,
  limitMs: 1_800_000,
};

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe('a simulated storm', () => {
  it('brings back every device once, with every rule', () => {
    for (const rule of RULES) {
      const starts = afterOutage({
        ...{ devices: DEVICES, outageMs: 60_000, noticeMs: 10_000, failsAfterMs: 100, rule, seed: 1 },
      });
      const { back, attempts, failed, backPerSecond } = simulate({ ...WORLD, rule }, starts);
      assert.equal(back, DEVICES, rule.name);
      assert.equal(sum(backPerSecond), DEVICES, rule.name);
      const failures = failed.noReply + failed.serverFull + failed.handshake;
      assert.equal(attempts, DEVICES + failures, rule.name);
    }
  });

  it('is the same for the same seed, and another for another one', () => {
    const play = (seed: number) =>
      simulate({ ...WORLD, seed }, afterCut({ devices: DEVICES, overMs: 0, rule: PROTOCOL, seed }));
    assert.deepEqual(play(7), play(7));
    assert.notDeepEqual(play(7), play(8));
  });

  it('takes as much CPU time as its connections cost if none fails', () => {
    const { cpuSeconds, failed } = simulate(WORLD, afterDrain({ devices: DEVICES, spreadMs: 0, seed: 1 }));
    assert.deepEqual(failed, { noReply: 0, serverFull: 0, handshake: 0 });
    assert.ok(Math.abs(cpuSeconds - (DEVICES * 720) / 1e6) < 1e-6, `${cpuSeconds} s`);
  });

  it('has no more handshakes at once than TCP_TLS_MAX_HANDSHAKES allows', () => {
    // One gateway: 64 places, each for a round trip of 200 ms.
    const world = { ...WORLD, gateways: 1, rttMs: 200 };
    const few = simulate({ ...world, maxHandshakes: 64 }, atOnce(DEVICES));
    const many = simulate({ ...world, maxHandshakes: 512 }, atOnce(DEVICES));
    const most = Math.max(...few.backPerSecond);
    assert.ok(most <= 64 / 0.2 && most > (64 / 0.2) * 0.9, `${most} a second`);
    assert.ok(many.seconds.all < few.seconds.all / 2, `${many.seconds.all} and ${few.seconds.all} s`);
  });

  it('lets a device wait for its handshake as long as the gateway does', () => {
    const world = { ...WORLD, gateways: 1, maxHandshakes: 2, rttMs: 1_000, limitMs: 14_000 };
    const { failed, backPerSecond } = simulate(world, atOnce(500));
    const { handshakeTimeoutMs } = limitsOf(world);
    // Two places for a second each, until the rest runs out of time.
    assert.equal(sum(backPerSecond) + failed.handshake, 500);
    assert.ok(
      Math.abs(sum(backPerSecond) - (2 * handshakeTimeoutMs) / 1000) <= 4,
      `${sum(backPerSecond)} devices`,
    );
  });

  it('refuses devices beyond TCP_MAX_CONNECTIONS, which come again later', () => {
    const { back, failed } = simulate(
      { ...WORLD, gateways: 1, tls: false, maxConnections: 1_000, limitMs: 60_000 },
      atOnce(1_500),
    );
    assert.equal(back, 1_000);
    assert.ok(failed.serverFull >= 500, `${failed.serverFull} refusals`);
  });

  it('drops SYNs while the queue of the kernel is full', () => {
    const costs = { ...WORLD.costs, acceptUs: 5_000 };
    const world = { ...WORLD, gateways: 1, tls: false, rttMs: 0, costs, maxConnections: 6_000 };
    // These devices do not send their SYN again, so each that is dropped is a failure.
    const dropsOf = (devices: number): number =>
      simulate({ ...world, synAgainMs: [] }, atOnce(devices)).failed.noReply;
    const { backlog } = limitsOf(world);
    assert.equal(dropsOf(backlog), 0);
    const drops = dropsOf(6_000);
    assert.ok(drops <= 6_000 - backlog && drops > 6_000 - backlog - 10, `${drops} SYNs`);
  });

  it('shares the cores with other work', () => {
    const at = (background: number) =>
      simulate({ ...WORLD, tls: false, rttMs: 0, background }, atOnce(DEVICES)).seconds.all;
    const [alone, half] = [at(0), at(0.5)];
    assert.ok(half > alone * 1.8 && half < alone * 2.4, `${alone} s, ${half} s`);
  });

  it('shares the cores with a load generator', () => {
    const world = { ...WORLD, gateways: 1, tls: false, rttMs: 0 };
    const generator = { processes: 2, connectUs: 170, connectsPerTurn: 16, mostUnderWay: 1e6 };
    const { seconds } = simulate({ ...world, generator }, atOnce(DEVICES));
    // 170 us of each, on two cores.
    const least = (DEVICES * 340) / 1e6 / 2;
    assert.ok(seconds.all >= least && seconds.all < least * 1.2, `${seconds.all} s of at least ${least} s`);
  });

  it('loses no handshake to a slow load generator if few of its devices connect at once', () => {
    const of = (mostUnderWay: number) =>
      simulate(
        {
          ...{ ...WORLD, gateways: 1, processes: 3, cores: 2, rttMs: 0, maxConnections: 50_000 },
          generator: { processes: 3, connectUs: 1_300, connectsPerTurn: 256, mostUnderWay },
        },
        atOnce(50_000),
      );
    const [all, few] = [of(1e6), of(64)];
    assert.ok(all.failed.handshake > 5_000, `${all.failed.handshake} failed`);
    assert.equal(few.attempts, 50_000);
    assert.equal(few.back, 50_000);
    assert.ok(few.seconds.all < all.seconds.all);
  });

  it('ends at its limit if devices cannot come back', () => {
    const { back, seconds } = simulate({ ...WORLD, patienceMs: 50, limitMs: 5_000 }, atOnce(100));
    assert.equal(back, 0);
    assert.equal(seconds.all, Number.POSITIVE_INFINITY);
  });
});

describe('the beginning of a storm', () => {
  it('is told by the gateway that drains, from half a second to five minutes', () => {
    const { atMs } = afterDrain({ devices: 100_000, spreadMs: 0, seed: 1 });
    assert.ok(Math.min(...atMs.subarray(0, 100)) >= 500);
    assert.ok(Math.max(...atMs.subarray(-100)) <= 300_000);
    const soon = atMs.filter((ms) => ms < 150_000).length;
    assert.ok(Math.abs(soon / 100_000 - 0.5) < 0.02, `${soon} in the first half`);
  });

  it('has every device at the same moment if nothing is random, and spread if something is', () => {
    const of = (name: string) =>
      new Set(
        afterOutage({
          ...{ devices: 500, outageMs: 60_000, noticeMs: 0, failsAfterMs: 0, rule: ruleOf(name), seed: 1 },
        }).atMs,
      ).size;
    assert.equal(of('no-jitter'), 1);
    assert.ok(of('protocol') > 490);
  });
});
