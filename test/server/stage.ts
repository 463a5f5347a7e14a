// A TcpServer behind a real port, with a sink that the test provides in place of queue and workers. And checks that
// several tests of the server make.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { mock, type TestContext } from 'node:test';
import type { Snapshot } from '../../src/admin/snapshot.ts';
import { deviceTls } from '../../src/config/device-tls.ts';
import { decodeLine } from '../../src/protocol/messages.ts';
import type { Job, JobSink } from '../../src/queue/job.ts';
import { Acceptor } from '../../src/server/acceptor.ts';
import { PlainSource } from '../../src/server/plain-source.ts';
import { ProxyStage } from '../../src/server/proxy-stage.ts';
import type { Admitted } from '../../src/server/stage.ts';
import { TcpServer, type TcpServerOptions } from '../../src/server/tcp-server.ts';
import { TimerWheel } from '../../src/server/timer-wheel.ts';
import { TlsStage } from '../../src/server/tls-stage.ts';
import type { Device } from '../support/device.ts';
import { tlsForm } from '../support/form.ts';
import { testLog } from '../support/log.ts';
import { wrapClasses } from '../support/traffic/device-ports.ts';
import { ManualTimers } from './manual-timers.ts';

export const CONNECTION = {
  maxLineBytes: 65_536,
  identifyTimeoutMs: 10_000,
  inactivityTimeoutMs: 120_000,
  lineTimeoutMs: 30_000,
  maxAgeMs: 0,
  warnsUnknownFields: false,
  maxMessagesPerSecond: 0,
  maxBytesPerSecond: 0,
  bufferBytes: 256 * 2 ** 20,
} as const;

const log = testLog({ level: 'silent' });

/** A sink without a queue: it takes the identify itself, and `handle` handles each other job. */
export function sinkOf(handle: JobSink['offer'], others: Partial<JobSink> = {}): JobSink {
  const stats = { depth: 0, capacity: 0, bytes: 0, capacityBytes: 0 };
  const offer = (job: Job) => {
    if (job.session.frame !== undefined) return handle(job);
    const message = decodeLine(job.bytes, job.start, job.end);
    if (message.type === 'identify') job.session.identify(message, job);
    else if (message.type === 'refused') job.session.refuse(message, job);
    job.session.done();
    return true;
  };
  return { offer, awaitRoom: () => {}, forget: () => {}, stats, ...others };
}

export function assertBalance({ lines }: Snapshot): void {
  assert.equal(lines.received, lines.accepted + lines.refusedLines + lines.waiting);
  assert.ok(lines.waiting >= 0);
}

/** The next reply other than `stored`, which comes whenever lines are on disk. */
export async function readAnswer(device: Device): ReturnType<Device['read']> {
  let reply = await device.read();
  while (reply.status === 'stored') reply = await device.read();
  return reply;
}

/** Fails if the connection no longer answers. */
export async function assertAlive(device: Device): Promise<void> {
  device.send('{"type":"keepalive"}\n');
  assert.equal((await readAnswer(device)).status, 'alive');
}

/** The time of a server's connections, which passes only when the test says so. */
export interface TestClock {
  readonly wheel: TimerWheel;
  /** Passes in ticks. Sockets get several turns after each. */
  pass(ms: number): Promise<void>;
}

const TICK_MS = 100;

export function testClock(t: TestContext): TestClock {
  const timers = new ManualTimers();
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  return {
    wheel: new TimerWheel({ tickMs: TICK_MS, clock: timers.clock, timers }),
    async pass(ms) {
      for (const untilMs = timers.clock() + ms; timers.clock() < untilMs; ) {
        timers.pass(TICK_MS);
        mock.timers.tick(TICK_MS);
        for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

export interface StageOptions {
  readonly options?: Partial<TcpServerOptions>;
  readonly wheel?: TimerWheel;
  /** TCP_PROXY_TRUSTED. */
  readonly trusted?: readonly string[];
  /** Connections that may wait for a PROXY header. */
  readonly maxWaiting?: number;
}

/** A server that the test connects sockets to. Its timers run. */
export function startServer(t: TestContext, sink: JobSink, { options, wheel }: StageOptions = {}): TcpServer {
  wrapClasses();
  const server = new TcpServer({ ...CONNECTION, ...options }, { sink, log, ...(wheel && { wheel }) });
  server.start();
  t.after(() => server.close(0));
  return server;
}

/** The connection behind an accepted socket from which nothing was read. */
export function admitted(accepted: Socket): Admitted {
  return { id: randomUUID(), source: new PlainSource(accepted), address: accepted.remoteAddress ?? '' };
}

/** A server that listens. */
export async function listen(
  t: TestContext,
  sink: JobSink,
  stageOptions: StageOptions = {},
): Promise<{ server: TcpServer; port: number }> {
  const server = startServer(t, sink, stageOptions);
  const tls = tlsStage(server);
  const acceptor: Acceptor = new Acceptor(
    { maxSockets: 2000, keepaliveMs: 0 },
    {
      log,
      proxy: stageOptions.trusted && new ProxyStage(stageOptions.trusted, server, stageOptions.maxWaiting),
      ask: (number) => acceptor.admit(number, 0),
      take: (arrival) => {
        if (tls === undefined) server.adopt(arrival);
        else tls.enter(arrival, (admitted) => admitted && server.adopt(admitted));
      },
      gone: () => {},
    },
  );
  t.after(() => acceptor.close());
  const { port } = await acceptor.listen({ host: '127.0.0.1', port: 0 });
  return { server, port };
}

/** If the form of the test is TLS. */
function tlsStage(host: TcpServer): TlsStage | undefined {
  const form = tlsForm();
  if (form === undefined) return undefined;
  const options = { maxHandshakes: 100, timeoutMs: 10_000, deviceIdPart: null };
  const stage = new TlsStage(options, { host, isMutual: false });
  const contents = new Map([
    ['TCP_TLS_CERT', readFileSync(form.cert)],
    ['TCP_TLS_KEY', readFileSync(form.key)],
  ] as const);
  stage.use(deviceTls(contents), Buffer.alloc(48));
  return stage;
}
