// A TcpServer behind a real port, with a sink that the test provides in place of queue and workers. And checks that
// several tests of the server make.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import type { Snapshot } from '../../src/admin/snapshot.ts';
import type { JobSink } from '../../src/queue/job.ts';
import { Acceptor } from '../../src/server/acceptor.ts';
import { TcpServer } from '../../src/server/tcp-server.ts';
import type { Device } from '../support/device.ts';

export const CONNECTION = {
  maxLineBytes: 65_536,
  identifyTimeoutMs: 10_000,
  inactivityTimeoutMs: 120_000,
  lineTimeoutMs: 30_000,
  queueFull: 'pause',
} as const;

const log = pino({ level: 'silent' });

/** A sink without a queue: `offer` handles the job. */
export function sinkOf(offer: JobSink['offer'], others: Partial<JobSink> = {}): JobSink {
  const stats = { depth: 0, capacity: 0, bytes: 0, capacityBytes: 0 };
  return { offer, awaitRoom: () => {}, forget: () => {}, stats, ...others };
}

export function assertBalance({ lines }: Snapshot): void {
  assert.equal(lines.received, lines.accepted + lines.refusedLines + lines.waiting);
  assert.ok(lines.waiting >= 0);
}

/** Fails if the connection no longer answers. */
export async function assertAlive(device: Device): Promise<void> {
  device.send('{"type":"keepalive"}\n');
  assert.equal((await device.read()).status, 'alive');
}

/** A server that the test connects sockets to. Its timers run. */
export function startServer(t: TestContext, sink: JobSink, options = {}): TcpServer {
  const server = new TcpServer({ ...CONNECTION, ...options }, { sink, log });
  server.start();
  t.after(() => server.close(0));
  return server;
}

/** A server that listens. */
export async function listen(t: TestContext, sink: JobSink): Promise<{ server: TcpServer; port: number }> {
  const server = startServer(t, sink);
  const acceptor: Acceptor = new Acceptor(
    { maxSockets: 10, keepaliveMs: 0 },
    {
      log,
      ask: (number) => acceptor.admit(number, 0),
      take: (socket) => void server.adopt(socket),
      gone: () => {},
    },
  );
  t.after(() => acceptor.close());
  const { port } = await acceptor.listen({ host: '127.0.0.1', port: 0 });
  return { server, port };
}
