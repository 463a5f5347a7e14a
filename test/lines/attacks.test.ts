// The port for plain lines against senders that never stop, write in the smallest pieces or too much, or whose records
// nobody takes; and the letters of their lines.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { PlainLines } from '../../src/protocol/plain-lines.ts';
import type { ConnectionOptions } from '../../src/server/connection-host.ts';
import { plainManner } from '../../src/server/manner.ts';
import { admitted, assertBalance, sinkOf, startServer, testClock } from '../server/stage.ts';
import { Authority } from '../support/authority.ts';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { waitFor } from '../support/wait.ts';
import { handled, leaves, linesGateway, sender } from './stage.ts';

const LINE = `{"n":"${'x'.repeat(900)}"}\n`;

/** A sender of plain lines whose time passes only as the test says, and whose lines have room only if it says so. */
async function stage(t: TestContext, options: Partial<ConnectionOptions> = {}) {
  const clock = testClock(t);
  const room = { isFree: true };
  const lines: string[] = [];
  const sink = sinkOf((job) => {
    if (!room.isFree) return false;
    lines.push(Buffer.from(job.bytes.subarray(job.start, job.end)).toString());
    job.session.accept();
    job.session.done();
    return true;
  });
  const server = startServer(t, sink, { wheel: clock.wheel, options });
  const plain = new PlainLines({ framing: 'lf', isWrapped: false, keyField: null, topicField: null });
  const manner = plainManner(plain, (id, address) => plain.frameOf(id, address));
  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, '127.0.0.1');
  t.after(() => listener.close());
  await once(listener, 'listening');
  const accepted = once(listener, 'connection') as Promise<[Socket]>;
  const one = await Device.connect((listener.address() as AddressInfo).port, { tls: undefined });
  t.after(() => one.destroy());
  const [socket] = await accepted;
  const connection = server.adopt({ ...admitted(socket), port: { isTls: false, manner } });
  return { server, connection, one, clock, room, lines };
}

describe('a sender whose lines find no room', () => {
  it('is not cut off when it is told to go: what is in the kernel’s buffer has not been read', async (t) => {
    const { server, connection, one, clock, room, lines } = await stage(t);
    room.isFree = false;
    one.send('{"n":1}\n{"n":2}\n');
    await waitFor('the pause', () => connection.pauses !== 0);
    connection.depart('max_age', 0);
    await waitFor('our FIN', () => one.ended);
    await clock.pass(20_000);
    assert.equal(server.activeConnections, 1);
    room.isFree = true;
    connection.onRoom();
    one.send('{"n":3}');
    one.halfClose();
    await waitFor('its end', () => server.activeConnections === 0);
    assert.deepEqual([lines.length, server.counters.closed.max_age], [3, 1]);
  });

  it('goes when an operator says so, within 5 s', async (t) => {
    const { server, connection, one, clock, room } = await stage(t);
    room.isFree = false;
    one.send('{"n":1}\n{"n":2}\n');
    await waitFor('the pause', () => connection.pauses !== 0);
    connection.kick(0);
    await clock.pass(4500);
    assert.equal(server.activeConnections, 1);
    await clock.pass(700);
    await waitFor('its end', () => server.activeConnections === 0);
  });

  it('loses none with TCP_JOB_QUEUE_FULL=drop, since it could not hear that one was dropped', async (t) => {
    const gateway = await linesGateway(t, { TCP_JOB_QUEUE_FULL: 'drop', TCP_JOB_QUEUE_SIZE: '10' });
    const balance = setInterval(() => assertBalance(gateway.snapshot()), 2);
    t.after(() => clearInterval(balance));
    const senders = [await sender(gateway), await sender(gateway), await sender(gateway)];
    for (const one of senders) one.send(LINE.repeat(300));
    await handled(gateway, { accepted: 900 });
    assert.equal(gateway.snapshot().lines.refused.queue_full, 0);
  });
});

describe('a line that is too long', () => {
  it('costs all of its bytes of TCP_MAX_BYTES_PER_SECOND', async (t) => {
    const { server, connection, one, clock, lines } = await stage(t, {
      maxLineBytes: 100,
      maxBytesPerSecond: 1000,
    });
    one.send('x'.repeat(200));
    await waitFor('its refusal', () => connection.refusedLines === 1);
    one.send('x'.repeat(6000));
    await waitFor('the slowdown', () => server.counters.slowed === 1);
    one.send('\n{"n":1}\n');
    await clock.pass(3500);
    assert.deepEqual([lines.length, connection.refusedLines], [0, 1]);
    await clock.pass(3000);
    assert.equal(lines.length, 1);
  });
});

describe('frames with a length', () => {
  it('of the longest length may come byte for byte', async (t) => {
    const gateway = await linesGateway(t, { TCP_LINES_FRAMING: 'octet-counted', TCP_MAX_LINE_BYTES: '200' });
    const one = await sender(gateway);
    const frame = `200 {"a":"${'x'.repeat(192)}"}`;
    for (const byte of Buffer.from(`${frame}201 ${'y'.repeat(201)}${frame}`)) {
      one.send(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await handled(gateway, { accepted: 2, refused: 1 });
    await leaves(one);
  });
});

describe('the letter of a line', () => {
  it('says its form, key and topic, so that it can be sent again', async (t) => {
    const gateway = await linesGateway(t, {
      TCP_LINES_KEY: 'host',
      TCP_LINES_TOPIC_FIELD: 'topic',
      TCP_LINES_TOPICS: 'logs',
      TCP_LINES_WRAP: 'true',
      TCP_MAX_LINE_BYTES: '1MiB',
    });
    const one = await sender(gateway);
    one.send(`{"host":"h","topic":"logs","a":"${'x'.repeat(1_048_000)}"}\n`);
    await handled(gateway, { refused: 1 });
    one.send('[]\n');
    await handled(gateway, { refused: 2 });
    const letters = (await gateway.letters()).map(({ headers }) => headers);
    const by = (code: string) => letters.find(({ reason }) => reason === code);
    const large = by('record_too_large');
    assert.deepEqual([large?.plain, large?.key, large?.topic], ['wrapped', 'h', 'logs']);
    const bad = by('invalid_json');
    assert.deepEqual(
      [bad?.plain, bad?.key, bad?.topic],
      ['wrapped', bad?.connection_id, 'weather.metrics.raw'],
    );
  });
});

describe('the only port', () => {
  it('may ask for a PROXY header, a network, TLS and a certificate at once', async (t) => {
    const authority = new Authority(temporaryDirectory(t), 'authority');
    const server = authority.sign('gateway');
    const client = authority.sign('sender');
    const gateway = await linesGateway(t, {
      TCP_PORT: '',
      TCP_TLS_CERT: server.cert,
      TCP_TLS_KEY: server.key,
      TCP_TLS_CA: authority.ca,
      TCP_LINES_TLS: 'true',
      TCP_LINES_WRAP: 'true',
      TCP_PROXY_PROTOCOL: 'true',
      TCP_PROXY_TRUSTED: '127.0.0.1',
      TCP_LINES_TRUSTED: '10.0.0.7',
    });
    const raw = await sender(gateway);
    raw.send('PROXY TCP4 10.0.0.7 10.0.0.1 1000 2000\r\n');
    raw.socket.removeAllListeners('data');
    const one = await Device.connect(gateway.linesPort, {
      tls: { socket: raw.socket, cert: readFileSync(client.cert), key: readFileSync(client.key) },
    });
    one.send('{"a":1}\n{"b":2}');
    one.halfClose();
    await handled(gateway, { accepted: 2 });
    const records = await gateway.records();
    assert.deepEqual(
      records.map(({ value }) => JSON.parse(value).remote_address),
      ['10.0.0.7', '10.0.0.7'],
    );
  });
});
