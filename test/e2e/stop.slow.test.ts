// Stops the built program while the broker is frozen and the buffer is full. The disk is fine, so no accepted record
// may be lost.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../support/directory.ts';
import { type Env, type GatewayProcess, runGateway } from '../support/gateway-process.ts';
import { kafkaTakes } from '../support/health.ts';
import { type SilentBroker, silentBroker } from '../support/silent-broker.ts';
import { spoolRecords } from '../support/spool-records.ts';
import { waitFor } from '../support/wait.ts';
import { assertHonestStored, assertLedger, connectFleet, type FleetDevice } from './fleet.ts';

const PARTITIONS = 4;
const SHUTDOWN_TIMEOUT_MS = 4000;
/** Allowed beyond SHUTDOWN_TIMEOUT, for a busy machine. */
const MARGIN_MS = 2000;
const LINES_PER_WRITE = 50;

interface Stage {
  readonly gateway: GatewayProcess;
  readonly broker: SilentBroker;
  readonly spool: string;
}

async function start(t: TestContext, env: Env = {}): Promise<Stage> {
  const directory = temporaryDirectory(t);
  const broker = await silentBroker(t, { partitions: PARTITIONS });
  const spool = join(directory, 'spool');
  const gateway = await runGateway(t, directory, {
    KAFKA_BROKERS: broker.bootstrap,
    KAFKA_TOPIC_DEAD_LETTERS: '',
    KAFKA_COMPRESSION: 'none',
    KAFKA_NUM_PARTITIONS: String(PARTITIONS),
    // Longer than the test, so that only the stop moves a batch to the disk.
    KAFKA_REQUEST_TIMEOUT: '60s',
    KAFKA_BUFFER_BYTES: '4MiB',
    SPOOL_DIR: spool,
    SHUTDOWN_TIMEOUT: `${SHUTDOWN_TIMEOUT_MS}ms`,
    ...env,
  });
  // A process that has not found Kafka yet would write to the disk as fast as its devices send.
  await waitFor('every process finds Kafka', () => kafkaTakes(gateway.stats));
  return { gateway, broker, spool };
}

/** Connects devices that write whenever the socket has room, until it ends, whatever the gateway answers. */
async function writers(t: TestContext, { gateway }: Stage, devices: number, zipcodes = devices) {
  const fleet = await connectFleet(t, gateway, { devices, zipcodes });
  fleet.forEach(keepWriting);
  return fleet;
}

function keepWriting(device: FleetDevice): void {
  const more = () => {
    while (!device.ended) if (!device.send(LINES_PER_WRITE)) return;
  };
  device.socket.on('drain', more);
  more();
}

const bufferIsFull = ({ gateway }: Stage) =>
  waitFor('the buffer is full and readiness says so', () =>
    gateway.stats.readiness.reasons.some((reason) => reason.includes('KAFKA_BUFFER_BYTES')),
  );

/** Sends SIGTERM and measures how long the gateway takes to end. */
async function stopped({ gateway }: Stage): Promise<{ code: number | NodeJS.Signals; ms: number }> {
  const signalledMs = performance.now();
  gateway.signal('SIGTERM');
  const code = await gateway.exited();
  return { code, ms: performance.now() - signalledMs };
}

/** Checks that exactly the readings that were told `stored` are on disk: once, in order, byte for byte. */
async function assertAllOnDisk(fleet: readonly FleetDevice[], { spool }: Stage): Promise<number> {
  for (const device of fleet) assertHonestStored(device);
  const records = await spoolRecords(spool);
  assertLedger(fleet, records, { partitions: PARTITIONS, upTo: ({ lastStored }) => lastStored });
  return records.length;
}

for (const processes of [1, 2]) {
  test(`SIGTERM with a full buffer, a silent broker and devices that go on sending: all accepted readings are on disk, exit 0 (${processes} processes)`, async (t) => {
    const stage = await start(t, {
      TCP_PROCESSES: String(processes),
      KAFKA_BUFFER_BYTES: `${4 * processes}MiB`,
    });
    const fleet = await writers(t, stage, 8, 5);
    await bufferIsFull(stage);
    const { accepted } = stage.gateway.stats.records;
    const { code, ms } = await stopped(stage);
    assert.equal(code, 0, stage.gateway.logTail());
    assert.ok(ms < SHUTDOWN_TIMEOUT_MS + MARGIN_MS, `${ms} ms`);
    assert.ok(stage.broker.produceRequests > 0, 'the broker was asked and said nothing');
    const onDisk = await assertAllOnDisk(fleet, stage);
    assert.ok(onDisk > accepted, 'lines that waited for room were worked off');
    for (const { closing } of fleet) assert.equal(closing?.code, 'shutdown');
    t.diagnostic(`${accepted} accepted at SIGTERM, ${onDisk} on disk, stopped in ${Math.round(ms)} ms`);
  });
}

test('SIGTERM with a silent broker and a full spool: exit 1, the log names the reason, and only readings on disk were told `stored`', async (t) => {
  const stage = await start(t, { SPOOL_MAX_BYTES: '1MiB' });
  const fleet = await writers(t, stage, 8, 5);
  await bufferIsFull(stage);
  const { code, ms } = await stopped(stage);
  assert.equal(code, 1, stage.gateway.logTail());
  assert.ok(ms < SHUTDOWN_TIMEOUT_MS + MARGIN_MS, `${ms} ms`);
  assert.match(
    stage.gateway.logTail(),
    /stopped hard: [1-9][\d,]* accepted readings were lost, because the spool did not take them \(SPOOL_MAX_BYTES is reached\)\. No device was told `stored`/,
  );
  assert.ok((await assertAllOnDisk(fleet, stage)) > 0);
});

test('SIGTERM right after the broker froze: readings in flight and readings that still come in are on disk, exit 0', async (t) => {
  const stage = await start(t);
  const fleet = await writers(t, stage, 3);
  await waitFor('the first batch is on its way', () => stage.broker.produceRequests > 0);
  const { code } = await stopped(stage);
  assert.equal(code, 0, stage.gateway.logTail());
  assert.ok((await assertAllOnDisk(fleet, stage)) > 0);
});

for (const { title, env } of [
  { title: 'workers that wait for a confirmation', env: { KAFKA_ASYNC: 'false' } },
  { title: 'one message at a time', env: { TCP_USE_WORKER_POOL: 'false' } },
  {
    title: 'one message at a time, each awaited',
    // Each of hundreds of lines is a write to the disk of its own, after half of the time. Beside other tests that takes seconds.
    env: {
      TCP_USE_WORKER_POOL: 'false',
      KAFKA_ASYNC: 'false',
      KAFKA_BATCH_TIMEOUT: '1ms',
      SHUTDOWN_TIMEOUT: '10s',
    },
  },
]) {
  test(`SIGTERM with a silent broker and ${title}: the stop is not held up, exit 0`, async (t) => {
    const stage = await start(t, env);
    const fleet = await writers(t, stage, 4);
    await waitFor('every device is held back', () => stage.gateway.stats.connections.paused === fleet.length);
    const { code, ms } = await stopped(stage);
    assert.equal(code, 0, stage.gateway.logTail());
    const timeoutMs = env.SHUTDOWN_TIMEOUT === undefined ? SHUTDOWN_TIMEOUT_MS : 10_000;
    assert.ok(ms < timeoutMs + MARGIN_MS, `${ms} ms`);
    assert.ok((await assertAllOnDisk(fleet, stage)) > 0);
  });
}

test('a process that gets the order to stop late counts its deadlines from the signal', async (t) => {
  const stage = await start(t, { TCP_PROCESSES: '2', KAFKA_BUFFER_BYTES: '8MiB' });
  const fleet = await writers(t, stage, 8, 5);
  await bufferIsFull(stage);
  const late = stage.gateway.children[1] as number;
  process.kill(late, 'SIGSTOP');
  const stopping = stopped(stage);
  const signalledMs = performance.now();
  // If the soft step still took half of the time from here on, the first process would kill the late one.
  await waitFor(
    'most of the time is over',
    () => performance.now() - signalledMs > 0.8 * SHUTDOWN_TIMEOUT_MS,
  );
  process.kill(late, 'SIGCONT');
  const { code } = await stopping;
  assert.equal(code, 0, stage.gateway.logTail());
  await assertAllOnDisk(fleet, stage);
});

test('the first process is killed while the others are busy: they stop in order, and a start at once waits for them', async (t) => {
  const stage = await start(t, {
    TCP_PROCESSES: '2',
    KAFKA_BUFFER_BYTES: '8MiB',
    // The silent broker holds the stop up for half of it. On a busy machine the next start takes seconds.
    SHUTDOWN_TIMEOUT: '12s',
  });
  const { gateway } = stage;
  const fleet = await writers(t, stage, 8, 5);
  await bufferIsFull(stage);
  const former = [gateway.pid, ...gateway.children];
  await gateway.kill();
  const logged = gateway.log.length;
  await gateway.start();
  const waits = gateway.log.slice(logged).filter(({ event }) => event === 'spool_lock_waited');
  assert.ok(waits.length > 0, gateway.logTail());
  for (const { holder, waitMs } of waits)
    assert.ok(former.includes(Number(holder)) && Number(waitMs) <= 13_500);
  const told = fleet.reduce((sum, { lastStored }) => sum + lastStored, 0);
  assert.ok(told > 0);
  await waitFor('all that was told stored is taken up', () => gateway.stats.records.recovered === told);
  const { code } = await stopped(stage);
  assert.equal(code, 0, gateway.logTail());
  assert.equal(await assertAllOnDisk(fleet, stage), told);
});

test('a second SIGTERM ends the stop at once with exit code 1', async (t) => {
  const stage = await start(t, { SHUTDOWN_TIMEOUT: '60s' });
  await writers(t, stage, 2);
  await bufferIsFull(stage);
  stage.gateway.signal('SIGTERM');
  await waitFor('it is stopping', () => stage.gateway.said(/^stopping: no new connections/));
  const { code, ms } = await stopped(stage);
  assert.equal(code, 1);
  assert.ok(ms < MARGIN_MS, `${ms} ms`);
});
