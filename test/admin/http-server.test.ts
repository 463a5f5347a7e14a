import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import * as http from '../../src/admin/http-server.ts';
import type { Snapshot } from '../../src/admin/snapshot.ts';
import { waitFor } from '../support/wait.ts';
import { sampleSnapshot } from './sample-snapshot.ts';

const DEADLINE_MS = 5_000;

const LOCAL = {
  host: '127.0.0.1',
  port: 0,
  snapshot: () => sampleSnapshot(),
  log: pino({ level: 'silent' }),
};

async function start(t: TestContext, options: Partial<http.HttpServerOptions> = {}) {
  const logged: string[] = [];
  const log = pino({}, { write: (line: string) => void logged.push(line) });
  const server = http.createHttpServer({ ...LOCAL, log, ...options });
  const { port } = await server.start();
  t.after(() => server.close());
  return { server, port, logged };
}

/** With node:http, because fetch does not let a test set Host. */
async function ask(port: number, path: string, { method = 'GET', host = '', body = '' } = {}) {
  const headers = { ...(host !== '' && { host }), ...(body !== '' && { 'content-length': body.length }) };
  const target = { host: '127.0.0.1', port, path, method, headers };
  const sent = request({ ...target, agent: false, timeout: DEADLINE_MS }).end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

/** Sends bytes and returns everything that came until the server ended the connection. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = await open(port);
  const received: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => received.push(chunk));
  socket.write(bytes);
  await once(socket, 'close', { signal: AbortSignal.timeout(DEADLINE_MS) });
  return Buffer.concat(received).toString();
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** True if the server has closed its side. In Linux's /proc/net/tcp 04 is FIN_WAIT1: the client has not read all yet. */
function isClosedByServer({ localPort = 0, remotePort = 0 }: Socket): boolean {
  const [client, server] = [localPort, remotePort].map((port) =>
    port.toString(16).toUpperCase().padStart(4, '0'),
  );
  return readFileSync('/proc/net/tcp', 'utf8').includes(`:${server} 0100007F:${client} 04 `);
}

test('/healthz says ok, whether the gateway is ready or not', async (t) => {
  const snapshot = () => sampleSnapshot({ readiness: { ready: false, reasons: ['x'] } });
  const { port } = await start(t, { snapshot });
  const { status, body } = await ask(port, '/healthz');
  assert.deepEqual([status, body], [200, 'ok\n']);
});

test('/readyz is 200 while ready and 503 with the reasons otherwise', async (t) => {
  let readiness: Snapshot['readiness'] = { ready: true, reasons: [] };
  const { port } = await start(t, { snapshot: () => sampleSnapshot({ readiness }) });
  const ready = await ask(port, '/readyz');
  assert.equal(ready.status, 200);
  assert.deepEqual(JSON.parse(ready.body), { ready: true });
  readiness = { ready: false, reasons: ['Kafka does not answer', 'the buffer is full'] };
  const unready = await ask(port, '/readyz');
  assert.equal(unready.status, 503);
  assert.deepEqual(JSON.parse(unready.body), readiness);
});

test('/readyz lists other topics in the spool that are not delivered, whatever its status', async (t) => {
  let readiness: Snapshot['readiness'] = { ready: true, reasons: [] };
  const { spool } = sampleSnapshot();
  const otherTopics = [
    { topic: 'former', records: 7, bytes: 900, problem: 'no rights: give the login the right Write' },
    { topic: 'on-its-way', records: 2, bytes: 300, problem: null },
  ];
  const snapshot = () => sampleSnapshot({ readiness, spool: { ...spool, otherTopics } });
  const { port } = await start(t, { snapshot });
  const notNamed = 'which KAFKA_TOPIC_METRICS no longer names, wait in the spool';
  const sentences = [`7 records of former, ${notNamed}: no rights: give the login the right Write`];
  const ready = await ask(port, '/readyz');
  assert.deepEqual([ready.status, JSON.parse(ready.body)], [200, { ready: true, otherTopics: sentences }]);
  readiness = { ready: false, reasons: ['the buffer is full'] };
  const unready = await ask(port, '/readyz');
  assert.equal(unready.status, 503);
  assert.deepEqual(JSON.parse(unready.body), { ...readiness, otherTopics: sentences });
});

test('/stats is the snapshot', async (t) => {
  const { port } = await start(t);
  const { status, headers, body } = await ask(port, '/stats?pretty');
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers['cache-control'], 'no-store');
  assert.deepEqual(JSON.parse(body), sampleSnapshot());
});

test('/metrics is Prometheus text made from one snapshot', async (t) => {
  let taken = 0;
  const snapshot = () => sampleSnapshot({ uptimeSeconds: ++taken });
  const { port } = await start(t, { snapshot });
  const { status, headers, body } = await ask(port, '/metrics');
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  assert.match(body, /^# TYPE sluice_lines_received_total counter$/m);
  assert.equal(taken, 1);
});

test('/ lists every page, and each of them exists', async (t) => {
  const { port } = await start(t);
  const { body } = await ask(port, '/');
  const pages = body.match(/^\/\S*/gm) ?? [];
  assert.deepEqual(pages, ['/', '/healthz', '/readyz', '/stats', '/metrics']);
  for (const page of pages) assert.equal((await ask(port, page)).status, 200, page);
});

test('HEAD answers like GET, without the body', async (t) => {
  const { port } = await start(t);
  const { status, headers, body } = await ask(port, '/stats', { method: 'HEAD' });
  assert.equal(status, 200);
  assert.ok(Number(headers['content-length']) > 100);
  assert.equal(body, '');
});

test('an unknown page is 404, also one with the name of a built-in property', async (t) => {
  const { port } = await start(t);
  for (const path of ['/nothing', '/stats/', '/constructor', '/__proto__', '//healthz', '/%68ealthz']) {
    const { status, body } = await ask(port, path);
    assert.equal(status, 404, path);
    assert.match(body, /\/metrics/);
  }
});

test('a method other than GET and HEAD is 405 with Allow, and its body is not read', async (t) => {
  const { port } = await start(t);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const { status, headers } = await ask(port, '/stats', { method, body: 'x'.repeat(100) });
    assert.equal(status, 405, method);
    assert.equal(headers.allow, 'GET, HEAD');
    assert.equal(headers.connection, 'close');
  }
  const expecting =
    'POST /stats HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\nExpect: 100-continue\r\n\r\n';
  assert.match(await raw(port, expecting), /^HTTP\/1\.1 405 /);
});

test('on loopback a foreign Host is 403', async (t) => {
  const { port } = await start(t);
  const local = ['localhost', 'LOCALHOST:1', `127.0.0.1:${port}`, '127.8.9.1', '[::1]', `[::1]:${port}`];
  for (const host of local) assert.equal((await ask(port, '/stats', { host })).status, 200, host);
  const evil = ['evil.example', `evil.example:${port}`, '127.0.0.1.evil.example', 'localhost.evil.example'];
  for (const host of [...evil, '10.0.0.1']) {
    const { status, body } = await ask(port, '/stats', { host });
    assert.equal(status, 403, host);
    assert.doesNotMatch(body, /connections/);
  }
});

test('a request without Host is served to HTTP/1.0 health checks', async (t) => {
  const { port } = await start(t);
  assert.match(await raw(port, 'GET /healthz HTTP/1.0\r\n\r\n'), /200 OK[\s\S]*ok\n$/);
});

test('on every address any Host is served', async (t) => {
  const { port } = await start(t, { host: '0.0.0.0' });
  assert.equal((await ask(port, '/healthz', { host: 'gateway.example' })).status, 200);
});

test('a connection is kept for the next request', async (t) => {
  const { port } = await start(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const ports = new Set<number | undefined>();
  for (let turn = 0; turn < 3; turn++) {
    const sent = request({ host: '127.0.0.1', port, path: '/metrics', agent }).end();
    const [response] = await once(sent, 'response');
    ports.add(sent.socket?.localPort);
    for await (const _ of response);
  }
  assert.equal(ports.size, 1);
});

test('bytes that are not HTTP, and headers that are too long, get an answer and are closed', async (t) => {
  const { port } = await start(t);
  assert.match(await raw(port, '{"type":"identify","zipcode":"90210"}\n'), /^HTTP\/1\.1 400 /);
  const long = `X: ${'x'.repeat(http.ADMIN_LIMITS.maxHeaderBytes)}`;
  assert.match(await raw(port, `GET / HTTP/1.1\r\nHost: localhost\r\n${long}\r\n\r\n`), /^HTTP\/1\.1 431 /);
  assert.equal((await ask(port, '/healthz')).status, 200);
});

test('a request that never ends is cut off at the time limit, and so is silence', async (t) => {
  const { port } = await start(t, { limits: { requestTimeoutMs: 50 } });
  assert.match(await raw(port, 'GET / HTTP/1.1\r\nHost: loc'), /^HTTP\/1\.1 408 /);
  assert.match(await raw(port, ''), /^HTTP\/1\.1 408 /);
});

test('pipelined requests make one snapshot and no pile of answers', async (t) => {
  let taken = 0;
  const snapshot = () => sampleSnapshot({ uptimeSeconds: ++taken });
  const { port } = await start(t, { snapshot });
  await raw(port, 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(1000));
  assert.equal(taken, 1);
  assert.equal((await ask(port, '/healthz')).status, 200);
});

test('a client that does not read its answer is cut off at the idle limit', async (t) => {
  // Larger than the kernel's socket buffers, so that a part of the answer has to wait in the process.
  const reasons = ['x'.repeat(32 * 1024 * 1024)];
  const snapshot = () => sampleSnapshot({ readiness: { ready: false, reasons } });
  const { port } = await start(t, { snapshot, limits: { idleMs: 200 } });
  const socket = await open(port);
  t.after(() => socket.destroy());
  socket.pause();
  socket.write('GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n');
  // A client that does not read sees no end, so the kernel is asked. If TCP is short of memory, it resets the connection.
  await waitFor('the end at the server', () => socket.destroyed || isClosedByServer(socket));
  let received = 0;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  socket.resume();
  await waitFor('the end at the client', () => socket.destroyed);
  assert.ok(received < 32 * 1024 * 1024);
});

for (const idle of [64, 200]) {
  for (const [what, bytes] of [
    ['silent', ''],
    ['half-sent', 'GET /metrics HTTP/1.1\r\nHost: loc'],
    ['kept-alive', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ] as const) {
    test(`${idle} ${what} connections do not keep a probe out`, async (t) => {
      const { port } = await start(t);
      const sockets: Socket[] = [];
      t.after(() => sockets.forEach((socket) => void socket.destroy()));
      for (let n = 0; n < idle; n++) {
        const socket = await open(port);
        socket.on('data', () => {});
        if (bytes !== '') socket.write(bytes);
        sockets.push(socket);
      }
      for (let n = 0; n < 3; n++) assert.equal((await ask(port, '/healthz')).status, 200);
      // The oldest ones made room.
      const past = idle + 1 - http.ADMIN_LIMITS.maxConnections;
      await waitFor('the oldest are closed', () =>
        sockets.slice(0, past).every(({ destroyed }) => destroyed),
      );
      assert.ok(sockets.slice(idle - 20).every(({ destroyed }) => !destroyed));
    });
  }
}

test('a connection that is being answered is not the one that makes room', async (t) => {
  let answer: (snapshot: Snapshot) => void = () => {};
  const snapshot = () =>
    new Promise<Snapshot>((resolve) => {
      answer = resolve;
    });
  const { port } = await start(t, { snapshot, limits: { maxConnections: 2 } });
  const asked = ask(port, '/stats');
  const idle = [await open(port), await open(port), await open(port)];
  t.after(() => idle.forEach((socket) => void socket.destroy()));
  await waitFor('the older idle ones are closed', () => idle[0]?.destroyed && idle[1]?.destroyed);
  answer(sampleSnapshot());
  assert.equal((await asked).status, 200);
});

test('close() ends silent, half-sent and kept-alive connections at once, and may be called twice', async (t) => {
  const { server, port } = await start(t);
  const sockets = [await open(port), await open(port), await open(port)];
  sockets[1]?.write('GET /healthz HTTP/1.1\r\nHos');
  sockets[2]?.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(sockets[2] as Socket, 'data');
  for (const socket of sockets) socket.resume();
  const closed = sockets.map((socket) => once(socket, 'close', { signal: AbortSignal.timeout(DEADLINE_MS) }));
  const began = performance.now();
  await Promise.all([server.close(), server.close()]);
  await Promise.all(closed);
  assert.ok(performance.now() - began < 1000);
  await assert.rejects(ask(port, '/healthz'), { code: 'ECONNREFUSED' });
});

test('close() without start() resolves', () => http.createHttpServer(LOCAL).close());

test('a taken port fails the start with the settings to change', async (t) => {
  const { port } = await start(t);
  const second = http.createHttpServer({ ...LOCAL, port });
  const inUse = new RegExp(`HTTP_HOST=127.0.0.1 HTTP_PORT=${port}: the port is already in use`);
  await assert.rejects(second.start(), (error) => {
    assert.ok(error instanceof http.AdminListenError);
    assert.match(error.message, inUse);
    assert.equal((error.cause as NodeJS.ErrnoException).code, 'EADDRINUSE');
    return true;
  });
  await second.close();
});

test('a snapshot that throws is a 500 and one log line, and the server goes on', async (t) => {
  let broken = true;
  const snapshot = () => (broken ? assert.fail('torn') : sampleSnapshot());
  const { port, logged } = await start(t, { snapshot });
  for (const path of ['/stats', '/metrics', '/readyz']) {
    const { status, body } = await ask(port, path);
    assert.equal(status, 500);
    assert.doesNotMatch(body, /torn/);
  }
  assert.equal(logged.length, 1);
  broken = false;
  assert.equal((await ask(port, '/stats')).status, 200);
});
