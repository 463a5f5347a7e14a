// Devices that send more than the gateway can take, or do not read their replies: nothing grows, nothing is lost.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { TurnBudget } from '../../src/queue/turn-budget.ts';
import { Connection } from '../../src/server/connection.ts';
import type { ConnectionHost } from '../../src/server/connection-host.ts';
import { createServerCounters } from '../../src/server/counters.ts';
import { MemoryBudget } from '../../src/server/memory-budget.ts';
import { ReplyFlush } from '../../src/server/reply-flush.ts';
import { TimerWheel } from '../../src/server/timer-wheel.ts';
import { Device, IDENTIFY } from '../support/device.ts';
import { type Gateway, gatewayFor } from '../support/gateway.ts';
import { stateOf } from '../support/health.ts';
import { waitFor } from '../support/wait.ts';
import { ManualTimers } from './manual-timers.ts';
import { RUBBISH, sendRubbish } from './rubbish.ts';
import { admitted, assertAlive, assertBalance, CONNECTION, listen, sinkOf } from './stage.ts';

const MIB = 2 ** 20;

/** Sends `chunk` until the gateway has paused a device and takes no more from this one. Returns how many were sent. */
async function pushUntilStuck(
  gateway: Gateway,
  device: Device,
  { chunk, max }: { chunk: string; max: number },
): Promise<number> {
  let sent = 0;
  while (sent < max) {
    sent++;
    if (device.send(chunk)) continue;
    const drained = once(device.socket, 'drain').then(() => true);
    if (!(await Promise.race([drained, stuck(gateway, device.socket)]))) return sent;
  }
  return sent;
}

/** Resolves with false when the socket has written nothing for half a second while the gateway does not read. */
async function stuck(gateway: Gateway, socket: Socket): Promise<boolean> {
  let written = -1;
  let since = performance.now();
  await waitFor(
    'the socket to get stuck',
    () => {
      const now = socket.bytesWritten - socket.writableLength;
      // A busy machine stops writing too, so time alone proves nothing.
      if (now !== written || gateway.snapshot().connections.paused === 0) since = performance.now();
      written = now;
      return performance.now() - since > 500;
    },
    60_000,
  );
  return false;
}

/** Devices and gateway share this process, which a busy machine does not run for half a second now and then. */
const TIMEOUT_MS = 2_000;

/** Watches how many lines one turn of the event loop takes. */
function linesATurn(gateway: Gateway): { stop(): number } {
  let before = gateway.snapshot().lines.received;
  let most = 0;
  let watching = true;
  const look = () => {
    const { received } = gateway.snapshot().lines;
    most = Math.max(most, received - before);
    before = received;
    if (watching) setImmediate(look);
  };
  setImmediate(look);
  return {
    stop: () => {
      watching = false;
      return most;
    },
  };
}

describe('records that nobody takes', () => {
  const reading = (index: number) => `{"type":"metrics","data":{"i":${index},"x":"${'x'.repeat(900)}"}}\n`;

  for (const pool of ['true', 'false']) {
    it(`fill KAFKA_BUFFER_BYTES, pause the sockets, end readiness and lose no line (TCP_USE_WORKER_POOL=${pool})`, async (t) => {
      const gateway = await gatewayFor(t, {
        KAFKA_BUFFER_BYTES: '4MiB',
        KAFKA_COMPRESSION: 'none',
        SPOOL_MAX_BYTES: '1MiB',
        SPOOL_SEGMENT_BYTES: '1MiB',
        TCP_USE_WORKER_POOL: pool,
        TCP_INACTIVITY_TIMEOUT: `${TIMEOUT_MS}ms`,
        TCP_LINE_TIMEOUT: `${TIMEOUT_MS}ms`,
      });
      assert.equal(stateOf(gateway.snapshot(), 'buffer'), 'ok ok');
      const devices = await Promise.all(Array.from({ length: 4 }, () => Device.identified(gateway.port)));
      const block = Array.from({ length: 64 }, (_, index) => reading(index)).join('');
      const samples = setInterval(() => assertBalance(gateway.snapshot()), 5);
      t.after(() => clearInterval(samples));
      const sent = await Promise.all(
        devices.map((device) => pushUntilStuck(gateway, device, { chunk: block, max: 1000 })),
      );
      assert.ok(
        sent.every((blocks) => blocks < 1000),
        'each device was held back',
      );
      // When Kafka counts as unreachable, some records go to the spool and all devices are read for a moment.
      // A fair queue pauses devices for a moment too, so the buffer has to be full as well.
      await waitFor('all to be held back at once', () => {
        const { connections, kafka } = gateway.snapshot();
        return connections.paused === 4 && kafka.buffersFull === 1;
      });
      const heldMs = performance.now();
      await waitFor('both timeouts to pass', () => performance.now() - heldMs > 1.5 * TIMEOUT_MS);

      const snapshot = gateway.snapshot();
      assertBalance(snapshot);
      assert.equal(snapshot.connections.active, 4);
      assert.equal(snapshot.readiness.ready, false);
      assert.match(snapshot.readiness.reasons.join(), /KAFKA_BUFFER_BYTES/);
      assert.deepEqual(
        [stateOf(snapshot, 'buffer'), stateOf(snapshot, 'spool')],
        ['failed full', 'failed full'],
      );
      // The figure, the component and readiness agree.
      assert.ok(snapshot.kafka.bufferBytes > 0.95 * snapshot.kafka.bufferCapacityBytes);
      assert.equal(snapshot.lines.refusedLines, 0);
      assert.ok(snapshot.records.accepted > 2000, `${snapshot.records.accepted} records`);
      assert.ok(snapshot.kafka.bufferBytes <= 4 * MIB);
      assert.ok(snapshot.queue.depth <= snapshot.queue.capacity);
      assert.ok(snapshot.queue.bytes <= snapshot.queue.capacityBytes);
      // The devices were silent for longer than both timeouts, but nobody read them.
      assert.deepEqual(
        devices.map(({ ended }) => ended),
        [false, false, false, false],
      );
      assert.equal(
        Object.values(snapshot.lines.refused).reduce((sum, count) => sum + count),
        0,
      );
    });
  }
});

describe('a device that never reads its replies', () => {
  it('is no longer read, and costs no more memory than the limits', async (t) => {
    const gateway = await gatewayFor(t);
    const device = await Device.identified(gateway.port);
    const silent = await Device.connect(gateway.port, { reads: false });
    silent.send(IDENTIFY);
    const block = '{"type":"keepalive"}\n'.repeat(3000);
    const before = process.memoryUsage().rss;
    const sent = await pushUntilStuck(gateway, silent, { chunk: block, max: 2000 });
    assert.ok(sent < 2000, 'it was held back');
    const { connections } = gateway.snapshot();
    assert.equal(connections.paused, 1);
    const grown = process.memoryUsage().rss - before;
    assert.ok(grown < 64 * MIB, `${Math.round(grown / MIB)} MiB more`);
    await assertAlive(device);
    // When the device reads, it gets all replies.
    silent.resume();
    await waitFor('all lines', () => gateway.snapshot().lines.received === sent * 3000 + 2 + 1);
    await waitFor('no pause', () => gateway.snapshot().connections.paused === 0);
    silent.halfClose();
    const replies = await silent.rest();
    assert.equal(replies.length, sent * 3000 + 1);
    assertBalance(gateway.snapshot());
  });

  it('is closed with slow_reader at once if the replies to its waiting lines are too many', async (t) => {
    const sink = sinkOf((job) => {
      for (let i = 0; i < 100_000; i++) job.session.alive();
      job.session.done();
      return true;
    });
    const { server, port } = await listen(t, sink);
    const silent = await Device.connect(port, { reads: false });
    silent.send(`${IDENTIFY}{}\n{}\n`);
    await waitFor('slow_reader', () => server.counters.refused.slow_reader === 1);
    silent.destroy();
    await waitFor('its end', () => server.activeConnections === 0);
  });

  it('is closed with slow_reader after 30 s, also while one of its lines waits for the queue', async (t) => {
    const timers = new ManualTimers();
    const wheel = new TimerWheel({ tickMs: 100, clock: timers.clock, timers });
    const counters = createServerCounters();
    let full = false;
    const sink = sinkOf((job) => {
      if (full) return false;
      for (let i = 0; i < 30; i++) job.session.alive();
      job.session.done();
      return true;
    });
    const closed: Connection[] = [];
    const host: ConnectionHost<Connection> = {
      options: CONNECTION,
      sink,
      wheel,
      counters,
      memory: new MemoryBudget(256 * MIB),
      replyFlush: new ReplyFlush(new TurnBudget()),
      received: () => {},
      identified: () => {},
      ended: () => {},
      settled: () => {},
      refused: () => {},
      authorize: () => ({ deviceId: undefined, grant: undefined }),
      unauthorized: () => {},
      wrongProtocol: () => {},
      framingLost: () => {},
      limitReached: () => {},
      aged: () => {},
      closed: (connection) => closed.push(connection),
    };
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      new Connection(host, admitted(socket));
    });
    t.after(() => server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    wheel.start();
    t.after(() => wheel.stop());
    const { port } = server.address() as { port: number };
    const device = createConnection({ port, host: '127.0.0.1' });
    device.on('error', () => {});
    t.after(() => device.destroy());
    device.write(IDENTIFY);
    await waitFor('the identify', () => counters.linesAccepted === 1);
    // Until the kernel takes no more replies.
    let since = performance.now();
    await waitFor('it to fall behind', () => {
      device.write('x\n'.repeat(100));
      if (counters.paused === 0) since = performance.now();
      return performance.now() - since > 500;
    });
    full = true;
    timers.pass(29_000);
    assert.equal(counters.refused.slow_reader, 0);
    timers.pass(1500);
    assert.equal(counters.refused.slow_reader, 1);
    assert.equal(counters.paused, 0);
    timers.pass(2500);
    await waitFor('the end', () => closed.length === 1);
  });
});

describe('one device among others', () => {
  it('that sends only rubbish gets a bounded number of lines in each turn, and the others are served', async (t) => {
    const gateway = await gatewayFor(t);
    const good = await Device.identified(gateway.port);
    for (const identify of ['', IDENTIFY]) {
      for (const text of RUBBISH) {
        const turns = linesATurn(gateway);
        await sendRubbish(gateway, identify + text);
        const most = turns.stop();
        assert.ok(most < 5000, `${most} lines in one turn of the loop`);
        await assertAlive(good);
      }
    }
    assertBalance(gateway.snapshot());
  });

  it('that floods the queue does not make a quiet one wait for long', async (t) => {
    const gateway = await gatewayFor(t, { TCP_JOB_QUEUE_SIZE: '50' });
    const [noisy, quiet] = [await Device.identified(gateway.port), await Device.identified(gateway.port)];
    const line = '{"type":"metrics","data":{"a":1}}\n';
    noisy.send(line.repeat(100_000));
    await waitFor('the flood', () => gateway.snapshot().records.accepted > 1000);
    await assertAlive(quiet);
    const accepted = gateway.snapshot().records.accepted;
    assert.ok(accepted < 90_000, `${accepted} of the flood came before it`);
    await waitFor('the whole flood', () => gateway.snapshot().records.accepted === 100_000);
  });
});
