// TCP_MAX_CONNECTION_AGE: a connection leaves at its age, in order, and never in the middle of a burst. The time of the
// connections is the test's own.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Job } from '../../src/queue/job.ts';
import { Device, type Reply } from '../support/device.ts';
import { gatewayFor } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';
import { listen, sinkOf, testClock } from './stage.ts';

const AGE_MS = 60_000;
const KEEPALIVE = '{"type":"keepalive"}\n';

/** A server whose sink answers `alive` at once. */
async function stage(t: TestContext, { handle = answer, maxAgeMs = AGE_MS } = {}) {
  const clock = testClock(t);
  const options = { maxAgeMs, inactivityTimeoutMs: 10 * AGE_MS };
  return { ...(await listen(t, sinkOf(handle), { wheel: clock.wheel, options })), clock };
}

function answer({ session }: Job): boolean {
  session.accept();
  session.alive();
  session.done();
  return true;
}

async function goodbyeOf(device: Device): Promise<Reply> {
  return JSON.parse((await device.rest()).at(-1) ?? '{}') as Reply;
}

describe('TCP_MAX_CONNECTION_AGE', () => {
  it('ends a connection at its age with closing, max_age and a delay', async (t) => {
    const { port, clock, server } = await stage(t);
    const device = await Device.identified(port);
    await clock.pass(0.89 * AGE_MS);
    assert.equal(device.ended, false);
    await clock.pass(0.22 * AGE_MS);
    const { status, code, reconnect_after_ms: delayMs = 0 } = await goodbyeOf(device);
    assert.deepEqual([status, code], ['closing', 'max_age']);
    assert.ok(delayMs >= 500 && delayMs <= 5000, `${delayMs}`);
    device.destroy();
    await waitFor('the connection ends', () => server.activeConnections === 0);
  });

  it('differs by up to a tenth, so that devices that came together do not leave together', async (t) => {
    const { port, clock, server } = await stage(t);
    const devices = await Promise.all(Array.from({ length: 60 }, () => Device.identified(port)));
    for (const device of devices) device.socket.on('end', () => device.halfClose());
    const left: number[] = [];
    await clock.pass(0.9 * AGE_MS);
    for (let tenth = 0; tenth < 10; tenth++) {
      await clock.pass(0.02 * AGE_MS);
      left.push(server.activeConnections);
    }
    await clock.pass(1000);
    await waitFor('all have left', () => server.activeConnections === 0);
    assert.ok((left[4] ?? 0) > 10 && (left[4] ?? 0) < 50, `after half of the time ${left} are left`);
  });

  it('0 ends none', async (t) => {
    const { port, clock } = await stage(t, { maxAgeMs: 0 });
    const device = await Device.identified(port);
    await clock.pass(5 * AGE_MS);
    device.send(KEEPALIVE);
    assert.equal((await device.read()).status, 'alive');
    device.destroy();
  });

  it('waits for lines that are handled, and for the stored of each of them', async (t) => {
    const held: Job['session'][] = [];
    const handle = ({ session }: Job) => {
      session.accept();
      held.push(session);
      return true;
    };
    const { port, clock } = await stage(t, { handle });
    const device = await Device.identified(port);
    device.sendMessages(
      { type: 'metrics', seq: 1, data: { a: 1 } },
      { type: 'metrics', seq: 2, data: { a: 1 } },
    );
    await waitFor('both lines are in the queue', () => held.length === 2);
    await clock.pass(1.2 * AGE_MS);
    assert.equal(device.ended, false);
    const [session] = held;
    session?.expectStored(2);
    for (const one of held) one.done();
    await clock.pass(1000);
    assert.equal(device.ended, false, 'stored is due');
    session?.stored(2);
    assert.deepEqual(await device.restCodes(), ['stored', 'max_age']);
    device.destroy();
  });

  it('waits for a pause of the device, 5 s at most', async (t) => {
    const { port, clock } = await stage(t);
    const device = await Device.identified(port);
    await clock.pass(0.89 * AGE_MS);
    let sent = 0;
    const talk = async (ms: number) => {
      for (let passed = 0; passed < ms && !device.ended; passed += 100) {
        device.send(KEEPALIVE);
        sent++;
        assert.ok(['alive', 'closing'].includes((await device.read()).status));
        await clock.pass(100);
      }
    };
    // It never pauses, so it goes at most 5 s after the latest time.
    await talk(0.21 * AGE_MS + 6000);
    assert.equal(device.ended, true);
    assert.ok(sent > 50, `${sent} keepalives`);
    device.destroy();
  });

  it('never cuts an unfinished line short within these 5 s', async (t) => {
    const { port, clock } = await stage(t);
    const device = await Device.identified(port);
    await clock.pass(0.89 * AGE_MS);
    device.send('{"type":');
    await clock.pass(0.01 * AGE_MS + 4000);
    device.send('"keepalive"}\n');
    assert.equal((await device.read()).status, 'alive');
    await clock.pass(0.2 * AGE_MS);
    assert.equal((await goodbyeOf(device)).code, 'max_age');
    device.destroy();
  });
});

describe('TCP_MAX_CONNECTION_AGE of a whole gateway', () => {
  it('tells stored for every reading that was accepted, before closing', async (t) => {
    const gateway = await gatewayFor(t, { TCP_MAX_CONNECTION_AGE: '1s' });
    const device = await Device.identified(gateway.port);
    let seq = 0;
    const replies: Reply[] = [];
    const timer = setInterval(() => {
      if (device.ended) return;
      for (let i = 0; i < 20; i++) device.send(`{"type":"metrics","seq":${++seq},"data":{"a":${seq}}}\n`);
      if (seq > 400) clearInterval(timer);
    }, 20);
    t.after(() => clearInterval(timer));
    for (const line of await device.rest()) replies.push(JSON.parse(line) as Reply);
    clearInterval(timer);
    device.destroy();
    const last = replies.pop();
    assert.deepEqual([last?.status, last?.code], ['closing', 'max_age']);
    const told = replies.map((reply) => reply.seq ?? -1);
    assert.deepEqual(
      told,
      told.toSorted((a, b) => a - b),
    );
    assert.equal(told.at(-1), gateway.snapshot().records.accepted);
    assert.equal(told.at(-1), seq, 'it waited for the end of the burst');
    await waitFor('its end is counted', () => gateway.snapshot().connections.closed.max_age === 1);
  });
});
