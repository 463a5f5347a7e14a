// What a device hears of its records' fate, with the test in the place of workers and Kafka.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import type { Job, JobSink, JobSource, Session } from '../../src/queue/job.ts';
import { Acceptor } from '../../src/server/acceptor.ts';
import { TcpServer } from '../../src/server/tcp-server.ts';
import { Device, IDENTIFY } from '../support/device.ts';
import { waitFor } from '../support/wait.ts';

const NO_LINE = { bytes: new Uint8Array(0), start: 0, end: 0 };

const textOf = ({ bytes, start, end }: Job) => Buffer.from(bytes.subarray(start, end)).toString();

interface Served {
  readonly server: TcpServer;
  readonly port: number;
  /** Jobs as they came; each is the test's to finish. */
  readonly jobs: Job[];
  /** Connections that found no room may try again. */
  readonly onRoom: () => void;
}

async function serve(t: TestContext, hasRoom: (job: Job) => boolean = () => true): Promise<Served> {
  const jobs: Job[] = [];
  const waiting: JobSource[] = [];
  const sink: JobSink = {
    offer: (job) => hasRoom(job) && jobs.push(job) > 0,
    awaitRoom: (source) => void waiting.push(source),
    forget: () => {},
    stats: { depth: 0, capacity: 1, bytes: 0, capacityBytes: 1 },
  };
  const acceptorOptions = {
    host: '127.0.0.1',
    port: 0,
    maxConnections: 10,
    maxConnectionsPerIp: 0,
    keepaliveMs: 0,
  };
  const options = {
    maxLineBytes: 65_536,
    identifyTimeoutMs: 10_000,
    inactivityTimeoutMs: 120_000,
    lineTimeoutMs: 30_000,
    queueFull: 'pause' as const,
  };
  const log = pino({ level: 'silent' });
  const server = new TcpServer(options, { sink, log });
  server.start();
  const acceptor = new Acceptor(acceptorOptions, log);
  const { port } = await acceptor.listen((socket) => {
    server.adopt(socket);
    return true;
  });
  t.after(async () => {
    acceptor.close();
    await server.close(0);
  });
  const onRoom = () => {
    for (const source of waiting.splice(0)) source.onRoom();
  };
  return { server, port, jobs, onRoom };
}

/** A connection that has sent `count` lines which a worker took, asking for the seqs 1 to `count`. */
async function withLines(
  t: TestContext,
  count: number,
): Promise<Served & { device: Device; session: Session }> {
  const served = await serve(t);
  const device = await Device.identified(served.port);
  device.send('x\n'.repeat(count));
  await waitFor('the lines', () => served.jobs.length === count);
  served.jobs.forEach(({ session }, index) => {
    session.accept();
    session.expectStored(index + 1);
    session.done();
  });
  const session = served.jobs[0]?.session;
  assert.ok(session);
  return { ...served, device, session };
}

const stored = (seq: number) => `{"type":"ack","status":"stored","seq":${seq}}`;

describe('stored', () => {
  it('is said for each confirmation that tells something new, cumulatively', async (t) => {
    const { device, session } = await withLines(t, 5);
    for (const seq of [2, 2, 1, 4]) session.stored(seq);
    session.alive();
    assert.equal(await device.readLine(), stored(2));
    assert.equal(await device.readLine(), stored(4));
    assert.match(await device.readLine(), /alive/);
  });

  it('comes after the error of a line before it', async (t) => {
    const { device, session } = await withLines(t, 2);
    session.refuse({ code: 'invalid_message', message: 'no', seq: 1 }, NO_LINE);
    session.stored(2);
    assert.equal((await device.read()).seq, 1);
    assert.equal(await device.readLine(), stored(2));
  });

  it('of the last seq ends a connection whose device has closed its half, and no earlier one', async (t) => {
    const { device, session } = await withLines(t, 3);
    device.halfClose();
    session.stored(2);
    assert.equal(await device.readLine(), stored(2));
    assert.equal(device.ended, false);
    session.stored(3);
    assert.deepEqual(await device.rest(), [stored(3)]);
  });

  it('is said only with its newest number to a device that was not reading meanwhile', async (t) => {
    const { port, jobs, server } = await serve(t);
    const device = await Device.connect(port, { reads: false });
    device.send(`${IDENTIFY}x\n`);
    const [job] = await waitFor('the line', () => jobs.length > 0 && jobs);
    assert.ok(job);
    job.session.expectStored(1_000_000);
    await waitFor('it to fall behind', () => {
      if (server.counters.paused === 0)
        for (let i = 0; i < 100; i++) job.session.refuse({ code: 'invalid_json', message: 'x' }, job);
      return server.counters.paused === 1;
    });
    for (let seq = 1; seq <= 1000; seq++) job.session.stored(seq);
    const heldBack = server.counters.linesRefused;
    device.resume();
    const seqs: number[] = [];
    for (let errors = 0; errors < heldBack || seqs.at(-1) !== 1000; ) {
      const { status, seq } = await device.read();
      if (status === 'stored') seqs.push(seq ?? -1);
      if (status === 'error') errors++;
    }
    assert.deepEqual(seqs, [1000]);
    await waitFor('no pause', () => server.counters.paused === 0);
  });

  it('to a connection that is gone does nothing', async (t) => {
    const { device, session, server } = await withLines(t, 1);
    device.reset();
    await waitFor('the end', () => server.activeConnections === 0);
    session.stored(1);
    session.refuse({ code: 'invalid_message', message: 'late', seq: 1 }, NO_LINE);
    session.done();
  });
});

describe('a line in a worker’s hands', () => {
  it('keeps the connection of a device that has closed its half open until it is done', async (t) => {
    const { port, jobs } = await serve(t);
    const device = await Device.identified(port);
    device.send('x\ny');
    device.halfClose();
    await waitFor('both lines', () => jobs.length === 2);
    jobs[0]?.session.done();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(device.ended, false);
    jobs[1]?.session.alive();
    jobs[1]?.session.done();
    assert.deepEqual(await device.rest(), ['{"type":"ack","status":"alive"}']);
  });

  it('keeps its bytes while those of other devices come and go', async (t) => {
    const { port, jobs } = await serve(t);
    const devices = await Promise.all(Array.from({ length: 8 }, () => Device.identified(port)));
    const wanted = new Map<string, string>();
    for (let round = 0; round < 500; round++) {
      for (const [index, device] of devices.entries()) {
        const name = `${index}.${round}`;
        const letter = String.fromCharCode(97 + ((index + round) % 26));
        const line = `${name} ${letter.repeat(500 + ((round * 37) % 3000))}`;
        wanted.set(name, line);
        device.send(`${line}\n`);
      }
      await new Promise(setImmediate);
      // A worker takes what has waited for long: by then the memory of many reads was used again.
      for (let left = jobs.length - 500; left > 0; left--) check(jobs.shift());
    }
    await waitFor('all lines', () => {
      while (jobs.length > 0) check(jobs.shift());
      return wanted.size === 0;
    });

    function check(job: Job | undefined): void {
      if (job === undefined) return;
      const text = textOf(job);
      const [name = ''] = text.split(' ');
      assert.equal(text, wanted.get(name));
      wanted.delete(name);
      job.session.done();
    }
  });

  it('that finds no room keeps its bytes too, and those behind it', async (t) => {
    let held = true;
    const isHeld = (job: Job) => textOf(job).startsWith('held');
    const { port, jobs, onRoom } = await serve(t, (job) => !held || !isHeld(job));
    const lines = [1, 2, 3].map((number) => `held ${number} ${'h'.repeat(100)}`);
    const first = await Device.identified(port);
    first.send(lines.map((line) => `${line}\n`).join(''));
    const others = await Promise.all(Array.from({ length: 4 }, () => Device.identified(port)));
    let sent = 0;
    let done = 0;
    while (done < 2000) {
      for (const other of others) other.send(`${'o'.repeat(2000)}\n`);
      sent += others.length;
      await waitFor('the lines of others', () => jobs.length === sent - done);
      for (const { session } of jobs.splice(0)) session.done();
      done = sent;
    }
    held = false;
    onRoom();
    await waitFor('the held lines', () => jobs.length === lines.length);
    assert.deepEqual(jobs.map(textOf), lines);
    for (const { session } of jobs) session.done();
  });

  it('keeps its bytes while later ones arrive', async (t) => {
    const { port, jobs } = await serve(t);
    const device = await Device.identified(port);
    const lines = Array.from({ length: 2000 }, (_, index) => `${index} ${'x'.repeat(index)}`);
    for (const line of lines) device.send(`${line}\n`);
    await waitFor('all lines', () => jobs.length === lines.length);
    assert.deepEqual(jobs.map(textOf), lines);
    for (const { session } of jobs) session.done();
  });
});
