// After the stop has begun, devices cannot prolong it.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { TcpServer } from '../../src/server/tcp-server.ts';
import { Device, IDENTIFY } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Gateway, gatewayFor } from '../support/gateway.ts';
import { silentBroker } from '../support/silent-broker.ts';
import { waitFor } from '../support/wait.ts';
import { admitted, sinkOf, startServer } from './stage.ts';

const INACTIVITY_TIMEOUT_MS = 400;

interface Stage {
  readonly server: TcpServer;
  /** A device, and its socket on the side of the server, not adopted yet. */
  connect(): Promise<{ device: Device; accepted: Socket }>;
}

const ACCEPTING = sinkOf((job) => {
  job.session.accept();
  job.session.done();
  return true;
});

async function stage(t: TestContext, sink = ACCEPTING): Promise<Stage> {
  const server = startServer(t, sink, { options: { inactivityTimeoutMs: INACTIVITY_TIMEOUT_MS } });
  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  t.after(() => listener.close());
  return {
    server,
    async connect() {
      const arrived = new Promise<Socket>((resolve) => listener.once('connection', resolve));
      const device = await Device.connect(port);
      t.after(() => device.destroy());
      return { device, accepted: await arrived };
    },
  };
}

const STUCK_MS = 300;

/** True if a device is paused and no line was taken for a while. */
const isStuck = (() => {
  let received = -1;
  let sinceMs = 0;
  return (gateway: Gateway): boolean => {
    const { lines, connections } = gateway.snapshot();
    if (lines.received !== received || connections.paused === 0) sinceMs = performance.now();
    received = lines.received;
    return performance.now() - sinceMs > STUCK_MS;
  };
})();

describe('after the stop has begun', () => {
  it('a connection that arrives late is not read, and gets closing', async (t) => {
    const { server, connect } = await stage(t);
    const { device, accepted } = await connect();
    device.send(`${IDENTIFY}${'{"type":"keepalive"}\n'.repeat(100)}`);
    server.stopReading();
    server.adopt(admitted(accepted));
    const late = connect();
    server.adopt(admitted((await late).accepted));
    await server.close(1000);
    assert.deepEqual([server.counters.linesReceived, server.counters.identified], [0, 0]);
    assert.deepEqual(await device.restCodes(), ['shutdown']);
    assert.deepEqual(await (await late).device.restCodes(), ['shutdown']);
  });

  it('a device is not closed as inactive, because nobody reads it', async (t) => {
    const { server, connect } = await stage(t);
    const { device, accepted } = await connect();
    server.adopt(admitted(accepted));
    device.send(IDENTIFY);
    assert.equal((await device.read()).status, 'identified');
    server.stopReading();
    const beganMs = performance.now();
    await waitFor(
      'its inactivity timeout has passed twice',
      () => performance.now() - beganMs > 2 * INACTIVITY_TIMEOUT_MS,
    );
    assert.equal(server.counters.refused.inactive, 0);
    await server.close(1000);
    assert.deepEqual(await device.restCodes(), ['shutdown']);
  });

  it('lines that wait for room in the queue are counted', async (t) => {
    const { server, connect } = await stage(
      t,
      sinkOf(() => false),
    );
    const { device, accepted } = await connect();
    server.adopt(admitted(accepted));
    device.send(`${IDENTIFY}{"a":1}\n{"a":2}\n{"a":3}\n{"a":`);
    await waitFor('the lines are held', () => server.heldLines === 3);
    server.stopReading();
    assert.equal(server.heldLines, 3);
  });

  it('a device that begins to read its replies adds no further lines', async (t) => {
    const broker = await silentBroker(t, { partitions: 3 });
    const gateway = await gatewayFor(t, {
      KAFKA_BROKERS: broker.bootstrap,
      KAFKA_TOPIC_DEAD_LETTERS: '',
      KAFKA_NUM_PARTITIONS: '3',
      // So small that lines stay in the connection when the device does not read its replies.
      TCP_JOB_QUEUE_SIZE: '10',
      KAFKA_REQUEST_TIMEOUT: '60s',
    });
    const slow = await Device.connect(gateway.port, { reads: false });
    t.after(() => slow.destroy());
    slow.send(IDENTIFY);
    const flood = () => {
      while (slow.socket.writableLength < 2 ** 20) slow.send('{"type":"keepalive"}\n'.repeat(1000));
    };
    slow.socket.on('drain', flood);
    flood();
    await waitFor('the device is behind with its replies, and lines are left', () => isStuck(gateway));
    // The stop waits until its soft deadline for the confirmation of this reading.
    const other = await Device.identified(gateway.port);
    t.after(() => other.destroy());
    other.sendMessages({ type: 'metrics', seq: 1, data: { t: 1 } });
    await waitFor('a reading is on its way', () => broker.produceRequests > 0);
    const { lines } = gateway.snapshot();
    const stopped = gateway.stop();
    slow.resume();
    await waitFor('the device has read its replies', () => gateway.snapshot().connections.paused === 0);
    assert.equal((await stopped).unconfirmed, 0);
    assert.equal(gateway.snapshot().lines.received, lines.received);
    assert.deepEqual(await other.restCodes(), ['stored', 'shutdown']);
  });

  it('lines that neither Kafka nor the disk takes are counted exactly, wherever they wait', async (t) => {
    const spool = temporaryDirectory(t);
    const gateway = await gatewayFor(t, {
      SPOOL_DIR: spool,
      SHUTDOWN_TIMEOUT: '500ms',
      KAFKA_BUFFER_BYTES: '4MiB',
      KAFKA_COMPRESSION: 'none',
      TCP_JOB_QUEUE_SIZE: '10',
    });
    // A file in the place of the log's directory: the spool cannot take anything.
    writeFileSync(join(spool, 'weather.metrics.raw~unplaced'), '');
    const device = await Device.identified(gateway.port);
    t.after(() => device.destroy());
    const line = `{"type":"metrics","data":{"pad":"${'x'.repeat(900)}"}}\n`;
    device.send(line.repeat(10_000));
    await waitFor('the buffer is full and the device is held back', () => isStuck(gateway));
    const { connections, records, lines } = gateway.snapshot();
    const read = Math.floor((connections.receivedBytes - IDENTIFY.length) / line.length);
    assert.ok(read > records.accepted + lines.waiting, 'lines wait in the connection too');
    const { complete, unconfirmed } = await gateway.stop();
    assert.deepEqual({ complete, unconfirmed }, { complete: false, unconfirmed: read });
  });
});
