// The messages that a confirmation covers, and the schedule of the writes.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Pace, type Paced } from '../../load/devices/pace.ts';
import { PendingWrites } from '../../load/devices/pending.ts';

function confirmed(pending: PendingWrites, seq: number): [dueUs: number, messages: number][] {
  const told: [number, number][] = [];
  const total = pending.confirm(seq, (dueUs, messages) => told.push([dueUs, messages]));
  assert.equal(
    total,
    told.reduce((sum, [, messages]) => sum + messages, 0),
  );
  return told;
}

describe('pending writes', () => {
  it('are confirmed up to a seq, each message once, with the due time of its write', () => {
    const pending = new PendingWrites(5);
    pending.push(9, 1000);
    pending.push(10, 2000);
    pending.push(20, 3000);
    assert.equal(pending.unconfirmed, 16);
    assert.deepEqual(confirmed(pending, 7), [[1000, 3]]);
    assert.deepEqual(confirmed(pending, 7), []);
    assert.deepEqual(confirmed(pending, 12), [
      [1000, 2],
      [2000, 1],
      [3000, 2],
    ]);
    assert.equal(pending.unconfirmed, 8);
    assert.equal(pending.confirmed, 12);
  });

  it('are not confirmed beyond the last sent message', () => {
    const pending = new PendingWrites(0);
    pending.push(3, 1000);
    assert.deepEqual(confirmed(pending, 99), [[1000, 4]]);
    assert.equal(pending.unconfirmed, 0);
  });

  it('leave refused messages out, with and without a later confirmation', () => {
    const pending = new PendingWrites(0);
    pending.push(4, 1000);
    pending.refuse(2);
    pending.refuse(2);
    pending.refuse(4);
    assert.equal(pending.unconfirmed, 3);
    assert.deepEqual(confirmed(pending, 3), [[1000, 3]]);
    assert.equal(pending.unconfirmed, 0);
  });

  it('keep their order when the ring grows', () => {
    const pending = new PendingWrites(0);
    for (let n = 0; n < 10; n++) pending.push(n, n);
    assert.equal(confirmed(pending, 8).length, 9);
    for (let n = 10; n < 1000; n++) pending.push(n, n);
    const dues = confirmed(pending, 999).map(([dueUs]) => dueUs);
    assert.deepEqual(
      dues,
      Array.from({ length: 991 }, (_, index) => index + 9),
    );
  });
});

class NotingDevice implements Paced {
  takesPart = true;
  readonly due: number[] = [];

  schedule(dueUs: number): void {
    this.due.push(dueUs);
  }
}

const devices = (count: number) => Array.from({ length: count }, () => new NotingDevice());

describe('the schedule', () => {
  it('after a long stall makes everything due that the stall delayed', () => {
    const fleet = devices(4);
    const pace = new Pace(fleet, { startUs: 1000, endUs: 1_001_000, slotUs: 100 });
    assert.equal(pace.advance(999), 1000);
    assert.equal(pace.advance(1000), 1100);
    assert.equal(pace.advance(900_950), 901_000);
    const all = fleet.flatMap(({ due }) => due).sort((a, b) => a - b);
    assert.deepEqual(
      all,
      Array.from({ length: 9000 }, (_, slot) => 1000 + slot * 100),
    );
  });

  it('ends, and gives every device the same number of writes', () => {
    for (const count of [1, 2, 7, 100, 101]) {
      const fleet = devices(count);
      const pace = new Pace(fleet, { startUs: 0, endUs: 100 * count * 50, slotUs: 100 });
      assert.equal(pace.advance(Number.MAX_SAFE_INTEGER), undefined);
      for (const { due } of fleet) {
        assert.equal(due.length, 50);
        assert.ok(due.every((at, index) => index === 0 || at - (due[index - 1] as number) === 100 * count));
      }
    }
  });

  it('has half of the rate at all times while half of the devices take part', () => {
    const fleet = devices(1000);
    for (const device of fleet.slice(500)) device.takesPart = false;
    const pace = new Pace(fleet, { startUs: 0, endUs: 1e6, slotUs: 1000 });
    pace.advance(1e6);
    const all = fleet.flatMap(({ due }) => due);
    for (let from = 0; from < 1e6; from += 100_000) {
      const within = all.filter((at) => at >= from && at < from + 100_000).length;
      assert.ok(Math.abs(within - 50) <= 3, `${within} in the tenth from ${from}`);
    }
  });
});
