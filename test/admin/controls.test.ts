// Requests that change something: POST /log-level and POST /drain, on a real admin port.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { LogLevel } from '../../src/config/settings.ts';
import { waitFor } from '../support/wait.ts';
import { adminPort, BEARER, TOKEN } from './admin-port.ts';

async function start(t: TestContext, { token = TOKEN as string | null } = {}) {
  let drains = 0;
  let level: LogLevel = 'info';
  const { port, lines } = await adminPort(t, {
    token: () => token,
    controls: {
      drain: () => void drains++,
      isDraining: () => drains > 0,
      logLevel: () => level,
      setLogLevel: (wished) => {
        level = wished;
      },
    },
  });
  const post = async (path: string, { headers = BEARER as Record<string, string>, body = '' } = {}) => {
    const init = { method: 'POST', headers, ...(body !== '' && { body }) };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
    return { status: response.status, text: await response.text(), headers: response.headers };
  };
  return { port, post, lines, state: () => ({ drains, level }) };
}

test('POST /log-level changes the level, by the query, a form, JSON or the bare word, and the log says who', async (t) => {
  const { port, post, lines, state } = await start(t);
  for (const [path, body, level] of [
    ['/log-level?level=debug', '', 'debug'],
    ['/log-level', 'level=warn', 'warn'],
    ['/log-level', '{"level":"error"}', 'error'],
    ['/log-level', ' INFO\n', 'info'],
  ] as const) {
    const { status, text } = await post(path, { body });
    assert.deepEqual([status, JSON.parse(text).level, state().level], [200, level, level]);
  }
  const response = await fetch(`http://127.0.0.1:${port}/log-level`);
  assert.deepEqual([response.status, await response.json()], [200, { level: 'info' }]);
  const changes = lines.filter(({ event }) => event === 'log_level_changed');
  assert.equal(changes.length, 4);
  assert.deepEqual(
    [changes[0]?.remoteAddress, changes[0]?.before, changes[0]?.logLevel],
    ['127.0.0.1', 'info', 'debug'],
  );
});

test('POST /log-level with another word is 400 with the allowed ones, and changes nothing', async (t) => {
  const { post, state } = await start(t);
  for (const body of ['', 'verbose', 'level=', '{"level":1}', '{"level"', '{}', 'debug debug']) {
    const { status, text } = await post('/log-level', { body });
    assert.equal(status, 400, body);
    assert.match(text, /trace, debug, info, warn, error, fatal, silent; nothing was changed/);
  }
  assert.equal(state().level, 'info');
});

test('POST /drain asks for the drain, and the log says who', async (t) => {
  const { port, post, lines, state } = await start(t);
  const before = await fetch(`http://127.0.0.1:${port}/drain`);
  assert.deepEqual(await before.json(), { draining: false });
  assert.equal(state().drains, 0);
  const { status, text } = await post('/drain');
  assert.deepEqual([status, JSON.parse(text), state().drains], [202, { draining: true }, 1]);
  assert.equal(lines.find(({ event }) => event === 'drain_asked')?.remoteAddress, '127.0.0.1');
});

test('on loopback too nothing changes without HTTP_TOKEN, from another Origin or under another Host', async (t) => {
  const { port, post, state } = await start(t);
  for (const path of ['/drain', '/log-level?level=debug']) {
    assert.equal((await post(path, { headers: {} })).status, 401);
    assert.equal((await post(path, { headers: { authorization: 'Bearer other' } })).status, 401);
    for (const origin of ['http://evil.example', 'http://127.0.0.1:1', 'null'])
      assert.equal((await post(path, { headers: { ...BEARER, origin } })).status, 403, origin);
    assert.equal(
      (await post(path, { headers: { ...BEARER, origin: `http://127.0.0.1:${port}` } })).status < 300,
      true,
    );
  }
  assert.deepEqual(state(), { drains: 1, level: 'debug' });
  const rebound = `POST /drain HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
  assert.match(await raw(port, rebound), /^HTTP\/1\.1 403 /);
  assert.equal(state().drains, 1);
});

test('while HTTP_TOKEN is not set, a POST is 403 and says to set it', async (t) => {
  const { post, state } = await start(t, { token: null });
  const { status, text } = await post('/drain');
  assert.equal(status, 403);
  assert.match(
    text,
    /^HTTP_TOKEN is not set, and requests that change something need it, on loopback too; set it/,
  );
  assert.equal(state().drains, 0);
});

test('only POST changes something: other methods are 405 with Allow', async (t) => {
  const { port, state } = await start(t);
  for (const [method, path, allow] of [
    ['PUT', '/drain', 'GET, HEAD, POST'],
    ['DELETE', '/drain', 'GET, HEAD, POST'],
    ['PUT', '/log-level', 'GET, HEAD, POST'],
    ['DELETE', '/log-level', 'GET, HEAD, POST'],
  ] as const) {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers: BEARER });
    assert.deepEqual([response.status, response.headers.get('allow')], [405, allow], `${method} ${path}`);
  }
  assert.deepEqual(state(), { drains: 0, level: 'info' });
});

test('a body of more than 4 KiB is 413, with and without its length, and is not read to its end', async (t) => {
  const { port, state } = await start(t);
  const head = `POST /log-level HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n`;
  const body = `debug${' '.repeat(5000)}`;
  assert.match(await raw(port, `${head}Content-Length: 1000000\r\n\r\n${body}`), /^HTTP\/1\.1 413 /);
  assert.match(
    await raw(port, `${head}Transfer-Encoding: chunked\r\n\r\n138d\r\n${body}\r\n`),
    /^HTTP\/1\.1 413 /,
  );
  assert.equal(state().level, 'info');
  const expecting = `${head}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n`;
  assert.match(await raw(port, expecting, 'debug'), /^HTTP\/1\.1 100 .*HTTP\/1\.1 200 /s);
  assert.equal(state().level, 'debug');
});

test('a client that leaves in the middle of its body changes nothing', async (t) => {
  const { port, state } = await start(t);
  const socket = connect(port, '127.0.0.1');
  socket.write(
    `POST /log-level?level=debug HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Length: 50\r\n\r\nlevel`,
  );
  const other = await fetch(`http://127.0.0.1:${port}/healthz`);
  assert.equal(other.status, 200);
  socket.destroy();
  await waitFor('the end of the connection', () => socket.closed);
  assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
  assert.equal(state().level, 'info');
});

/** Everything that comes until the server ends the connection. `later` is sent after the first bytes. */
async function raw(port: number, bytes: string, later?: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  let isOver = false;
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    if (received === '' && later !== undefined) socket.write(later);
    received += chunk.toString();
  });
  socket.on('close', () => {
    isOver = true;
  });
  socket.write(bytes);
  await waitFor('the answer', () => isOver);
  return received;
}
