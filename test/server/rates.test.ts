// TCP_MAX_MESSAGES_PER_SECOND and TCP_MAX_BYTES_PER_SECOND slow one connection down. Nothing is dropped. The time of the
// connections is the test's own.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { ConnectionOptions } from '../../src/server/connection-host.ts';
import type { TcpServer } from '../../src/server/tcp-server.ts';
import { Device } from '../support/device.ts';
import { gatewayFor } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';
import { listen, sinkOf, type TestClock, testClock } from './stage.ts';

interface Stage {
  readonly server: TcpServer;
  readonly port: number;
  readonly clock: TestClock;
  /** The lines that were taken, in their order. */
  readonly lines: string[];
}

async function stage(t: TestContext, options: Partial<ConnectionOptions>): Promise<Stage> {
  const clock = testClock(t);
  const lines: string[] = [];
  const sink = sinkOf((job) => {
    lines.push(Buffer.from(job.bytes.subarray(job.start, job.end)).toString());
    job.session.accept();
    job.session.done();
    return true;
  });
  return { ...(await listen(t, sink, { wheel: clock.wheel, options })), clock, lines };
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => String(index));

async function slowed({ counters }: TcpServer): Promise<void> {
  await waitFor('the connection is slowed down', () => counters.slowed === 1);
}

describe('TCP_MAX_MESSAGES_PER_SECOND', () => {
  it('takes a second’s worth at once and the rest at that rate, in order', async (t) => {
    const { server, port, clock, lines } = await stage(t, { maxMessagesPerSecond: 50 });
    const device = await Device.identified(port);
    device.send(`${numbers(300).join('\n')}\n`);
    await slowed(server);
    assert.ok(lines.length <= 50, `${lines.length} at once`);
    await clock.pass(2000);
    assert.ok(lines.length >= 130 && lines.length <= 151, `${lines.length} after 2 s`);
    await clock.pass(5000);
    assert.deepEqual(lines, numbers(300));
    assert.equal(server.counters.linesRefused, 0);
    assert.equal(server.counters.slowed, 0);
  });

  it('does not touch a device that stays below it, or the neighbour of one that does not', async (t) => {
    const { server, port, clock, lines } = await stage(t, { maxMessagesPerSecond: 50 });
    const [fast, good] = [await Device.identified(port), await Device.identified(port)];
    fast.send('fast\n'.repeat(1000));
    await slowed(server);
    for (let second = 0; second < 10; second++) {
      good.send('good\n'.repeat(40));
      await waitFor('its lines', () => lines.filter((line) => line === 'good').length === 40 * (second + 1));
      assert.equal(server.counters.slowed, 1);
      await clock.pass(1000);
    }
    assert.equal(good.ended, false);
  });

  it('is told with rate_limited, once a minute at most, and the connection stays open', async (t) => {
    const { server, port, clock } = await stage(t, {
      maxMessagesPerSecond: 10,
      inactivityTimeoutMs: 2000,
      lineTimeoutMs: 2000,
    });
    const device = await Device.identified(port);
    device.send(`${numbers(1000).join('\n')}\n{`);
    await slowed(server);
    assert.equal((await device.read()).code, 'rate_limited');
    await clock.pass(55_000);
    assert.equal(server.counters.refused.rate_limited, 1);
    await clock.pass(10_000);
    assert.equal((await device.read()).code, 'rate_limited');
    assert.equal(server.counters.refused.rate_limited, 2);
    assert.deepEqual([server.counters.linesRefused, device.ended], [0, false]);
  });

  it('ends for a stop: lines that were read are handled', async (t) => {
    const { server, port, lines } = await stage(t, { maxMessagesPerSecond: 10 });
    const device = await Device.identified(port);
    device.send(`${numbers(500).join('\n')}\n`);
    await slowed(server);
    server.stopReading();
    assert.deepEqual(lines, numbers(500));
    device.destroy();
  });

  it('lets a device half-close: all its lines are handled, then FIN', async (t) => {
    const { server, port, clock, lines } = await stage(t, { maxMessagesPerSecond: 10 });
    const device = await Device.identified(port);
    device.send(numbers(50).join('\n'));
    device.halfClose();
    await slowed(server);
    await clock.pass(5000);
    assert.deepEqual(await device.restCodes(), ['rate_limited']);
    assert.deepEqual(lines, numbers(50));
  });
});

describe('TCP_MAX_BYTES_PER_SECOND', () => {
  it('counts bytes, also of lines longer than the rate', async (t) => {
    const { server, port, clock, lines } = await stage(t, { maxBytesPerSecond: 1000 });
    const device = await Device.identified(port);
    device.send(`${'x'.repeat(4999)}\n${'y'.repeat(99)}\n`.repeat(2));
    await slowed(server);
    assert.equal(lines.length, 1);
    await clock.pass(3500);
    assert.equal(lines.length, 1);
    await clock.pass(1500);
    assert.deepEqual([lines.length, lines[1]?.[0]], [3, 'y']);
    await clock.pass(6000);
    assert.equal(lines.length, 4);
  });
});

for (const env of [{ TCP_MAX_MESSAGES_PER_SECOND: '50' }, { TCP_MAX_BYTES_PER_SECOND: '2000' }])
  it(`a gateway with ${Object.keys(env).join()} keeps to it`, async (t) => {
    const gateway = await gatewayFor(t, env);
    const [device, good] = [await Device.identified(gateway.port), await Device.identified(gateway.port)];
    const beganMs = performance.now();
    device.send('{"type":"metrics","data":{"a":1}}\n'.repeat(100));
    await waitFor('all records', () => {
      good.send('{"type":"keepalive"}\n');
      return gateway.snapshot().records.accepted === 100;
    });
    const tookMs = performance.now() - beganMs;
    assert.ok(tookMs > 600, `${tookMs} ms`);
    assert.equal(gateway.snapshot().lines.refused.rate_limited >= 1, true);
    device.destroy();
    good.destroy();
  });

describe('without a rate', () => {
  it('nothing is slowed down', async (t) => {
    const { server, port, lines } = await stage(t, {});
    const device = await Device.identified(port);
    device.send(`${numbers(100_000).join('\n')}\n`);
    await waitFor('all lines', () => lines.length === 100_000);
    assert.equal(server.counters.slowed, 0);
  });
});
