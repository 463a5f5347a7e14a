// How connections begin, carry lines and end, on real sockets.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Device, IDENTIFY, readings } from '../support/device.ts';
import { tlsForm } from '../support/form.ts';
import { type Gateway, gatewayFor, startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';
import { assertAlive, assertBalance } from './stage.ts';

const METRICS = '{"type":"metrics","data":{"a":1}}\n';

/** Waits until the gateway has accepted so many records. The balance of lines has to hold all the time. */
async function accepted(gateway: Gateway, records: number): Promise<void> {
  await waitFor(`${records} records, ${gateway.snapshot().records.accepted} so far`, () => {
    const snapshot = gateway.snapshot();
    assertBalance(snapshot);
    return snapshot.records.accepted >= records;
  });
  assert.equal(gateway.snapshot().records.accepted, records);
}

/** These have devices that speak no TLS, or that are refused without a reply over TLS. */
const PLAIN_ONLY = tlsForm() !== undefined;

describe('lines', () => {
  it('may arrive one byte at a time', async (t) => {
    const gateway = await gatewayFor(t);
    const device = await Device.connect(gateway.port);
    for (const byte of Buffer.from(`${IDENTIFY}${METRICS}${METRICS.replace('\n', '\r\n')}`)) {
      device.send(Buffer.of(byte));
      await new Promise((resolve) => device.socket.write('', resolve));
    }
    assert.equal((await device.read()).status, 'identified');
    await accepted(gateway, 2);
  });

  it('may arrive 10,000 in one write with the identify, and with LF and CR LF mixed', async (t) => {
    const gateway = await gatewayFor(t);
    const device = await Device.connect(gateway.port);
    const line = (index: number) => METRICS.replace('\n', index % 2 === 0 ? '\n' : '\r\n');
    device.send(IDENTIFY + Array.from({ length: 10_000 }, (_, index) => line(index)).join(''));
    await accepted(gateway, 10_000);
    assert.equal(gateway.snapshot().lines.refusedLines, 0);
  });

  it('keep their order although the queue is full again and again', async (t) => {
    const gateway = await gatewayFor(t, { TCP_JOB_QUEUE_SIZE: '3', TCP_WORKER_COUNT: '7' });
    const device = await Device.identified(gateway.port);
    // seq has to rise, so a line out of order would be refused.
    device.sendMessages(...readings(5000));
    await accepted(gateway, 5000);
    assert.equal(gateway.snapshot().lines.refusedLines, 0);
    assert.equal(gateway.snapshot().connections.paused, 0);
  });
});

describe('a half-close', () => {
  it('is answered with all replies and then a FIN, as `printf | nc -N` needs', async (t) => {
    const gateway = await gatewayFor(t);
    const device = await Device.connect(gateway.port);
    device.send(`${IDENTIFY}${METRICS}nonsense\n{"type":"keepalive"}\n`);
    device.halfClose();
    assert.deepEqual(await device.restCodes(), ['identified', 'invalid_json', 'alive']);
    assert.equal(device.error, undefined);
    assert.equal(gateway.snapshot().records.accepted, 1);
    await waitFor('the end', () => gateway.snapshot().connections.active === 0);
  });

  it('after thousands of lines loses no line and no reply', async (t) => {
    const gateway = await gatewayFor(t, { TCP_JOB_QUEUE_SIZE: '5' });
    const device = await Device.connect(gateway.port);
    const count = 5000;
    device.send(`${IDENTIFY}${`${METRICS}{"type":"keepalive"}\n`.repeat(count)}nonsense`);
    device.halfClose();
    const codes = await device.restCodes();
    assert.equal(codes.length, count + 2);
    assert.equal(codes.at(-1), 'invalid_json');
    assert.equal(gateway.snapshot().records.accepted, count);
  });

  for (const [name, last, codes, records] of [
    ['after a line without line feed makes that line count', METRICS.trim(), [], 2],
    ['in the middle of a line makes no record of that line', METRICS.slice(0, 20), ['invalid_json'], 1],
  ] as const)
    it(name, async (t) => {
      const gateway = await gatewayFor(t);
      const device = await Device.identified(gateway.port);
      device.send(METRICS + last);
      device.halfClose();
      assert.deepEqual(await device.restCodes(), codes);
      assert.equal(gateway.snapshot().records.accepted, records);
    });

  it('without further lines ends the connection, before and after identify', async (t) => {
    const gateway = await gatewayFor(t);
    for (const device of [await Device.connect(gateway.port), await Device.identified(gateway.port)]) {
      device.halfClose();
      assert.deepEqual(await device.rest(), []);
    }
    await waitFor('the end', () => gateway.snapshot().connections.active === 0);
    assert.equal(gateway.snapshot().connections.uniqueZipcodes, 0);
  });

  it('is answered after the stored of the last seq', async (t) => {
    // With this linger the record is durable only after the stop, and until then the connection stays.
    const gateway = await gatewayFor(t, { KAFKA_BATCH_TIMEOUT: '30s' });
    const device = await Device.identified(gateway.port);
    device.send('{"type":"metrics","seq":1,"data":{"a":1}}\n');
    device.halfClose();
    await accepted(gateway, 1);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(device.ended, false);
    await gateway.stop();
    assert.deepEqual(await device.rest(), ['{"type":"ack","status":"stored","seq":1}']);
  });
});

describe('a reset', () => {
  it('in the middle of a line harms no other connection, and earlier lines count', async (t) => {
    const gateway = await gatewayFor(t);
    const [bad, good] = [await Device.identified(gateway.port), await Device.identified(gateway.port)];
    bad.send(METRICS + METRICS.slice(0, 10));
    await accepted(gateway, 1);
    bad.reset();
    await waitFor('the end', () => gateway.snapshot().connections.active === 1);
    good.send(METRICS);
    await accepted(gateway, 2);
  });

  it('right after each of 2,000 connects leaves nothing behind', async (t) => {
    const gateway = await gatewayFor(t);
    const resets = Array.from({ length: 2000 }, async (_, index) => {
      const socket = connect({ port: gateway.port, host: '127.0.0.1' });
      socket.on('error', () => {});
      await once(socket, 'connect');
      if (index % 2 === 0) socket.write(index % 4 === 0 ? IDENTIFY + METRICS : '{"type":"iden');
      socket.resetAndDestroy();
    });
    await Promise.all(resets);
    const good = await Device.identified(gateway.port);
    await waitFor('the end of all others', () => gateway.snapshot().connections.active === 1);
    good.send(METRICS.repeat(3));
    const { connections, lines } = await waitFor('its records', () => {
      const snapshot = gateway.snapshot();
      return snapshot.lines.waiting === 0 && snapshot.records.accepted >= 3 && snapshot;
    });
    assert.deepEqual([connections.identified, connections.uniqueZipcodes, connections.paused], [1, 1, 0]);
    assert.equal(lines.refusedLines, 0);
    assert.ok(connections.scheduledTimers <= 1);
  });
});

describe('our FIN that waits behind replies which the device does not read', () => {
  const KEEPALIVES = '{"type":"keepalive"}\n'.repeat(10_000);
  const identify = '{"type":"identify","zipcode":"90210","city":"Beverly Hills","device_id":"station-1"}\n';

  for (const end of ['reset', 'silence'] as const)
    it(`does not keep a connection open: ${end}`, async (t) => {
      const gateway = await gatewayFor(t);
      const device = await Device.connect(gateway.port, { reads: false });
      t.after(() => device.destroy());
      device.send(identify);
      await waitFor('replies that nobody reads', () => {
        if (device.socket.writableLength === 0) device.send(KEEPALIVES);
        return gateway.snapshot().connections.paused === 1;
      });
      const successor = await Device.connect(gateway.port);
      successor.send(identify);
      assert.equal((await successor.read()).status, 'identified');
      await waitFor('the end by the gateway', () => gateway.snapshot().lines.refused.replaced === 1);
      // A socket that is reset while its FIN waits may hear nothing of it (Node 20).
      if (end === 'reset') device.reset();
      await waitFor('its close', () => gateway.snapshot().connections.active === 1, 15_000);
      await assertAlive(successor);
    });
});

describe('a stalled event loop', () => {
  it('makes no device count as idle that sent meanwhile', { skip: PLAIN_ONLY }, async (t) => {
    const gateway = await gatewayFor(t, { TCP_INACTIVITY_TIMEOUT: '600ms', TCP_LINE_TIMEOUT: '600ms' });
    // The device has its own thread, so it sends while this one stands still.
    const device = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       const socket = require('node:net').connect(workerData.port, '127.0.0.1');
       let replies = '';
       socket.on('data', (data) => { replies += data; });
       socket.on('close', () => parentPort.postMessage(replies));
       socket.write(workerData.identify, () => parentPort.postMessage('ready'));
       let half = false;
       setInterval(() => {
         socket.write(half ? '"keepalive"}\\n' : '{"type":');
         half = !half;
       }, 100);`,
      { eval: true, workerData: { port: gateway.port, identify: IDENTIFY } },
    );
    t.after(() => device.terminate());
    const ended: unknown[] = [];
    await once(device, 'message');
    device.on('message', (replies) => ended.push(replies));
    await waitFor('the device to identify', () => gateway.snapshot().connections.identified === 1);
    for (let stall = 0; stall < 3; stall++) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
      // Until sockets and timers have had several turns.
      const lines = gateway.snapshot().lines.received;
      await waitFor('lines after the stall', () => gateway.snapshot().lines.received > lines + 3);
    }
    const { lines, connections } = gateway.snapshot();
    assert.deepEqual(ended, []);
    assert.equal(connections.active, 1);
    assert.equal(lines.refused.inactive + lines.refused.line_timeout + lines.refused.identify_timeout, 0);
  });
});

describe('stop()', () => {
  it('sends closing to every device, reads nothing more and leaves no handle open', {
    skip: PLAIN_ONLY,
  }, async () => {
    const before = process.getActiveResourcesInfo().length;
    const gateway = await startGateway({ TCP_MAX_CONNECTIONS: '3' });
    const devices = await Promise.all(Array.from({ length: 3 }, () => Device.identified(gateway.port)));
    const [busy, , silent] = devices;
    busy?.send(METRICS.repeat(1000));
    const refused = await Device.connect(gateway.port, { reads: false });
    assert.ok(silent);
    await accepted(gateway, 1000);
    const { complete, unconfirmed } = await gateway.stop();
    assert.deepEqual({ complete, unconfirmed }, { complete: true, unconfirmed: 0 });
    for (const device of devices) {
      const [goodbye] = await device.rest();
      const { status, code, reconnect_after_ms: delayMs } = JSON.parse(goodbye ?? '{}');
      assert.deepEqual([status, code], ['closing', 'shutdown']);
      assert.ok(delayMs >= 500 && delayMs <= 5000);
      device.destroy();
    }
    refused.destroy();
    await waitFor('no handle', () => process.getActiveResourcesInfo().length <= before + 1);
  });

  it('is complete at once if nothing waits', async () => {
    const gateway = await startGateway({ SHUTDOWN_TIMEOUT: '1h' });
    const device = await Device.identified(gateway.port);
    await assertAlive(device);
    device.socket.on('end', () => device.halfClose());
    const { complete, unconfirmed } = await gateway.stop();
    assert.deepEqual({ complete, unconfirmed }, { complete: true, unconfirmed: 0 });
  });
});
