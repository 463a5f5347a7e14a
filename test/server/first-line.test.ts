// Lines before identify: their limits, and that they go through the queue.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JobSink } from '../../src/queue/job.ts';
import { Device, IDENTIFY } from '../support/device.ts';
import { gatewayFor } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';
import { assertBalance, CONNECTION, listen, sinkOf, testClock } from './stage.ts';

describe('before identify', () => {
  const identifyOf = (length: number) => {
    const start = '{"type":"identify","zipcode":"1","city":"x","padding":"';
    return `${start}${'x'.repeat(length - start.length - 2)}"}`;
  };

  it('a line has at most 8 KiB, and after it as many bytes as any', async (t) => {
    const gateway = await gatewayFor(t);
    const device = await Device.connect(gateway.port);
    const long = `{"type":"metrics","data":[${Array(300).fill('"a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9"').join(',')}]}\n`;
    assert.ok(long.length > 10_000);
    // In one write: the limit of the first line must not meet the second one.
    device.send(`${identifyOf(8192)}\n${long}`);
    assert.equal((await device.read()).status, 'identified');
    await waitFor('its records', () => gateway.snapshot().records.accepted === 300);
    const tooLong = await Device.connect(gateway.port);
    tooLong.send(`${identifyOf(8193)}\n`);
    assert.deepEqual(await tooLong.restCodes(), ['line_too_long']);
    assertBalance(gateway.snapshot());
  });

  it('an unfinished line holds at most 8 KiB', async (t) => {
    const gateway = await gatewayFor(t);
    const devices = await Promise.all(Array.from({ length: 20 }, () => Device.connect(gateway.port)));
    for (const device of devices) device.send(identifyOf(8192));
    await waitFor('their bytes', () => gateway.snapshot().connections.receivedBytes === 20 * 8192);
    const { bufferBytes } = gateway.snapshot().connections;
    assert.ok(bufferBytes > 20 * 8000 && bufferBytes <= 20 * 8193, `${bufferBytes} bytes held`);
    devices[0]?.send('xx');
    assert.deepEqual(await devices[0]?.restCodes(), ['line_too_long']);
    for (const device of devices) device.destroy();
    await waitFor('no bytes held', () => gateway.snapshot().connections.bufferBytes === 0);
  });

  it('one line at a time is in the queue, so that many devices of rubbish do not fill it', async (t) => {
    const gateway = await gatewayFor(t, { TCP_JOB_QUEUE_SIZE: '100' });
    const bad = await Promise.all(Array.from({ length: 50 }, () => Device.connect(gateway.port)));
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, gateway.snapshot().queue.depth);
    });
    t.after(() => clearInterval(watch));
    // Fifty times the queue. Each line costs a turn, which over TLS on a busy machine took 2 ms.
    for (const device of bad) device.send('x\n'.repeat(100));
    await waitFor('all lines', () => gateway.snapshot().lines.refusedLines === 5_000);
    assert.ok(most <= 50, `${most} lines in the queue`);
    for (const device of bad) device.destroy();
  });

  it('a line that came in time and waits for room in the queue is not late', async (t) => {
    let hasRoom = false;
    const room: (() => void)[] = [];
    const empty = sinkOf(() => true);
    const sink: JobSink = {
      ...empty,
      offer: (job) => hasRoom && empty.offer(job),
      awaitRoom: (session) => void room.push(() => session.onRoom()),
    };
    const clock = testClock(t);
    const { port } = await listen(t, sink, { wheel: clock.wheel });
    const device = await Device.connect(port);
    device.send(IDENTIFY);
    await waitFor('it waits', () => room.length === 1);
    await clock.pass(2 * CONNECTION.identifyTimeoutMs);
    hasRoom = true;
    for (const onRoom of room) onRoom();
    assert.equal((await device.read()).status, 'identified');
  });
});
