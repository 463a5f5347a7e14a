// An operator closes a connection: its lines are answered first, within a time. That time is the test's own.
import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import type { Job } from '../../src/queue/job.ts';
import { Connection } from '../../src/server/connection.ts';
import { Device, type Reply } from '../support/device.ts';
import { waitFor } from '../support/wait.ts';
import { listen, sinkOf, testClock } from './stage.ts';

const KEEPALIVE = '{"type":"keepalive"}\n';

/** A server whose queue holds the lines of an identified device until the test says so. */
async function stage(t: TestContext) {
  const clock = testClock(t);
  const held: Job[] = [];
  const sink = sinkOf((job) => {
    held.push(job);
    return true;
  });
  const { port, server } = await listen(t, sink, { wheel: clock.wheel });
  const device = await Device.identified(port);
  t.after(() => device.destroy());
  /** Sends lines, and resolves with the connection once they are in the queue. */
  const queued = async (text: string, lines: number) => {
    device.send(text);
    await waitFor(`${lines} lines`, () => held.length === lines);
    const session = held[0]?.session;
    assert.ok(session instanceof Connection);
    return session;
  };
  const answerAll = () => {
    for (const { session } of held.splice(0)) {
      session.alive();
      session.done();
    }
  };
  return { clock, device, server, queued, answerAll };
}

async function last(device: Device): Promise<Reply> {
  return JSON.parse((await device.rest()).at(-1) ?? '{}') as Reply;
}

it('a kick waits for the lines that have come and for `stored`, and no further line is taken', async (t) => {
  const { clock, device, server, queued, answerAll } = await stage(t);
  const connection = await queued(KEEPALIVE.repeat(3), 3);
  connection.expectStored(7);
  assert.equal(connection.kick(4321), true);
  assert.equal(connection.kick(1), false, 'it is kicked already');
  device.send(KEEPALIVE);
  await clock.pass(1000);
  answerAll();
  await clock.pass(1000);
  assert.equal(device.ended, false, '`stored` is due');
  connection.stored(7);
  const replies = (await device.rest()).map((line) => JSON.parse(line) as Reply);
  assert.deepEqual(
    replies.map(({ status, code }) => code ?? status),
    ['alive', 'alive', 'alive', 'stored', 'kicked'],
  );
  assert.equal(replies.at(-1)?.reconnect_after_ms, 4321);
  device.destroy();
  await waitFor('it is gone', () => server.activeConnections === 0);
  assert.deepEqual([server.counters.closed.kicked, server.counters.refused.kicked], [1, 1]);
  assert.deepEqual(
    [...server.closedConnections.values()].map(({ end, lastCode }) => [end?.reason, lastCode]),
    [['kicked', 'kicked']],
  );
});

it('a kick waits 5 s at most: then `kicked` comes although lines are not answered', async (t) => {
  const { clock, device, queued } = await stage(t);
  const connection = await queued(KEEPALIVE, 1);
  connection.kick(0);
  await clock.pass(4800);
  assert.equal(device.ended, false);
  await clock.pass(500);
  assert.deepEqual(await device.restCodes(), ['kicked']);
});

it('after a half-close the last line is answered, then the kick ends the connection', async (t) => {
  const { device, queued, answerAll } = await stage(t);
  const connection = await queued(KEEPALIVE, 1);
  device.send('{"type":"keepalive"}');
  device.halfClose();
  await waitFor('the FIN', () => connection.receivedLines === 3);
  connection.kick(0);
  answerAll();
  assert.deepEqual(await device.restCodes(), ['alive', 'alive', 'kicked']);
});

it('a kicked device that reads none of its replies is cut off', async (t) => {
  const { clock, device, server, queued } = await stage(t);
  const connection = await queued(KEEPALIVE, 1);
  device.socket.pause();
  // More than the kernel takes.
  for (let n = 0; n < 300_000 && connection.stage !== 'closing' && connection.pauses === 0; n++)
    connection.alive();
  await waitFor('its replies are stuck', () => connection.pauses !== 0);
  assert.equal(connection.kick(0), true);
  await clock.pass(5300);
  assert.equal(server.activeConnections, 1, 'it still has time to read');
  await clock.pass(2300);
  await waitFor('it is gone', () => server.activeConnections === 0);
  assert.equal(server.counters.closed.kicked, 1);
});

it('a stop does not wait for a kick, and a kick overtakes an ordered departure', async (t) => {
  const { device, queued } = await stage(t);
  const connection = await queued(KEEPALIVE, 1);
  connection.depart('max_age', 500);
  assert.equal(connection.kick(600), true);
  connection.stopReading();
  connection.shutdown(700);
  const { code, reconnect_after_ms: ms } = await last(device);
  assert.deepEqual([code, ms], ['shutdown', 700]);
  assert.equal(connection.kick(1), false);
});
