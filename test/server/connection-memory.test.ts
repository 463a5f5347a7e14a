// The memory of a connection: what the heap of a gateway holds for each, more than that of a bare Node server. Both are in
// this process with the same clients, so the rest cancels out. What the system sees is in the bench (scenario `memory`).
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { it, type TestContext } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createApp } from '../../src/app.ts';
import { IDENTIFY } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { testSettings } from '../support/gateway.ts';
import { testLog } from '../support/log.ts';
import { waitFor } from '../support/wait.ts';

const CONNECTIONS = 1000;
/** They come first and make what all of them share, such as compiled code. */
const WARM_UP = 200;
/** More than in a bare server: up to 1,800 when this was written, and 3,500 before parts shared what they have. */
const MAX_SILENT_BYTES = 2_300;
/** Up to 3,000 when this was written, and 4,200 before. */
const MAX_BYTES_AFTER_LINE = 3_600;
const LINE = '{"type":"metrics","data":{"temperature":21.5}}\n';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes of the heap for each connection, once the garbage is gone: some of it is freed only a turn after a collection. */
async function heapBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 5; look++) {
    collect();
    least = Math.min(least, process.memoryUsage().heapUsed);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return least / CONNECTIONS;
}

/** The sockets stay open until the test ends: closed ones would be freed while others are measured. */
async function connectTo(t: TestContext, port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  while (sockets.length < count) {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    socket.resume();
    sockets.push(socket);
    await once(socket, 'connect');
  }
  return sockets;
}

/** For each connection, both of its ends. */
async function bareBytes(t: TestContext): Promise<number> {
  let opened = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
    opened++;
    socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    socket.read(0);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  await connectTo(t, port, WARM_UP);
  const before = await heapBytes();
  await connectTo(t, port, CONNECTIONS);
  await waitFor('all are served', () => opened === WARM_UP + CONNECTIONS);
  return (await heapBytes()) - before;
}

it('a connection takes little more memory than a socket of Node, also after its first line', async (t) => {
  const app = createApp(testSettings({ SPOOL_DIR: temporaryDirectory(t) }), {
    log: testLog({ level: 'silent' }),
    version: 'test',
  });
  const { tcp } = await app.start();
  t.after(() => app.stop());
  assert.ok(tcp);
  const sendLines = async (sockets: readonly Socket[]) => {
    const { accepted } = app.snapshot().records;
    for (const socket of sockets) socket.write(`${IDENTIFY}${LINE}`);
    await waitFor('all lines', () => app.snapshot().records.accepted === accepted + sockets.length);
  };
  const bare = await bareBytes(t);
  await sendLines(await connectTo(t, tcp.port, WARM_UP));
  const none = await heapBytes();
  const sockets = await connectTo(t, tcp.port, CONNECTIONS);
  await waitFor('all are served', () => app.snapshot().connections.active === WARM_UP + CONNECTIONS);
  const silent = (await heapBytes()) - none - bare;
  await sendLines(sockets);
  const afterLine = (await heapBytes()) - none - bare;
  t.diagnostic(
    `beyond ${Math.round(bare)} bytes with a bare server: ${Math.round(silent)}, after a line ${Math.round(afterLine)}`,
  );
  assert.ok(silent < MAX_SILENT_BYTES, `${silent} bytes silent`);
  assert.ok(afterLine < MAX_BYTES_AFTER_LINE, `${afterLine} bytes after a line`);
});
