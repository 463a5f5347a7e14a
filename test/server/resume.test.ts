// A connection that resumes: its wait, its answer, and its device meanwhile. The test plays the
// ledger, the workers and Kafka.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { it, type TestContext } from 'node:test';
import type { Job } from '../../src/queue/job.ts';
import type { Connection } from '../../src/server/connection.ts';
import { TcpServer } from '../../src/server/tcp-server.ts';
import { Device } from '../support/device.ts';
import { testLog } from '../support/log.ts';
import { waitFor } from '../support/wait.ts';
import { admitted, CONNECTION, sinkOf, testClock } from './stage.ts';

const RESUME = { type: 'identify', zipcode: '90210', city: 'x', device_id: 'roof-7', resume: true };
const KEEPALIVE = { type: 'keepalive' };

/** @param certifiedId that of the certificates of all devices */
async function stage(t: TestContext, certifiedId?: string) {
  const clock = testClock(t);
  const jobs: Job[] = [];
  const events: string[] = [];
  /** Who ended connections. */
  const ends: string[] = [];
  const resuming: Connection[] = [];
  const sink = sinkOf((job) => jobs.push(job) > 0);
  const server = new TcpServer(CONNECTION, {
    sink,
    log: testLog({ level: 'silent' }),
    wheel: clock.wheel,
    events: {
      identified: (connection, resumes) => {
        events.push(`identified ${connection.deviceId}`);
        if (resumes) resuming.push(connection);
      },
      ended: (_, by) => ends.push(by),
      settled: (_, seq) => events.push(`settled ${seq}`),
      closed: () => events.push('closed'),
    },
  });
  server.start();
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    server.adopt({ ...admitted(socket), certifiedId });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.after(async () => {
    listener.close();
    await server.close(0);
  });
  const device = await Device.connect((listener.address() as AddressInfo).port, {});
  t.after(() => device.destroy());
  /** Sends the messages, and resolves with the connection that waits. */
  const resume = async (...messages: object[]) => {
    if (messages.length > 0) device.sendMessages(...messages);
    const [connection] = await waitFor('the connection that resumes', () => resuming.length > 0 && resuming);
    assert.ok(connection);
    return connection;
  };
  /** Plays the worker for all jobs. */
  const answerAll = () => {
    for (const { session } of jobs.splice(0)) {
      session.accept();
      session.alive();
      session.done();
    }
  };
  return { clock, device, server, jobs, events, ends, resume, answerAll };
}

const statuses = async (device: Device) =>
  (await device.rest()).map((line) => JSON.parse(line) as { code?: string; status: string });

it('is told the stored seq, or null, and no line of it is handled before', async (t) => {
  const { clock, device, jobs, resume, answerAll } = await stage(t);
  const connection = await resume(RESUME, KEEPALIVE, KEEPALIVE);
  await clock.pass(4000);
  assert.equal(jobs.length, 0);
  connection.resumed(4711);
  assert.equal(
    await device.readLine(),
    `{"type":"ack","status":"identified","connection_id":"${connection.id}","stored_seq":4711}`,
  );
  assert.deepEqual([connection.lastSeq, connection.resumedSeq], [4711, 4711]);
  assert.equal(jobs.length, 2);
  // Only one answer counts.
  connection.resumed(9999);
  assert.equal(connection.resumedSeq, 4711);
  device.sendMessages(KEEPALIVE);
  await waitFor('the next line', () => jobs.length === 3);
  answerAll();
  assert.match(await device.readLine(), /alive/);
});

it('is told null if nothing is known, and then any seq may come', async (t) => {
  const { device, resume } = await stage(t);
  const connection = await resume(RESUME);
  connection.resumed(undefined);
  assert.match(await device.readLine(), /,"stored_seq":null}$/);
  assert.deepEqual([connection.lastSeq, connection.resumedSeq], [-1, -1]);
});

it('has not identified too late, is not inactive and not in the middle of a line while the gateway lets it wait', async (t) => {
  const { clock, device, jobs, resume } = await stage(t);
  device.send(`${JSON.stringify(RESUME)}\n{"type":`);
  const connection = await resume();
  await clock.pass(CONNECTION.inactivityTimeoutMs + 1000);
  assert.equal(device.ended, false);
  connection.resumed(1);
  await device.readLine();
  device.send('"keepalive"}\n');
  await waitFor('the line', () => jobs.length === 1);
});

it('needs a device_id, which may be that of the certificate, and a boolean', async (t) => {
  const { device, events, resume } = await stage(t);
  const { device_id: _, ...nameless } = RESUME;
  device.sendMessages(nameless, { ...RESUME, resume: 'yes' }, { ...RESUME, resume: null });
  for (const text of ['needs a device_id', 'true or false', 'true or false']) {
    const { code, message } = await device.read();
    assert.deepEqual([code, message], ['invalid_message', `field 'resume': ${text}`]);
  }
  assert.deepEqual(events, []);
  await resume(RESUME);
});

it('may have the device_id of its certificate', async (t) => {
  const { events, resume } = await stage(t, 'by-certificate');
  const { device_id: _, ...nameless } = RESUME;
  await resume(nameless);
  assert.deepEqual(events, ['identified by-certificate']);
});

it('with `"resume":false` is answered as ever', async (t) => {
  const { device } = await stage(t);
  device.sendMessages({ ...RESUME, resume: false });
  assert.doesNotMatch(await device.readLine(), /stored_seq/);
});

it('half-closes while it waits, and all its lines are answered', async (t) => {
  const { device, jobs, events, resume, answerAll } = await stage(t);
  device.sendMessages(RESUME, KEEPALIVE, KEEPALIVE);
  device.halfClose();
  const connection = await resume();
  connection.resumed(5);
  await waitFor('the lines', () => jobs.length === 2);
  answerAll();
  const replies = await statuses(device);
  assert.deepEqual(
    replies.map(({ status }) => status),
    ['identified', 'alive', 'alive'],
  );
  device.destroy();
  await waitFor('the end', () => events.includes('closed'));
  assert.deepEqual(events, ['identified roof-7', 'settled undefined', 'closed']);
});

it('hears `closing` if the gateway stops while it waits, and its lines are not handled', async (t) => {
  const { device, jobs, server, resume } = await stage(t);
  const connection = await resume(RESUME, KEEPALIVE);
  server.stopReading();
  connection.resumed(5);
  connection.shutdown(100);
  assert.deepEqual(
    (await statuses(device)).map(({ status }) => status),
    ['closing'],
  );
  assert.equal(jobs.length, 0);
});

it('without lines is kicked at once while it waits', async (t) => {
  const one = await stage(t);
  (await one.resume(RESUME)).kick(1);
  assert.deepEqual(await one.device.restCodes(), ['kicked']);
});

it('with lines is kicked once they are answered', async (t) => {
  const { clock, device, jobs, resume, answerAll } = await stage(t);
  const connection = await resume(RESUME, KEEPALIVE);
  connection.kick(1);
  await clock.pass(3000);
  assert.equal(device.ended, false);
  connection.resumed(5);
  await waitFor('the line', () => jobs.length === 1);
  answerAll();
  assert.deepEqual(await device.restCodes(), ['identified', 'alive', 'kicked']);
});

it('is kicked after 5 s if it still waits then', async (t) => {
  const { clock, device, jobs, resume } = await stage(t);
  const connection = await resume(RESUME, KEEPALIVE);
  connection.kick(1);
  await clock.pass(6000);
  assert.deepEqual(await device.restCodes(), ['kicked']);
  connection.resumed(5);
  assert.equal(jobs.length, 0);
});

it('is replaced while it waits', async (t) => {
  const { device, events, resume } = await stage(t);
  const connection = await resume(RESUME, KEEPALIVE);
  connection.replaced('newer', 60_000);
  assert.deepEqual(await device.restCodes(), ['replaced']);
  assert.deepEqual(events, ['identified roof-7', 'settled undefined']);
});

/** A device that has sent the lines with the seqs 1 to `count`, which a worker has accepted. */
async function withLines(t: TestContext, count: number) {
  const served = await stage(t);
  const { resume, device, jobs } = served;
  const connection = await resume(RESUME);
  connection.resumed(undefined);
  await device.readLine();
  device.sendMessages(...Array.from({ length: count }, () => KEEPALIVE));
  await waitFor('the lines', () => jobs.length === count);
  const accept = (seq: number) => {
    connection.accept();
    connection.expectStored(seq);
    connection.done();
  };
  served.events.length = 0;
  return { ...served, connection, accept };
}

it('settles once its lines are handled and stored, however it ended', async (t) => {
  const { device, events, ends, connection, accept } = await withLines(t, 3);
  accept(1);
  accept(2);
  connection.stored(1);
  device.reset();
  await waitFor('the end', () => events.length === 1);
  assert.deepEqual(ends, ['device']);
  connection.stored(2);
  assert.equal(events.length, 1, 'a line is with a worker');
  accept(3);
  assert.equal(events.length, 1, 'seq 3 is not stored');
  connection.stored(3);
  connection.stored(3);
  assert.deepEqual(events, ['closed', 'settled 3']);
});

it('that is replaced settles without the end of its socket', async (t) => {
  const { events, ends, connection, accept } = await withLines(t, 1);
  accept(8);
  connection.replaced('newer', 60_000);
  assert.deepEqual(events, []);
  connection.stored(8);
  assert.deepEqual(events, ['settled 8']);
  await waitFor('its end', () => ends.length > 0);
  assert.deepEqual(ends, ['gateway']);
});

it('that half-closed has ended for its device, and settles after its last line', async (t) => {
  const { device, events, ends, connection, accept } = await withLines(t, 2);
  accept(1);
  device.halfClose();
  await waitFor('the FIN', () => ends.length > 0);
  connection.stored(1);
  assert.deepEqual([events, ends], [[], ['device']]);
  accept(2);
  connection.stored(2);
  assert.deepEqual([events, ends], [['settled 2'], ['device']]);
});

it('that is told to go has ended, and settles after its last line', async (t) => {
  const { device, events, ends, connection, accept } = await withLines(t, 1);
  connection.depart('shutdown', 100);
  await waitFor('its end', () => ends.length > 0);
  assert.deepEqual([events, ends], [[], ['gateway']]);
  accept(2);
  connection.stored(2);
  assert.deepEqual(events, ['settled 2']);
  await device.rest();
});

it('whose line a full queue dropped counts only what was stored before', async (t) => {
  const { events, connection, accept } = await withLines(t, 3);
  const dropped = { code: 'queue_full', message: 'full', seq: 2 } as const;
  accept(1);
  connection.stored(1);
  connection.refuse(dropped, { bytes: new Uint8Array(0), start: 0, end: 0 });
  connection.done();
  accept(3);
  connection.stored(3);
  connection.replaced('newer', 1);
  assert.deepEqual(events, ['settled 1']);
});

it('a message that is stored already is answered, and what the device is told never falls', async (t) => {
  const { device, server, resume } = await stage(t);
  const connection = await resume(RESUME);
  connection.resumed(10);
  await device.readLine();
  connection.alreadyStored(3);
  connection.expectStored(11);
  connection.stored(11);
  connection.alreadyStored(5);
  const seqs: (number | undefined)[] = [];
  for (let n = 0; n < 3; n++) seqs.push((await device.read()).seq);
  assert.deepEqual(seqs, [3, 11, 11]);
  assert.equal(server.counters.linesAlreadyStored, 2);
});

it('costs the ledger nothing without a device_id', async (t) => {
  const { device, events } = await stage(t);
  const { device_id: _, resume: __, ...nameless } = RESUME;
  device.sendMessages(nameless);
  await device.readLine();
  device.destroy();
  await waitFor('the end', () => events.includes('closed'));
  assert.deepEqual(events, ['identified undefined', 'closed']);
});

it('that its device had ended while nobody read it was not ended by the gateway', async (t) => {
  const { device, ends, resume } = await stage(t);
  const connection = await resume(RESUME, KEEPALIVE);
  device.halfClose();
  await once(device.socket, 'finish');
  connection.replaced('newer', 60_000);
  await waitFor('its end', () => ends.length > 0);
  assert.deepEqual(ends, ['device']);
});

it('that was replaced hears of nothing that is stored afterwards: a line before it may have been refused unheard', async (t) => {
  const { device, resume } = await stage(t);
  const connection = await resume(RESUME);
  connection.resumed(0);
  connection.expectStored(1);
  connection.stored(1);
  connection.expectStored(3);
  connection.replaced('newer', 60_000);
  connection.refuseAccepted('invalid_message', 'wrong', 2);
  connection.stored(3);
  connection.alreadyStored(1);
  const heard = (await device.rest()).map((line) => JSON.parse(line) as { status: string; seq?: number });
  assert.deepEqual(
    heard.map(({ status, seq }) => [status, seq]),
    [
      ['identified', undefined],
      ['stored', 1],
      ['error', undefined],
    ],
  );
});

it('whose device answers its replacement with FIN at once was ended by the gateway', async (t) => {
  const { device, ends, resume } = await stage(t);
  const connection = await resume(RESUME, KEEPALIVE);
  device.socket.once('data', () => device.halfClose());
  connection.replaced('newer', 60_000);
  assert.deepEqual(await device.restCodes(), ['replaced']);
  await waitFor('its end', () => ends.length > 0);
  assert.deepEqual(ends, ['gateway']);
});
