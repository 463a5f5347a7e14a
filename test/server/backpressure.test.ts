// Devices that send more than can be taken, or do not read what they are told: nothing grows, nothing is lost.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, it, mock, type TestContext } from 'node:test';
import type { JobSink } from '../../src/queue/job.ts';
import { Connection, type ConnectionHost } from '../../src/server/connection.ts';
import { createServerCounters } from '../../src/server/counters.ts';
import { TimerWheel } from '../../src/server/timer-wheel.ts';
import { Device, IDENTIFY } from '../support/device.ts';
import { type Env, type Gateway, startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';

const MIB = 2 ** 20;

async function gatewayFor(t: TestContext, env?: Env): Promise<Gateway> {
  const gateway = await startGateway(env);
  t.after(() => gateway.stop());
  return gateway;
}

function balance({ lines }: ReturnType<Gateway['snapshot']>): void {
  assert.equal(lines.received, lines.accepted + lines.refusedLines + lines.waiting);
  assert.ok(lines.waiting >= 0);
}

/** Sends `chunk` until the other side takes no more for a while; returns how many went out. */
async function pushUntilStuck(device: Device, chunk: string, most: number): Promise<number> {
  let sent = 0;
  while (sent < most) {
    sent++;
    if (device.send(chunk)) continue;
    const drained = once(device.socket, 'drain').then(() => true);
    if (!(await Promise.race([drained, stuck(device.socket)]))) return sent;
  }
  return sent;
}

/** Resolves with false once the socket has written nothing for half a second. */
async function stuck(socket: Socket): Promise<boolean> {
  let written = -1;
  let since = performance.now();
  await waitFor(
    'the socket to get stuck',
    () => {
      const now = socket.bytesWritten - socket.writableLength;
      if (now !== written) since = performance.now();
      written = now;
      return performance.now() - since > 500;
    },
    60_000,
  );
  return false;
}

/** Watches how many lines one turn of the event loop takes in. */
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
        TCP_INACTIVITY_TIMEOUT: '300ms',
        TCP_LINE_TIMEOUT: '300ms',
      });
      assert.doesNotMatch(gateway.snapshot().readiness.reasons.join(), /KAFKA_BUFFER_BYTES/);
      const devices = await Promise.all(Array.from({ length: 4 }, () => Device.identified(gateway.port)));
      const block = Array.from({ length: 64 }, (_, index) => reading(index)).join('');
      const samples = setInterval(() => balance(gateway.snapshot()), 5);
      t.after(() => clearInterval(samples));
      const sent = await Promise.all(devices.map((device) => pushUntilStuck(device, block, 1000)));
      assert.ok(
        sent.every((blocks) => blocks < 1000),
        'each device was held back',
      );
      // When it is certain that Kafka cannot be reached, some of it goes to the spool, and all go on for a moment.
      await waitFor('all to be held back at once', () => gateway.snapshot().connections.paused === 4);

      const snapshot = gateway.snapshot();
      balance(snapshot);
      assert.equal(snapshot.connections.active, 4);
      assert.equal(snapshot.readiness.ready, false);
      assert.match(snapshot.readiness.reasons.join(), /KAFKA_BUFFER_BYTES/);
      assert.equal(snapshot.lines.refusedLines, 0);
      assert.ok(snapshot.records.accepted > 2000, `${snapshot.records.accepted} records`);
      assert.ok(snapshot.kafka.bufferBytes <= 4 * MIB);
      assert.ok(snapshot.queue.depth <= snapshot.queue.capacity);
      assert.ok(snapshot.queue.bytes <= snapshot.queue.capacityBytes);
      // Held back, they are silent for longer than both timeouts, and it is not held against them.
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
  it('is no longer read from, and costs no more than its limits', async (t) => {
    const gateway = await gatewayFor(t);
    const device = await Device.identified(gateway.port);
    const silent = await Device.connect(gateway.port, { reads: false });
    silent.send(IDENTIFY);
    const block = '{"type":"keepalive"}\n'.repeat(3000);
    const before = process.memoryUsage().rss;
    const sent = await pushUntilStuck(silent, block, 2000);
    assert.ok(sent < 2000, 'it was held back');
    const { connections } = gateway.snapshot();
    assert.equal(connections.paused, 1);
    const grown = process.memoryUsage().rss - before;
    assert.ok(grown < 64 * MIB, `${Math.round(grown / MIB)} MiB more`);
    device.send('{"type":"keepalive"}\n');
    assert.equal((await device.read()).status, 'alive');
    // Once it reads it gets them all.
    silent.resume();
    await waitFor('all lines', () => gateway.snapshot().lines.received === sent * 3000 + 2 + 1, 30_000);
    await waitFor('no pause', () => gateway.snapshot().connections.paused === 0);
    silent.halfClose();
    const replies = await silent.rest(30_000);
    assert.equal(replies.length, sent * 3000 + 1);
    balance(gateway.snapshot());
  });

  it('is closed with slow_reader at once where its waiting lines answer too much', async (t) => {
    const gateway = await gatewayFor(t, { TCP_JOB_QUEUE_SIZE: '1000000' });
    const silent = await Device.connect(gateway.port, { reads: false });
    silent.send(IDENTIFY);
    silent.send('{}\n'.repeat(400_000));
    await waitFor('slow_reader', () => gateway.snapshot().lines.refused.slow_reader === 1, 30_000);
    await waitFor('its end', () => gateway.snapshot().connections.active === 0, 30_000);
    balance(gateway.snapshot());
  });

  it('is closed with slow_reader after 30 s of it, also while a line of it waits for the queue', async (t) => {
    mock.timers.enable({ apis: ['setInterval'] });
    t.after(() => mock.timers.reset());
    let clockMs = 0;
    const wheel = new TimerWheel({ tickMs: 100, clock: () => clockMs });
    const counters = createServerCounters();
    let full = false;
    const sink: JobSink = {
      offer: (job) => {
        if (full) return false;
        // As a worker that refuses every line.
        job.session.refuse({ code: 'invalid_message', message: 'x'.repeat(1000) }, job);
        job.session.done();
        return true;
      },
      awaitRoom: () => {},
      forget: () => {},
      stats: { depth: 0, capacity: 0, bytes: 0, capacityBytes: 0 },
    };
    const options = {
      maxLineBytes: 1000,
      identifyTimeoutMs: 10_000,
      inactivityTimeoutMs: 120_000,
      lineTimeoutMs: 30_000,
      queueFull: 'pause' as const,
    };
    const closed: Connection[] = [];
    const host: ConnectionHost = {
      options,
      sink,
      wheel,
      counters,
      activeConnections: 0,
      received: () => {},
      identified: () => {},
      lineRefused: () => {},
      dropped: () => {},
      closed: (connection) => closed.push(connection),
    };
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      new Connection(host, socket);
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
    // Until the kernel takes no more replies either.
    let since = performance.now();
    await waitFor('it to fall behind', () => {
      device.write('x\n'.repeat(100));
      if (counters.paused === 0) since = performance.now();
      return performance.now() - since > 500;
    });
    full = true;
    const pass = (ms: number) => {
      for (const until = clockMs + ms; clockMs < until; ) {
        clockMs += 100;
        mock.timers.tick(100);
      }
    };
    pass(29_000);
    assert.equal(counters.refused.slow_reader, 0);
    pass(1500);
    assert.equal(counters.refused.slow_reader, 1);
    assert.equal(counters.paused, 0);
    pass(2500);
    await waitFor('the end', () => closed.length === 1);
  });
});

describe('one device among others', () => {
  it('that sends nothing but rubbish does not hold the loop for long, nor the others', async (t) => {
    const gateway = await gatewayFor(t);
    const good = await Device.identified(gateway.port);
    const fields = Array.from({ length: 4000 }, (_, index) => `"${index}":[1,{}]`).join(',');
    const rubbish = [
      '{}\n'.repeat(200_000),
      '[1]\n'.repeat(20_000),
      `{"type":"metrics","data":[${Array(1000).fill('"a=b,c=d,e=f"').join(',')}]}\n`.repeat(100),
      `{"type":"metrics","data":{${fields}}}\n`.repeat(100),
      `{"type":"metrics","data":${'['.repeat(30_000)}${']'.repeat(30_000)}}\n`.repeat(100),
    ];
    for (const identify of ['', IDENTIFY]) {
      for (const text of rubbish) {
        const bad = await Device.connect(gateway.port);
        const lag = monitorEventLoopDelay({ resolution: 5 });
        const turns = linesATurn(gateway);
        lag.enable();
        bad.send(identify + text);
        bad.halfClose();
        await bad.rest(30_000);
        lag.disable();
        const longest = Math.round(lag.max / 1e6);
        const most = turns.stop();
        t.diagnostic(
          `${text.slice(0, 20).replaceAll('\n', ' ')}: ${longest} ms, ${most} lines a turn at most`,
        );
        assert.ok(most < 5000, `${most} lines in one turn of the loop`);
        assert.ok(longest < 1000, `the loop stood still for ${longest} ms`);
        good.send('{"type":"keepalive"}\n');
        assert.equal((await good.read()).status, 'alive');
      }
    }
    balance(gateway.snapshot());
  });

  it('that floods the queue does not keep a quiet one waiting for long', async (t) => {
    const gateway = await gatewayFor(t, { TCP_JOB_QUEUE_SIZE: '50' });
    const [noisy, quiet] = [await Device.identified(gateway.port), await Device.identified(gateway.port)];
    const line = '{"type":"metrics","data":{"a":1}}\n';
    noisy.send(line.repeat(100_000));
    await waitFor('the flood', () => gateway.snapshot().records.accepted > 1000);
    quiet.send('{"type":"keepalive"}\n');
    assert.equal((await quiet.read()).status, 'alive');
    const accepted = gateway.snapshot().records.accepted;
    assert.ok(accepted < 90_000, `${accepted} of the flood came before it`);
    await waitFor('the whole flood', () => gateway.snapshot().records.accepted === 100_000, 30_000);
  });
});
