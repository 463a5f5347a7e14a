import assert from 'node:assert/strict';
import { mock, type TestContext, test } from 'node:test';
import type { CloseReason } from '../../src/protocol/close-reasons.ts';
import { CRASHED, type PresenceState } from '../../src/protocol/presence-state.ts';
import { RESUME_WAIT_MS } from '../../src/resume/resume-table.ts';
import { ConnectionLedger, type ConnectionOrder } from '../../src/server/connection-ledger.ts';
import { DeviceTable, TAKEOVER_WAIT_MS, TAKEOVERS } from '../../src/server/device-table.ts';
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

test('a device that has ended its connections itself may come back as often as it likes', () => {
  const { ledger, asks, identified, closed, orders } = ledgerOf();
  asks(0, 0);
  identified(0, 0, 'one');
  for (let number = 1; number <= 1000; number++) {
    asks(number % 2, number, 'b');
    // The FIN is known before or after the takeover.
    const ended = () => ledger.handle((number - 1) % 2, { type: 'ended', number: number - 1, by: 'device' });
    if (number % 3 === 0) ended();
    orders();
    identified(number % 2, number, 'one');
    assert.deepEqual(orders(), [`${(number - 1) % 2}: replace ${number - 1}`]);
    if (number % 3 !== 0) ended();
    closed((number - 1) % 2, number - 1);
  }
  // Live connections count as ever.
  for (let number = 2001; number <= 2006; number++) {
    asks(0, number, 'b');
    orders();
    identified(0, number, 'one');
    const loser = number === 2001 ? 1000 : number === 2006 ? 2006 : number - 1;
    assert.deepEqual(orders(), [`0: replace ${loser}`]);
    closed(0, loser);
  }
});

test('a takeover that the gateway itself ended counts', () => {
  const { ledger, asks, identified, closed, orders } = ledgerOf();
  asks(0, 0);
  identified(0, 0, 'one');
  for (let number = 1; number <= 6; number++) {
    asks(0, number, 'b');
    orders();
    identified(0, number, 'one');
    assert.deepEqual(orders(), [`0: replace ${number === 6 ? 6 : number - 1}`]);
    ledger.handle(0, { type: 'ended', number: number - 1, by: 'gateway' });
    closed(0, number - 1);
  }
});

/** A ledger whose device `one` has used up its takeovers. Connection 5 of process 0 holds it. */
function usedUp(t: TestContext) {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const stage = ledgerOf();
  const { ledger, asks, identified, closed, orders } = stage;
  for (let number = 0; number <= TAKEOVERS.burst; number++) {
    asks(0, number);
    identified(0, number, 'one');
    if (number > 0) closed(0, number - 1);
  }
  orders();
  const resumes = (number: number) => {
    asks(1, number, 'b');
    orders();
    ledger.handle(1, { type: 'identified', number, zipcode: '1', deviceId: 'one', resumes: true });
    return orders();
  };
  return { ...stage, resumes };
}

test('a connection that resumes and is one too many waits for the end of the earlier one', (t) => {
  const { ledger, resumes, closed, orders } = usedUp(t);
  assert.deepEqual(resumes(7), []);
  // A newer one takes its place.
  assert.deepEqual(resumes(8), ['1: replace 7']);
  closed(1, 7);
  ledger.handle(0, { type: 'ended', number: 5, by: 'device' });
  ledger.handle(0, { type: 'settled', number: 5, storedSeq: 12 });
  assert.deepEqual(orders(), ['1: resumed 8']);
  // It has the device_id now.
  assert.deepEqual(resumes(9), []);
  closed(1, 8);
  ledger.handle(1, { type: 'settled', number: 8, storedSeq: null });
  assert.deepEqual(orders(), ['1: resumed 9']);
});

test('it is closed after 2 s if the earlier one goes on, and waits no longer if it ends itself', (t) => {
  const { resumes, closed, orders } = usedUp(t);
  assert.deepEqual(resumes(7), []);
  mock.timers.tick(TAKEOVER_WAIT_MS - 1);
  assert.deepEqual(orders(), []);
  mock.timers.tick(1);
  assert.deepEqual(orders(), ['1: replace 7']);
  closed(1, 7);
  assert.deepEqual(resumes(8), []);
  closed(1, 8);
  mock.timers.tick(TAKEOVER_WAIT_MS);
  closed(0, 5);
  assert.deepEqual(orders(), []);
});

test('the wait for a place and that for the earlier connection have 5 s together', (t) => {
  const { ledger, resumes, orders } = usedUp(t);
  resumes(7);
  mock.timers.tick(0);
  ledger.handle(0, { type: 'ended', number: 5, by: 'device' });
  mock.timers.tick(RESUME_WAIT_MS);
  assert.deepEqual(orders(), ['1: resumed 7']);
  assert.equal(ledger.resumes.answers.unsettled, 1);
});

test('a resuming connection that is refused changes nothing of what is known', (t) => {
  const { ledger, resumes, closed, orders } = usedUp(t);
  resumes(7);
  mock.timers.tick(TAKEOVER_WAIT_MS);
  ledger.handle(1, { type: 'settled', number: 7, storedSeq: 99 });
  closed(1, 7);
  ledger.handle(0, { type: 'settled', number: 5, storedSeq: 3 });
  closed(0, 5);
  orders();
  resumes(8);
  assert.deepEqual([...ledger.resumes.entries()], []);
  ledger.handle(1, { type: 'settled', number: 8, storedSeq: null });
  assert.deepEqual([...ledger.resumes.entries()], [['one', 3]]);
});

test('a connection that waits goes on waiting when one without resume is refused', (t) => {
  const { resumes, asks, identified, closed, orders } = usedUp(t);
  resumes(7);
  asks(1, 8, 'b');
  identified(1, 8, 'one');
  closed(1, 8);
  assert.deepEqual(orders(), ['1: admit 8', '1: replace 8']);
  mock.timers.tick(TAKEOVER_WAIT_MS);
  assert.deepEqual(orders(), ['1: replace 7']);
});

test('a connection without resume that is refused has begun a new count: nothing is known behind it', (t) => {
  const { ledger, asks, identified, resumes, closed, orders } = usedUp(t);
  asks(1, 7, 'b');
  // It may write lines before it hears that it is replaced, with any seq.
  identified(1, 7, 'one');
  assert.deepEqual(orders(), ['1: admit 7', '1: replace 7']);
  closed(1, 7);
  ledger.handle(1, { type: 'settled', number: 7, storedSeq: 0 });
  ledger.handle(0, { type: 'settled', number: 5, storedSeq: 100 });
  closed(0, 5);
  assert.deepEqual([...ledger.resumes.entries()], []);
  assert.deepEqual(resumes(8), ['1: resumed 8']);
  assert.equal(ledger.resumes.answers.unknown, 1);
  assert.equal(ledger.resumes.unsettled, 1);
});

/** The states that the ledger tells, as `event connection key`. */
function presenceOf() {
  const told: string[] = [];
  const orders: string[] = [];
  const ledger = new ConnectionLedger(LIMITS, {
    order: (process, { type, number }) => void orders.push(`${process}: ${type} ${number}`),
    log: silent,
    presence: ({ event, connectionId, deviceId, reason }, hasDeviceId) =>
      void told.push(
        [event, connectionId, ...(hasDeviceId ? [`as ${deviceId}`] : []), ...(reason ? [reason] : [])].join(
          ' ',
        ),
      ),
  });
  const stateOf = (process: number, number: number, more: Partial<PresenceState> = {}): PresenceState => ({
    event: 'connected',
    atMs: 0,
    connectionId: `${process}.${number}`,
    remoteAddress: 'a',
    ...more,
  });
  return {
    ledger,
    serve(process: number, number: number, address = `${process}.${number}`) {
      ledger.handle(process, { type: 'asks', number, address });
      ledger.handle(process, { type: 'served', number, presence: stateOf(process, number) });
    },
    identify(process: number, number: number, deviceId?: string, resumes = false) {
      const presence = stateOf(process, number, { event: 'identified', deviceId });
      ledger.handle(process, { type: 'identified', number, zipcode: '90210', deviceId, resumes, presence });
    },
    close(process: number, number: number, deviceId?: string, reason: CloseReason = 'device_end') {
      const presence = stateOf(process, number, { event: 'closed', deviceId, reason });
      ledger.handle(process, { type: 'closed', number, presence });
    },
    /** Since the last call. */
    told: () => told.splice(0),
    orders,
  };
}

test('presence: the end of a replaced connection, in another process, is not told as that of its device', () => {
  const { serve, identify, close, told } = presenceOf();
  serve(0, 1);
  identify(0, 1, 'truck-7');
  serve(1, 1);
  identify(1, 1, 'truck-7');
  close(0, 1, 'truck-7', 'replaced');
  assert.deepEqual(told(), [
    'connected 0.1',
    'identified 0.1 as truck-7',
    'connected 1.1',
    'identified 1.1 as truck-7',
    'closed 0.1 replaced',
  ]);
  close(1, 1, 'truck-7', 'inactive');
  assert.deepEqual(told(), ['closed 1.1 as truck-7 inactive']);
});

test('presence: a connection that does not get its device_id is never told as that device', () => {
  const { serve, identify, close, told, orders } = presenceOf();
  serve(0, 0);
  identify(0, 0, 'truck-7');
  for (let number = 1; number <= TAKEOVERS.burst + 1; number++) {
    serve(0, number);
    told();
    identify(0, number, 'truck-7');
    if (number > TAKEOVERS.burst) break;
    assert.deepEqual(told(), [`identified 0.${number} as truck-7`]);
    close(0, number - 1, 'truck-7', 'replaced');
    assert.deepEqual(told(), [`closed 0.${number - 1} replaced`]);
  }
  const refused = TAKEOVERS.burst + 1;
  assert.equal(orders.at(-1), `0: replace ${refused}`);
  assert.deepEqual(told(), [`identified 0.${refused}`]);
  close(0, refused, 'truck-7', 'replaced');
  assert.deepEqual(told(), [`closed 0.${refused} replaced`]);
});

/** Connection 5 of process 0 has `truck-7`, and connection 1 of process 1 waits for it. */
function waitingFor(t: TestContext) {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const stage = presenceOf();
  const { serve, identify, close, told } = stage;
  for (let number = 0; number <= TAKEOVERS.burst; number++) {
    serve(0, number);
    identify(0, number, 'truck-7');
    if (number > 0) close(0, number - 1, 'truck-7', 'replaced');
  }
  serve(1, 1);
  told();
  identify(1, 1, 'truck-7', true);
  assert.deepEqual(told(), ['identified 1.1']);
  return stage;
}

test('presence: a connection that waited is told as the device behind the end of the earlier one, however that ends', (t) => {
  const closes = waitingFor(t);
  closes.close(0, 5, 'truck-7');
  assert.deepEqual(closes.told(), ['closed 0.5 as truck-7 device_end', 'identified 1.1 as truck-7']);
  closes.close(1, 1, 'truck-7');
  assert.deepEqual(closes.told(), ['closed 1.1 as truck-7 device_end']);

  mock.timers.reset();
  const ends = waitingFor(t);
  ends.ledger.handle(0, { type: 'ended', number: 5, by: 'device' });
  assert.deepEqual(ends.told(), ['identified 1.1 as truck-7']);
  ends.close(0, 5, 'truck-7');
  assert.deepEqual(ends.told(), ['closed 0.5 device_end']);

  mock.timers.reset();
  const crashes = waitingFor(t);
  crashes.ledger.removeAll(0);
  assert.deepEqual(crashes.told(), [`closed 0.5 as truck-7 ${CRASHED}`, 'identified 1.1 as truck-7']);

  mock.timers.reset();
  const goes = waitingFor(t);
  goes.close(1, 1, 'truck-7');
  goes.close(0, 5, 'truck-7');
  assert.deepEqual(goes.told(), ['closed 1.1 device_end', 'closed 0.5 as truck-7 device_end']);
});

test('presence: the connections of a crashed process are told as closed, and those of the others are not', () => {
  const { ledger, serve, identify, told } = presenceOf();
  serve(0, 1);
  identify(0, 1, 'truck-1');
  serve(1, 1);
  identify(1, 1, 'truck-2');
  serve(1, 2);
  told();
  ledger.removeAll(1);
  assert.deepEqual(told(), [`closed 1.1 as truck-2 ${CRASHED}`, `closed 1.2 ${CRASHED}`]);
  ledger.removeAll(1);
  assert.deepEqual(told(), []);
});

test('presence: a connection that is no device, or was never served, is not told', () => {
  const { ledger, told } = presenceOf();
  ledger.handle(0, { type: 'asks', number: 1, address: 'a' });
  ledger.handle(0, { type: 'closed', number: 1 });
  assert.deepEqual(told(), []);
});
