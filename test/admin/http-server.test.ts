import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import * as http from '../../src/admin/http-server.ts';
import type { Snapshot } from '../../src/admin/snapshot.ts';
import { assess } from '../../src/health/assess.ts';
import { ListenError } from '../../src/start/listen-error.ts';
import { testLog } from '../support/log.ts';
import { waitFor } from '../support/wait.ts';
import { adminOptions, adminPort } from './admin-port.ts';
import { sampleFigures, sampleSnapshot } from './sample-snapshot.ts';

const DEADLINE_MS = 5_000;

const LOCAL = { ...adminOptions(), token: () => null, log: testLog({ level: 'silent' }) };

async function start(t: TestContext, options: Partial<http.HttpServerOptions> = {}) {
  const logged: string[] = [];
  const log = testLog({}, { write: (line: string) => void logged.push(line) });
  const { server, port } = await adminPort(t, { token: () => null, log, ...options });
  return { server, port, logged };
}

/** With node:http, because fetch does not let a test set Host. */
async function ask(
  port: number,
  path: string,
  { method = 'GET', body = '', headers: more = {} as Record<string, string> } = {},
) {
  const headers = { ...more, ...(body !== '' && { 'content-length': body.length }) };
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
  const { spool } = sampleFigures();
  const otherTopics = [
    { topic: 'former', records: 7, bytes: 900, problem: 'no rights: give the login the right Write' },
    { topic: 'on-its-way', records: 2, bytes: 300, problem: null },
  ];
  const components = assess(sampleFigures({ spool: { ...spool, otherTopics } }), {
    phase: 'serving',
    dropsLines: false,
    had: () => false,
  });
  const snapshot = () => sampleSnapshot({ readiness, components });
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

const BUSY = sampleSnapshot({
  readiness: { ready: false, reasons: ['memory is full'] },
  components: [
    { id: 'kafka', state: 'ok', finding: 'ok', reason: 'brokers answer', remedy: null },
    {
      id: 'topic a',
      state: 'degraded',
      finding: 'failing',
      reason: '10.0.0.7 is away',
      remedy: 'bring it back',
    },
    { id: 'clock', state: 'unknown', finding: 'unknown', reason: 'nobody tells', remedy: null },
  ],
});

test('/health has each component, the worst state of all, and the status of /readyz', async (t) => {
  let snapshot = BUSY;
  const { port } = await start(t, { snapshot: () => snapshot });
  const { status, headers, body } = await ask(port, '/health');
  assert.deepEqual([status, headers['content-type']], [503, 'application/json']);
  const { status: worst, ready, reasons, components } = JSON.parse(body);
  assert.deepEqual([worst, ready, reasons], ['degraded', false, ['memory is full']]);
  assert.deepEqual(Object.keys(components), ['kafka', 'topic a', 'clock']);
  assert.deepEqual(components['topic a'], {
    state: 'degraded',
    finding: 'failing',
    reason: '10.0.0.7 is away',
    remedy: 'bring it back',
  });
  snapshot = { ...BUSY, readiness: { ready: true, reasons: [] } };
  assert.equal((await ask(port, '/health')).status, 200);
});

test('/readyz?verbose says the same in words', async (t) => {
  let snapshot = BUSY;
  const { port } = await start(t, { snapshot: () => snapshot });
  const { status, headers, body } = await ask(port, '/readyz?verbose');
  assert.deepEqual([status, headers['content-type']], [503, 'text/plain; charset=utf-8']);
  assert.match(body, /^not ready, for these reasons:\n- memory is full\n\nkafka +ok: brokers answer\n/);
  assert.match(
    body,
    /\ntopic a +degraded \(failing\): 10.0.0.7 is away\n +to do: bring it back\nclock +unknown: nobody/,
  );
  const verdict = async () => (await ask(port, '/readyz?verbose')).body.split('\n', 1)[0];
  snapshot = { ...BUSY, readiness: { ready: true, reasons: [] } };
  assert.equal(await verdict(), 'ready: data sent now would be kept');
});

test('beyond loopback the reasons of components need the token, and their states do not', async (t) => {
  const { server, port } = await start(t, { host: '0.0.0.0', token: () => 'geheim', snapshot: () => BUSY });
  for (const path of ['/health', '/readyz?verbose']) {
    const asked = async (authorization?: string) => {
      const { status, body } = await ask(port, path, authorization ? { headers: { authorization } } : {});
      assert.equal(status, 503, path);
      assert.match(body, /topic a[\s\S]*degraded[\s\S]*failing/);
      return /10\.0\.0\.7|bring it back/.test(body);
    };
    assert.deepEqual([await asked(), await asked('Bearer geheim')], [false, true], path);
    // A probe with a former token is still a probe.
    assert.equal(await asked('Bearer former'), false);
  }
  assert.equal(server.refused.token_wrong, 2);
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
  assert.deepEqual(pages, [
    '/',
    '/healthz',
    '/readyz',
    '/health',
    '/stats',
    '/metrics',
    '/events',
    '/refusals',
    '/tap',
    '/profile',
    '/processes',
    '/connections',
    '/kick',
    '/log-level',
    '/drain',
    '/session',
    '/login',
    '/logout',
  ]);
  // The streams do not end, and the others are POSTs.
  const posts = ['/kick', '/login', '/logout', '/profile'];
  const others = ['/events', '/tap', ...posts];
  for (const page of pages.filter((one) => !others.includes(one)))
    assert.equal((await ask(port, page)).status, 200, page);
  for (const page of posts) assert.equal((await ask(port, page)).status, 405, page);
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

test('a request target in absolute form is the page in it, with the rules of that page', async (t) => {
  const { port } = await start(t, { host: '0.0.0.0', token: () => 'geheim' });
  const statusOf = async (target: string) => (await ask(port, target)).status;
  assert.equal(await statusOf(`http://127.0.0.1:${port}/healthz?x`), 200);
  assert.equal(await statusOf('HTTP://localhost/stats'), 401);
  assert.equal(await statusOf('http://localhost'), 401);
  assert.equal(await statusOf('http://evil.example/healthz'), 403);
});

test('a request without Host is served to HTTP/1.0 health checks', async (t) => {
  const { port } = await start(t);
  assert.match(await raw(port, 'GET /healthz HTTP/1.0\r\n\r\n'), /200 OK[\s\S]*ok\n$/);
  assert.match(await raw(port, 'GET /healthz HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 /);
});

for (const host of ['127.0.0.1', '0.0.0.0', '::']) {
  test(`bound to ${host}, a foreign Host is 403 on every page, with the setting that allows it`, async (t) => {
    const { port } = await start(t, { host, allowedHosts: ['sluice.example'], token: () => 'geheim' });
    const authorization = 'Bearer geheim';
    const evil = ['evil.example', `evil.example:${port}`, '127.0.0.1.evil.example', 'sluice.example.evil'];
    for (const name of evil) {
      for (const path of ['/healthz', '/readyz', '/metrics', '/stats', '/', '/nothing']) {
        const { status, body } = await ask(port, path, { headers: { host: name, authorization } });
        assert.equal(status, 403, name);
        assert.match(body, /HTTP_ALLOWED_HOSTS/);
        assert.doesNotMatch(body, /connections|evil/);
      }
    }
    for (const name of [
      'sluice.example',
      `SLUICE.example:${port}`,
      'localhost:1',
      `[::1]:${port}`,
      '10.1.2.3',
    ])
      assert.equal((await ask(port, '/stats', { headers: { host: name, authorization } })).status, 200, name);
  });
}

test('on loopback nothing needs a token, also if one is set', async (t) => {
  for (const host of ['127.0.0.1', '::1', '::ffff:127.0.0.1', 'localhost']) {
    const { port } = await start(t, { host, token: () => 'geheim' });
    const target = { host, port, path: '/stats', agent: false } as const;
    const [response] = (await once(request(target).end(), 'response')) as [IncomingMessage];
    response.resume();
    assert.equal(response.statusCode, 200, host);
  }
});

test('beyond loopback only health and metrics are served without the token', async (t) => {
  const { server, port } = await start(t, { host: '0.0.0.0', token: () => 'geheim' });
  for (const path of ['/healthz', '/readyz', '/health', '/metrics'])
    assert.equal((await ask(port, path)).status, 200, path);
  for (const path of ['/', '/stats', '/nothing', '/stats?x', '//metrics', '/metrics/']) {
    const { status, headers, body } = await ask(port, path);
    assert.equal(status, 401, path);
    assert.match(headers['www-authenticate'] ?? '', /^Bearer/);
    assert.doesNotMatch(body, /connections|geheim/);
  }
  for (const method of ['POST', 'DELETE']) assert.equal((await ask(port, '/stats', { method })).status, 401);
  for (const path of ['/', '/stats']) {
    const { status } = await ask(port, path, { headers: { authorization: 'Bearer geheim' } });
    assert.equal(status, 200, path);
  }
  assert.equal(server.refused.token_missing, 8);
});

test('beyond loopback and without HTTP_TOKEN the answer says what to set', async (t) => {
  const { server, port, logged } = await start(t, { host: '0.0.0.0' });
  for (const path of ['/healthz', '/readyz', '/metrics'])
    assert.equal((await ask(port, path)).status, 200, path);
  for (const authorization of ['', 'Bearer ', 'Bearer null', 'Bearer x']) {
    const { status, body } = await ask(port, '/stats', { headers: { authorization } });
    assert.equal(status, 403);
    assert.match(body, /HTTP_TOKEN is not set/);
  }
  assert.equal(server.refused.token_not_set, 4);
  assert.equal(logged.length, 1);
});

test('a new token counts at once', async (t) => {
  let token = 'former';
  const { port } = await start(t, { host: '0.0.0.0', token: () => token });
  const status = async (sent: string) =>
    (await ask(port, '/stats', { headers: { authorization: `Bearer ${sent}` } })).status;
  assert.equal(await status('former'), 200);
  token = 'new';
  assert.deepEqual([await status('former'), await status('new')], [401, 200]);
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

test('connections that send their headers slowly do not keep a probe out', async (t) => {
  const { port } = await start(t);
  const sockets: Socket[] = [];
  t.after(() => sockets.forEach((socket) => void socket.destroy()));
  const open200 = async () => {
    while (sockets.length < 200) {
      const socket = await open(port);
      socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ');
      sockets.push(socket);
    }
  };
  await open200();
  const drip = setInterval(() => {
    for (const socket of sockets) if (socket.writable) socket.write('x');
  }, 5);
  t.after(() => clearInterval(drip));
  for (let n = 0; n < 20; n++) {
    const beganMs = performance.now();
    assert.equal((await ask(port, '/readyz')).status, 200);
    assert.ok(performance.now() - beganMs < 1000);
    // Those that were closed come back.
    for (const gone of sockets.filter(({ destroyed }) => destroyed)) sockets.splice(sockets.indexOf(gone), 1);
    await open200();
  }
});

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
  const inUse = new RegExp(
    `HTTP_HOST=127.0.0.1 HTTP_PORT=${port}: the port is in use by pid ${process.pid} `,
  );
  await assert.rejects(second.start(), (error) => {
    assert.ok(error instanceof ListenError);
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
