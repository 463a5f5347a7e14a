// The client of the admin port against servers that are not what they should be. Each wait and each size has an end.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { AdminClient } from '../../../src/cli/remote/client.ts';
import { RemoteError } from '../../../src/cli/remote/failure.ts';

const LIMITS = { answerMs: 300, silenceMs: 300, answerBytes: 100_000, lineBytes: 10_000 };
const TOKEN = 'correct-horse-battery-staple';

async function urlOf(t: TestContext, server: Server): Promise<URL> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

async function clientOf(t: TestContext, listener: RequestListener): Promise<AdminClient> {
  return new AdminClient(await urlOf(t, createServer(listener)), TOKEN, LIMITS);
}

async function failureOf(promise: Promise<unknown>): Promise<RemoteError> {
  const failure = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(failure instanceof RemoteError, String(failure));
  return failure;
}

async function allOf(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

test('a server that never answers, or never ends its answer, is left', async (t) => {
  const silent = await clientOf(t, () => {});
  assert.match((await failureOf(silent.get('/stats'))).message, /has not answered within 0.3 s/);
  assert.equal((await failureOf(allOf(silent.lines('/tap')))).exitCode, 69);
  const slow = await clientOf(t, (_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    const timer = setInterval(() => response.write(' '), 20);
    response.on('close', () => clearInterval(timer));
  });
  assert.match((await failureOf(slow.get('/stats'))).message, /has not answered within/);
});

test('a refusal that never ends is left, and still says that it is one', async (t) => {
  const client = await clientOf(t, (_, response) => void response.writeHead(403).write('no, because'));
  for (const ask of [() => allOf(client.lines('/tap')), () => client.get('/stats')]) {
    const { message, exitCode } = await failureOf(ask());
    assert.deepEqual([message.includes('says 403'), exitCode], [true, 77], message);
  }
});

test('an answer that is nested too deeply to be printed is none of a Sluice', async (t) => {
  const deep = await clientOf(t, (_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(`{"a":${'['.repeat(40_000)}${']'.repeat(40_000)}}`);
  });
  assert.match((await failureOf(deep.get('/stats'))).message, /does not answer as a Sluice does/);
});

test('an answer or a line without end is left', async (t) => {
  const endless = await clientOf(t, (_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    const timer = setInterval(() => response.write('x'.repeat(50_000)), 1);
    response.on('close', () => clearInterval(timer));
  });
  assert.match((await failureOf(endless.get('/stats'))).message, /the answer has no end/);
  assert.match((await failureOf(allOf(endless.lines('/tap')))).message, /a line has no end/);
});

test('a stream that falls silent is left, one that goes on is read to its end', async (t) => {
  const dead = await clientOf(t, (_, response) => void response.write('{"a":1}\n'));
  assert.equal((await failureOf(allOf(dead.lines('/tap')))).exitCode, 69);
  const alive = await clientOf(t, (_, response) => {
    let left = 5;
    const timer = setInterval(() => {
      response.write(`${left}\n`);
      if (--left > 0) return;
      clearInterval(timer);
      response.end();
    }, 150);
  });
  assert.deepEqual(await allOf(alive.lines('/tap')), ['5', '4', '3', '2', '1']);
});

test('a server that is no Sluice is said to be none', async (t) => {
  const page = await clientOf(t, (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' });
    response.end('<h1>It works!</h1>');
  });
  const { message, exitCode } = await failureOf(page.get('/stats'));
  assert.match(message, /does not answer as a Sluice does: \/stats is no JSON/);
  assert.equal(exitCode, 76);
  const url = await urlOf(
    t,
    createTcpServer((socket) => void socket.end('SSH-2.0-OpenSSH_9.2\r\n')),
  );
  const ssh = new AdminClient(url, TOKEN, LIMITS);
  assert.match((await failureOf(ssh.get('/stats'))).message, /the answer is no HTTP/);
});

test('a redirect is not followed, so the token goes nowhere else', async (t) => {
  const elsewhere = await clientOf(t, () => assert.fail('the redirect was followed'));
  const client = await clientOf(t, (_, response) => {
    response.writeHead(302, { Location: `${elsewhere.origin}/stats` });
    response.end();
  });
  assert.match((await failureOf(client.get('/stats'))).message, /sends elsewhere \(302\)/);
});

test('texts of the other side reach the terminal harmless, and short', async (t) => {
  const hostile = await clientOf(t, (_, response) => {
    response.writeHead(400, { 'Content-Type': 'text/plain' });
    response.end(`\x1b]0;owned\x07\u202e${'x'.repeat(50_000)}`);
  });
  const { message } = await failureOf(hostile.post('/kick', {}));
  assert.match(message, /says 400: \\u001b\]0;owned\\u0007\\u202exxx/);
  assert.ok(message.length < 500, message);
});

test('refusals have exit codes that scripts can tell apart', async (t) => {
  let answer: readonly [status: number, text: string] = [200, ''];
  const listener: RequestListener = (_, response) => {
    response.writeHead(answer[0], { 'Content-Type': 'text/plain' });
    response.end(answer[1]);
  };
  const url = await urlOf(t, createServer(listener));
  for (const [status, text, exitCode, token] of [
    [401, 'send HTTP_TOKEN', 77, null],
    [401, 'this is not HTTP_TOKEN', 77, TOKEN],
    [403, 'HTTP_TOKEN is not set', 77, null],
    [404, 'no such page; there are /', 76, null],
    [404, 'there is no such open connection', 1, TOKEN],
    [400, 'wrong', 1, TOKEN],
    [409, 'another profile runs', 75, TOKEN],
    [429, 'too many wrong tokens', 75, TOKEN],
    [503, 'too many taps', 75, TOKEN],
    [500, 'oops', 76, TOKEN],
  ] as const) {
    answer = [status, text];
    const failure = await failureOf(new AdminClient(url, token, LIMITS).get('/stats'));
    assert.equal(failure.exitCode, exitCode, failure.message);
    assert.ok(!failure.message.includes(TOKEN));
  }
});
