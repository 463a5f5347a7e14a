import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionLedger, type ConnectionOrder } from '../../src/server/connection-ledger.ts';
import { DeviceTable, TAKEOVERS } from '../../src/server/device-table.ts';
import { testLog } from '../support/log.ts';

const LIMITS = { maxConnections: 3, maxPerAddress: 2, acceptsPerSecond: 0 };
const silent = testLog({ level: 'silent' });

function ledgerOf() {
  const orders: string[] = [];
  const order = (process: number, { type, number, ...more }: ConnectionOrder) =>
    void orders.push(`${process}: ${type} ${number}${'reason' in more ? ` ${more.reason}` : ''}`);
  const ledger = new ConnectionLedger(LIMITS, { order, log: silent });
  return {
    ledger,
    asks: (process: number, number: number, address = 'a') =>
      ledger.handle(process, { type: 'asks', number, address }),
    identified: (process: number, number: number, deviceId?: string) =>
      ledger.handle(process, { type: 'identified', number, zipcode: '90210', deviceId }),
    closed: (process: number, number: number) => ledger.handle(process, { type: 'closed', number }),
    /** The orders since the last call. */
    orders: () => orders.splice(0),
  };
}

test('caps hold over all processes, and each end gives one place back', () => {
  const { ledger, asks, closed, orders } = ledgerOf();
  asks(0, 0);
  asks(1, 0);
  asks(1, 1);
  asks(0, 1, 'b');
  asks(0, 2, 'c');
  assert.deepEqual(orders(), [
    '0: admit 0',
    '1: admit 0',
    '1: refuse 1 address',
    '0: admit 1',
    '0: refuse 2 connections',
  ]);
  // A refused connection has no place to give back, and no end counts twice.
  for (const number of [2, 0, 0]) closed(0, number);
  closed(1, 1);
  assert.equal(ledger.admission.active, 2);
  asks(1, 2);
  assert.deepEqual(orders(), ['1: admit 2']);
});

test('a newer connection of a device replaces the older one, in whichever process it is', () => {
  const { asks, identified, closed, orders } = ledgerOf();
  asks(0, 5, 'a');
  asks(1, 5, 'b');
  asks(1, 6, 'c');
  orders();
  identified(0, 5, 'station-7');
  identified(1, 5, 'station-7');
  identified(1, 6, 'station-7');
  assert.deepEqual(orders(), ['0: replace 5', '1: replace 5']);
  // The end of an older connection changes nothing for the device.
  closed(0, 5);
  asks(0, 7, 'd');
  identified(0, 7, 'station-7');
  assert.deepEqual(orders(), ['0: admit 7', '1: replace 6']);
  closed(1, 6);
  closed(0, 7);
  asks(0, 8);
  identified(0, 8, 'station-7');
  assert.deepEqual(orders(), ['0: admit 8']);
});

test('each zipcode counts once, while a connection has it', () => {
  const { ledger, asks, identified, closed } = ledgerOf();
  for (const process of [0, 1]) {
    asks(process, 1);
    identified(process, 1);
  }
  assert.equal(ledger.uniqueZipcodes, 1);
  for (const process of [0, 1]) closed(process, 1);
  assert.equal(ledger.uniqueZipcodes, 0);
});

test('a crashed process gives its places, devices and zipcodes back', () => {
  const { ledger, asks, identified, orders } = ledgerOf();
  asks(0, 1);
  asks(0, 2);
  identified(0, 1, 'one');
  asks(1, 1, 'b');
  identified(1, 1, 'two');
  orders();
  ledger.removeAll(0);
  assert.deepEqual([ledger.admission.active, ledger.uniqueZipcodes], [1, 1]);
  // The process that starts again counts from 0.
  asks(0, 0);
  asks(0, 1);
  identified(0, 0, 'one');
  assert.deepEqual(orders(), ['0: admit 0', '0: admit 1']);
});

test('two connections that take each other’s place stop each other after a burst, others with the id of their own go on', () => {
  let now = 0;
  const log: string[] = [];
  const table = new DeviceTable<{ address: string; closed?: boolean }>({
    log: testLog({}, { write: (line: string) => log.push(line) }),
    now: () => now,
    random: () => 0,
  });
  let takeovers = 0;
  let refusals = 0;
  let holder = { address: '10.0.0.1' };
  table.identified('one', holder);
  for (; now < 60_000; now += 1) {
    const newcomer = { address: holder.address === '10.0.0.1' ? '10.0.0.2' : '10.0.0.1' };
    const takeover = table.identified('one', newcomer);
    assert.equal(takeover?.reconnectAfterMs, 60_000);
    if (takeover.loser === newcomer) {
      refusals++;
      continue;
    }
    assert.equal(takeover.loser, holder);
    takeovers++;
    table.closed('one', holder);
    holder = newcomer;
  }
  assert.equal(takeovers, TAKEOVERS.burst + 5);
  assert.equal(takeovers + refusals, 60_000);
  // Another id is free to change its connection, and the end of the limited one changes nothing for its holder.
  table.identified('two', { address: '10.0.0.3' });
  assert.equal(table.identified('two', { address: '10.0.0.4' })?.loser.address, '10.0.0.3');
  assert.ok(log.length >= 6 && log.length <= 8, `${log.length} lines`);
  const line = JSON.parse(log[1] ?? '') as Record<string, unknown>;
  assert.equal(line.deviceId, 'one');
  assert.deepEqual([line.from, line.to].sort(), ['10.0.0.1', '10.0.0.2']);
});

test('a connection that ends and comes back between takeovers does not renew the burst', () => {
  const table = new DeviceTable<{ address: string }>({ log: silent, now: () => 0 });
  const victim = () => ({ address: '10.0.0.1' });
  let lost = 0;
  for (let round = 0; round < 100; round++) {
    const device = victim();
    table.identified('one', device);
    const attacker = { address: '10.0.0.2' };
    if (table.identified('one', attacker)?.loser === device) lost++;
    table.closed('one', attacker);
    table.closed('one', device);
  }
  assert.equal(lost, TAKEOVERS.burst);
});
