// GET /events on a real admin port: its events, its limits, and clients that do not read.
import assert from 'node:assert/strict';
import { connect, Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Clients } from '../../src/admin/http-clients.ts';
import type { HttpServerOptions } from '../../src/admin/http-server.ts';
import { COLUMNS } from '../../src/admin/live/columns.ts';
import { Live, type LiveProcess } from '../../src/admin/live/live.ts';
import { MAX_STREAMS } from '../../src/admin/reply.ts';
import type { Snapshot } from '../../src/admin/snapshot.ts';
import { Inspection } from '../../src/inspect/inspection.ts';
import { waitFor } from '../support/wait.ts';
import { adminPort } from './admin-port.ts';
import { sampleFigures, sampleSnapshot } from './sample-snapshot.ts';

interface Place {
  readonly port: number;
  /** A second passes. */
  readonly tick: (changes?: Partial<Snapshot>) => void;
  readonly setToken: (token: string) => void;
  readonly close: () => Promise<void>;
}

interface Options extends Partial<Pick<HttpServerOptions, 'host' | 'limits' | 'snapshot'>> {
  readonly processes?: () => readonly LiveProcess[];
}

async function start(t: TestContext, { processes = () => [], ...options }: Options = {}): Promise<Place> {
  const followers: ((snapshot: Snapshot) => void)[] = [];
  const follow = (one: (snapshot: Snapshot) => void) => {
    followers.push(one);
    return () => {};
  };
  let token = 'first-token';
  const respondent = (index: number) => ({ index, ask: () => Promise.resolve(null) });
  const { server, port } = await adminPort(t, {
    token: () => token,
    inspection: new Inspection([respondent(0), respondent(1)]),
    live: new Live({ follow }, processes),
    ...options,
  });
  return {
    port,
    tick: (changes) => followers.forEach((one) => void one(sampleSnapshot(changes))),
    setToken: (next) => {
      token = next;
    },
    close: () => server.close(),
  };
}

class Reader {
  readonly socket: Socket;
  text = '';
  closed = false;

  constructor(port: number, path = '/events', headers = '') {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setEncoding('utf8');
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk: string) => {
      this.text += chunk;
    });
    this.socket.on('close', () => {
      this.closed = true;
    });
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`);
  }

  /** The data of all events of this name. */
  events(name: string): Record<string, unknown>[] {
    // A chunk may end within an event, so its sizes are taken out first.
    const body = this.text.replace(/\r\n[0-9a-f]+\r\n/g, '');
    return [...body.matchAll(new RegExp(`event: ${name}\\ndata: (.*)\\n\\n`, 'g'))].map(
      ([, data = '']) => JSON.parse(data) as Record<string, unknown>,
    );
  }

  async has(name: string, count = 1): Promise<Record<string, unknown>[]> {
    await waitFor(`${count} of ${name}`, () => this.events(name).length >= count);
    return this.events(name);
  }
}

test('a stream begins with the history, then has a sample and the figures of each second', async (t) => {
  const { port, tick } = await start(t);
  const early = new Reader(port);
  const [none] = await early.has('history');
  assert.deepEqual([none?.process, none?.everyMs], [null, 1000]);
  assert.deepEqual(Object.keys(none?.samples ?? {}), COLUMNS);
  assert.deepEqual(early.events('figures'), []);
  const at = '2026-11-21T08:00:01.000Z';
  tick({ at, uptimeSeconds: 101 });
  const [figures] = await early.has('figures');
  assert.deepEqual(figures, {
    ...JSON.parse(JSON.stringify(sampleSnapshot({ at, uptimeSeconds: 101 }))),
    processList: [],
  });
  const [sample] = early.events('sample');
  assert.deepEqual(Object.keys(sample ?? {}), COLUMNS);
  assert.deepEqual(
    [sample?.at, sample?.uptimeSeconds, sample?.['lines.received'], sample?.['lines.refused'], sample?.ready],
    [Date.parse(at), 101, 1008, 7, 1],
  );
  const late = new Reader(port);
  const [history] = await late.has('history');
  const samples = columnsOf(history);
  assert.deepEqual([samples.at, samples['lines.received']], [[Date.parse(at)], [1008]]);
  // The latest figures come at once.
  assert.equal((await late.has('figures')).length, 1);
  assert.match(late.text, /^HTTP\/1\.1 200 OK\r\nContent-Type: text\/event-stream; charset=utf-8\r\n/);
  assert.match(late.text, /\r\nCache-Control: no-store\r\n/);
});

test('of one process there are its own figures and history; no other process is known', async (t) => {
  const lines = { ...sampleFigures().lines, received: 5 };
  const own = () => [{ index: 1, pid: 7, figures: sampleFigures({ lines }) }];
  const { port, tick } = await start(t, { processes: own });
  tick();
  const reader = new Reader(port, '/events?process=1');
  const [history] = await reader.has('history');
  assert.equal(history?.process, 1);
  assert.deepEqual(columnsOf(history)['lines.received'], [5]);
  tick();
  const [, figures] = await reader.has('figures', 2);
  assert.deepEqual((figures as Partial<Snapshot> | undefined)?.lines?.received, 5);
  assert.ok(!('readiness' in (figures ?? {})));
  for (const other of ['2', '-1', '01', '', 'x', '1.0', '__proto__']) {
    const response = await fetch(`http://127.0.0.1:${port}/events?process=${other}`);
    assert.deepEqual([response.status, await response.text()], [400, 'process is one of 0, 1\n'], other);
  }
});

test('HEAD of a stream has its head only', async (t) => {
  const { port } = await start(t);
  const response = await fetch(`http://127.0.0.1:${port}/events`, { method: 'HEAD' });
  assert.deepEqual([response.status, await response.text()], [200, '']);
});

test('there are 16 streams, one more is 503, and probes are answered beside them', async (t) => {
  const { port, tick } = await start(t, {
    limits: { maxConnections: 20 },
    snapshot: () => new Promise(() => {}),
  });
  const readers = Array.from({ length: MAX_STREAMS.events }, () => new Reader(port));
  await Promise.all(readers.map((reader) => reader.has('history')));
  const url = `http://127.0.0.1:${port}`;
  const refused = await fetch(`${url}/events`);
  assert.deepEqual(
    [refused.status, await refused.text()],
    [503, '16 of these streams are open, and there may not be more\n'],
  );
  // Idle connections take each other's place, never that of a stream.
  const idle = Array.from({ length: 30 }, () => connect(port, '127.0.0.1').on('error', () => {}));
  t.after(() => idle.forEach((socket) => void socket.destroy()));
  for (let n = 0; n < 10; n++) assert.equal((await fetch(`${url}/healthz`)).status, 200);
  // Nor do answers that take long.
  const slow = Array.from({ length: 6 }, () => new Reader(port, '/stats'));
  await waitFor('two of them make room', () => slow.filter(({ closed }) => closed).length >= 2);
  t.after(() => slow.forEach(({ socket }) => void socket.destroy()));
  tick();
  await Promise.all(readers.map((reader) => reader.has('sample')));
  readers[0]?.socket.destroy();
  await waitFor('room for one more', async () => {
    const next = await fetch(`${url}/events`);
    await next.body?.cancel();
    return next.status === 200;
  });
});

test('strangers on loopback cannot keep an operator from the streams, nor take his', async (t) => {
  const { port } = await start(t);
  const bearer = (token: string) => `Authorization: Bearer ${token}\r\n`;
  const open = async (headers = '') => {
    const reader = new Reader(port, '/events', headers);
    await waitFor('it begins', () => reader.text.includes('retry:'));
    return reader;
  };
  const strangers: Reader[] = [];
  for (let n = 0; n < MAX_STREAMS.events; n++) strangers.push(await open());
  const operators: Reader[] = [];
  for (let n = 0; n < MAX_STREAMS.events; n++) operators.push(await open(bearer('first-token')));
  await waitFor('the strangers have gone', () => strangers.every(({ closed }) => closed));
  for (const headers of ['', bearer('wrong'), bearer('first-token')]) {
    const late = new Reader(port, '/events', headers);
    await waitFor('it is refused', () => late.text.includes('503'));
    late.socket.destroy();
  }
  assert.ok(operators.every(({ closed }) => !closed));
});

test('a stream stays open past the time limits of answers, with comments while it is quiet', async (t) => {
  const limits = { idleMs: 300, keepAliveMs: 300, requestTimeoutMs: 300, quietMs: 400 };
  const { port } = await start(t, { limits });
  const reader = new Reader(port);
  await reader.has('history');
  await waitFor('two comments', () => [...reader.text.matchAll(/: still here\n\n/g)].length >= 2);
  assert.ok(!reader.closed);
});

test('a client that does not read is cut off, and gets no more than one text meanwhile', async (t) => {
  const { port, tick } = await start(t, { limits: { idleMs: 700 } });
  const stalled = new Reader(port);
  await stalled.has('history');
  stalled.socket.pause();
  const reading = new Reader(port);
  await reading.has('history');
  // More than the kernel takes.
  const reasons = Array.from({ length: 4000 }, () => 'x'.repeat(1000));
  const before = process.memoryUsage().arrayBuffers;
  for (let n = 1; n <= 5; n++) {
    tick({ readiness: { ready: false, reasons } });
    await waitFor('the reader has it', () => reading.text.length > n * 4_000_000);
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 60_000_000);
  // Its socket sees the end only once it reads.
  await waitFor('the server has cut it off', async () => {
    tick();
    return (await openStreams(port)) === 1;
  });
  assert.ok(!reading.closed);
  stalled.socket.destroy();
});

/** Connections that the server has open, less that of this question. From Linux's /proc/net/tcp; 01 is ESTABLISHED. */
async function openStreams(port: number): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const table = await readFile('/proc/net/tcp', 'utf8');
  return [...table.matchAll(new RegExp(`: 0100007F:${hex} 0100007F:[0-9A-F]{4} 01 `, 'g'))].length;
}

test('streams end with the gateway, and say so', async (t) => {
  const { port, close } = await start(t);
  const reader = new Reader(port);
  await reader.has('history');
  await close();
  assert.deepEqual(await reader.has('end'), [{ reason: 'stopping' }]);
  await waitFor('its end', () => reader.closed);
});

test('beyond loopback a stream needs the token, and ends when the token changes', async (t) => {
  const { port, setToken, tick } = await start(t, { host: '0.0.0.0' });
  const without = await fetch(`http://127.0.0.1:${port}/events`);
  assert.equal(without.status, 401);
  const reader = new Reader(port, '/events', 'Authorization: Bearer first-token\r\n');
  await reader.has('history');
  tick();
  await reader.has('sample');
  setToken('second-token');
  assert.deepEqual(await reader.has('end'), [{ reason: 'login' }]);
  await waitFor('its end', () => reader.closed);
});

test('a page of another site cannot hold a stream open', async (t) => {
  const { port } = await start(t);
  const asImage = 'Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n';
  for (const headers of [
    asImage,
    asImage.replace('cross-site', 'same-site'),
    'Origin: http://evil.example\r\n',
  ]) {
    const reader = new Reader(port, '/events', headers);
    await waitFor('the answer', () => reader.text.includes('\r\n\r\n'));
    assert.match(reader.text, /^HTTP\/1\.1 403 /);
    reader.socket.destroy();
  }
  const own = new Reader(port, '/events', asImage.replace('cross-site', 'same-origin'));
  await own.has('history');
});

function columnsOf(history: Record<string, unknown> | undefined): Record<string, number[]> {
  return (history?.samples ?? {}) as Record<string, number[]>;
}

test('if all connections are answered, the oldest answer makes room, never a stream', () => {
  const clients = new Clients(3);
  const [stream, answer, later, next] = [new Socket(), new Socket(), new Socket(), new Socket()];
  for (const socket of [stream, answer, later]) {
    clients.add(socket);
    clients.begin(socket);
  }
  clients.streams(stream);
  assert.ok(clients.isAnswered(stream));
  clients.add(next);
  assert.deepEqual([stream.destroyed, answer.destroyed, later.destroyed], [false, true, false]);
});

test('a stream with the cookie of a login ends with the logout, and with a new token', async (t) => {
  const { port, setToken } = await start(t, { host: '0.0.0.0' });
  const origin = `http://127.0.0.1:${port}`;
  const post = (path: string, cookie = '') =>
    fetch(`${origin}${path}`, { method: 'POST', headers: { origin, cookie }, body: 'token=first-token' });
  const logIn = async () => (await post('/login')).headers.get('set-cookie')?.split(';')[0] ?? '';
  const [first, second] = [await logIn(), await logIn()];
  const streams = [first, second].map((cookie) => new Reader(port, '/events', `Cookie: ${cookie}\r\n`));
  for (const stream of streams) await stream.has('history');
  await post('/logout', first);
  assert.deepEqual(await streams[0]?.has('end'), [{ reason: 'login' }]);
  assert.ok(!streams[1]?.closed);
  setToken('second-token');
  assert.deepEqual(await streams[1]?.has('end'), [{ reason: 'login' }]);
});
