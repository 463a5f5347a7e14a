// The `stored` replies of a connection, and the bytes of its lines. The test plays workers and Kafka.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Job, Session } from '../../src/queue/job.ts';
import type { TcpServer } from '../../src/server/tcp-server.ts';
import { Device, IDENTIFY } from '../support/device.ts';
import { waitFor } from '../support/wait.ts';
import { listen, sinkOf } from './stage.ts';

const NO_LINE = { bytes: new Uint8Array(0), start: 0, end: 0 };

const textOf = ({ bytes, start, end }: Job) => Buffer.from(bytes.subarray(start, end)).toString();

interface Served {
  readonly server: TcpServer;
  readonly port: number;
  /** Jobs in their order. The test has to finish each. */
  readonly jobs: Job[];
  /** Connections that found no room try again. */
  readonly onRoom: () => void;
}

async function serve(t: TestContext, hasRoom: (job: Job) => boolean = () => true): Promise<Served> {
  const jobs: Job[] = [];
  const waiting: Session[] = [];
  const sink = sinkOf((job) => hasRoom(job) && jobs.push(job) > 0, {
    awaitRoom: (source) => void waiting.push(source),
  });
  const { server, port } = await listen(t, sink);
  const onRoom = () => {
    for (const source of waiting.splice(0)) source.onRoom();
  };
  return { server, port, jobs, onRoom };
}

/** A connection from which a worker took `count` lines with the seqs 1 to `count`. */
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
  it('comes for each confirmation with a higher seq', async (t) => {
    const { device, session } = await withLines(t, 5);
    for (const seq of [2, 2, 1, 4]) session.stored(seq);
    session.alive();
    assert.equal(await device.readLine(), stored(2));
    assert.equal(await device.readLine(), stored(4));
    assert.match(await device.readLine(), /alive/);
  });

  it('comes after the error of an earlier line', async (t) => {
    const { device, session } = await withLines(t, 2);
    session.refuse({ code: 'invalid_message', message: 'no', seq: 1 }, NO_LINE);
    session.stored(2);
    assert.equal((await device.read()).seq, 1);
    assert.equal(await device.readLine(), stored(2));
  });

  it('of the last seq ends a half-closed connection, an earlier one does not', async (t) => {
    const { device, session } = await withLines(t, 3);
    device.halfClose();
    session.stored(2);
    assert.equal(await device.readLine(), stored(2));
    assert.equal(device.ended, false);
    session.stored(3);
    assert.deepEqual(await device.rest(), [stored(3)]);
  });

  it('comes only with the newest seq for a device that did not read meanwhile', async (t) => {
    const { port, jobs, server } = await serve(t);
    const device = await Device.connect(port, { reads: false });
    device.send(`${IDENTIFY}x\n`);
    const [job] = await waitFor('the line', () => jobs.length > 0 && jobs);
    assert.ok(job);
    job.session.expectStored(1_000_000);
    // A line that was dropped is not charged, so only the replies can pause the connection.
    const refusal = { code: 'queue_full', message: 'x'.repeat(1000) } as const;
    await waitFor('it to fall behind', () => {
      if (server.counters.paused === 0) for (let i = 0; i < 100; i++) job.session.refuse(refusal, job);
      return server.counters.paused === 1;
    });
    for (let seq = 1; seq <= 1000; seq++) job.session.stored(seq);
    const refused = server.counters.linesRefused;
    device.resume();
    const seqs: number[] = [];
    for (let errors = 0; errors < refused || seqs.at(-1) !== 1000; ) {
      const { status, seq } = await device.read();
      if (status === 'stored') seqs.push(seq ?? -1);
      if (status === 'error') errors++;
    }
    assert.deepEqual(seqs, [1000]);
    await waitFor('no pause', () => server.counters.paused === 0);
  });

  it('does nothing if the connection has ended', async (t) => {
    const { device, session, server } = await withLines(t, 1);
    device.reset();
    await waitFor('the end', () => server.activeConnections === 0);
    session.stored(1);
    session.refuse({ code: 'invalid_message', message: 'late', seq: 1 }, NO_LINE);
    session.done();
  });
});

describe('a line that a worker has taken', () => {
  it('keeps a half-closed connection open until it is done', async (t) => {
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

  it('keeps its bytes while lines of other devices come and go', async (t) => {
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
      // Lines are taken late, when the memory of many reads was used again.
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

  it('keeps its bytes also if it found no room, and so do the lines behind it', async (t) => {
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

  it('keeps its bytes while later lines arrive', async (t) => {
    const { port, jobs } = await serve(t);
    const device = await Device.identified(port);
    const lines = Array.from({ length: 2000 }, (_, index) => `${index} ${'x'.repeat(index)}`);
    for (const line of lines) device.send(`${line}\n`);
    await waitFor('all lines', () => jobs.length === lines.length);
    assert.deepEqual(jobs.map(textOf), lines);
    for (const { session } of jobs) session.done();
  });
});
