// TCP_BUFFER_BYTES: what connections hold is bounded, those that hold most go first, and others feel nothing.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MemoryBudget, type MemoryHolder } from '../../src/server/memory-budget.ts';
import { Device, IDENTIFY } from '../support/device.ts';
import { type Gateway, gatewayFor } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';
import { assertAlive, listen, sinkOf, testClock } from './stage.ts';

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const ENV = { TCP_BUFFER_BYTES: '1MiB' };

/** Answers each line. */
const ANSWERING = sinkOf(({ session }) => {
  session.accept();
  session.alive();
  session.done();
  return true;
});

/** Watches that the bytes never pass the limit. */
function watchBytes(gateway: Gateway): { stop(): void } {
  const look = () => {
    const { bufferBytes, bufferCapacityBytes } = gateway.snapshot().connections;
    // One read of one device may be on top.
    assert.ok(bufferBytes >= 0 && bufferBytes <= bufferCapacityBytes + 64 * KIB, `${bufferBytes} bytes held`);
  };
  const timer = setInterval(look, 1);
  return { stop: () => clearInterval(timer) };
}

describe('the bytes that connections hold', () => {
  it('are counted: an unfinished line, and nothing once it has ended', async (t) => {
    const gateway = await gatewayFor(t);
    const device = await Device.identified(gateway.port);
    const start = '{"type":"metrics","data":{"a":"';
    device.send(start + 'x'.repeat(1000));
    const { connections } = await waitFor('the bytes', () => {
      const snapshot = gateway.snapshot();
      return snapshot.connections.bufferBytes > 0 && snapshot;
    });
    assert.ok(connections.bufferBytes >= 1000 && connections.bufferBytes <= 2100);
    assert.equal(connections.bufferCapacityBytes, 256 * MIB);
    device.send('"}}\n');
    await assertAlive(device);
    assert.equal(gateway.snapshot().connections.bufferBytes, 0);
    device.send(start);
    await waitFor('the next line', () => gateway.snapshot().connections.bufferBytes > 0);
    device.reset();
    await waitFor('its end', () => gateway.snapshot().connections.active === 0);
    assert.equal(gateway.snapshot().connections.bufferBytes, 0);
  });

  it('of unfinished lines never pass the limit: the largest are paused, then closed with overloaded', async (t) => {
    const clock = testClock(t);
    const { server, port } = await listen(t, ANSWERING, {
      wheel: clock.wheel,
      options: { bufferBytes: MIB },
    });
    const [good, small] = [await Device.identified(port), await Device.identified(port)];
    small.send('{"type":');
    const bad = await Promise.all(Array.from({ length: 60 }, () => Device.identified(port)));
    for (let part = 0; part < 16; part++) {
      for (const device of bad) device.send('x'.repeat(4000));
      await assertAlive(good);
      assert.ok(server.memory.used <= MIB, `${server.memory.used} bytes held`);
    }
    await waitFor('most are paused', () => server.counters.paused > 30);
    await clock.pass(5500);
    assert.ok(server.counters.refused.overloaded > 10);
    await assertAlive(good);
    small.send('"keepalive"}\n');
    assert.equal((await small.read()).status, 'alive');
    await waitFor('their end', () => bad.filter((device) => device.ended).length > 10);
    for (const device of bad.filter(({ ended }) => ended))
      assert.deepEqual(await device.restCodes(), ['overloaded']);
    for (const device of bad) device.destroy();
    await waitFor('no bytes held', () => server.memory.used === 0);
  });

  it('of unread replies never pass the limit', async (t) => {
    const gateway = await gatewayFor(t, ENV);
    const watch = watchBytes(gateway);
    const good = await Device.identified(gateway.port);
    const bad = await Promise.all(
      Array.from({ length: 20 }, () => Device.connect(gateway.port, { reads: false })),
    );
    for (const device of bad) device.send(IDENTIFY);
    const flood = setInterval(() => {
      for (const device of bad)
        if (device.socket.writableLength < 100_000) device.send('{"type":"keepalive"}\n'.repeat(5000));
    });
    t.after(() => clearInterval(flood));
    await waitFor('one to be closed', () => gateway.snapshot().lines.refused.overloaded > 0);
    await assertAlive(good);
    clearInterval(flood);
    watch.stop();
    const warnings = gateway.log.filter(({ msg }) => msg.includes('TCP_BUFFER_BYTES'));
    assert.deepEqual([warnings.length, warnings[0]?.remoteAddress], [1, '127.0.0.1']);
    for (const device of bad) device.destroy();
    await waitFor('the end of all', () => gateway.snapshot().connections.active === 1);
    assert.equal(gateway.snapshot().connections.bufferBytes, 0);
  });
});

describe('near the limit', () => {
  it('the largest are paused, and read again when there is room', async (t) => {
    const clock = testClock(t);
    const { server, port } = await listen(t, ANSWERING, {
      wheel: clock.wheel,
      options: { bufferBytes: MIB },
    });
    const devices = await Promise.all(Array.from({ length: 10 }, () => Device.identified(port)));
    const held = (bytes: number) => waitFor(`${bytes} bytes`, () => server.memory.used >= bytes);
    for (const device of devices) device.send('x'.repeat(60 * KIB));
    await held(600 * KIB);
    assert.equal(server.counters.paused, 0);
    const more = await Promise.all(Array.from({ length: 3 }, () => Device.identified(port)));
    for (const device of more) device.send('x'.repeat(60 * KIB));
    await waitFor('some are paused', () => server.counters.paused > 0);
    const { paused } = server.counters;
    assert.ok(paused < 13, `${paused} paused`);
    // Those who may go on end their lines, and so make room.
    for (const device of [...devices, ...more]) device.send('\n');
    await waitFor('all lines', () => server.counters.linesAccepted === 26);
    assert.deepEqual([server.counters.paused, server.memory.used], [0, 0]);
    for (const device of [...devices, ...more]) assert.equal((await device.read()).status, 'alive');
    assert.equal(server.counters.refused.overloaded, 0);
  });

  it('those that make no room within 5 s are closed with overloaded', async (t) => {
    const clock = testClock(t);
    const { server, port } = await listen(
      t,
      sinkOf(() => true),
      { wheel: clock.wheel, options: { bufferBytes: MIB } },
    );
    const devices = await Promise.all(Array.from({ length: 13 }, () => Device.identified(port)));
    for (const device of devices) device.send('x'.repeat(60 * KIB));
    await waitFor('some are paused', () => server.counters.paused > 0);
    const { paused } = server.counters;
    await clock.pass(4500);
    assert.equal(server.counters.refused.overloaded, 0);
    await clock.pass(1000);
    assert.equal(server.counters.refused.overloaded > 0, true);
    assert.ok(server.counters.refused.overloaded <= paused);
    await waitFor('room', () => server.counters.paused === 0 && server.memory.used <= 0.75 * MIB);
    for (const device of devices) device.destroy();
  });
});

it('40,000 connections are read again one after the other, however each of them charges meanwhile', async () => {
  const budget = new MemoryBudget(160_000_000);
  let paused = 0;
  let deepest = 0;
  let depth = 0;
  const holders = Array.from({ length: 40_000 }, (): MemoryHolder => {
    const holder: MemoryHolder = {
      chargedBytes: 0,
      sizeClass: -1,
      pauseForMemory: () => paused++,
      resumeForMemory: () => {
        paused--;
        deepest = Math.max(deepest, ++depth);
        budget.charge(holder, 1100);
        depth--;
      },
      overloaded: () => budget.charge(holder, 0),
    };
    return holder;
  });
  for (const holder of holders) budget.charge(holder, 3500);
  assert.ok(paused > 10_000, `${paused} paused`);
  for (const holder of holders) budget.charge(holder, 1200);
  await waitFor('all are read', () => paused === 0);
  assert.equal(deepest, 1);
});

it('lines that wait are counted with their size, and only while they wait', async (t) => {
  let hasRoom = false;
  const waiting: (() => void)[] = [];
  const sink = sinkOf(
    (job) => {
      if (!hasRoom) return false;
      job.session.accept();
      job.session.alive();
      job.session.done();
      return true;
    },
    { awaitRoom: (source) => void waiting.push(() => source.onRoom()) },
  );
  const { server, port } = await listen(t, sink);
  const devices = await Promise.all(Array.from({ length: 9 }, () => Device.identified(port)));
  for (const device of devices) device.send('{"a":1}\n'.repeat(100));
  await waitFor('all wait', () => server.heldLines === 900);
  assert.equal(server.memory.used, 9 * 800);
  hasRoom = true;
  for (const onRoom of waiting) onRoom();
  await waitFor('all lines', () => server.counters.linesAccepted === 909);
  assert.equal(server.memory.used, 0);
  for (const device of devices)
    for (let i = 0; i < 100; i++) assert.equal((await device.read()).status, 'alive');
});
