// A device that sends more than Kafka takes, from the queue to `stored`, with the worker pool and without.
import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createIngest } from '../../src/workers/ingest.ts';
import { testSettings } from '../support/gateway.ts';
import { testLog } from '../support/log.ts';
import { NotingSession } from '../support/session.ts';
import { waitFor } from '../support/wait.ts';
import { slowKafka } from './slow-kafka.ts';

const LINES = 1000;
const LARGE = Array.from({ length: 20 }, (_, index) => `"f${index}":"${'x'.repeat(1000)}"`).join(',');
/** A bit more than the lines of a batch of 512 KiB. */
const LINES_A_BATCH = 27;
/** One is in flight, one waits, one is open. */
const MAX_BATCHES = 3;
const log = testLog({ level: 'silent' });

function setUp(t: TestContext, pool: string) {
  let goOn: () => void = () => {};
  const pause = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const kafka = slowKafka(() => pause);
  const { congestion } = kafka;
  const settings = testSettings({ TCP_USE_WORKER_POOL: pool });
  const ingest = createIngest(settings, kafka, { congestion, log, dropped: () => {} });
  const { sink } = ingest;
  ingest.start();
  const device = new NotingSession();
  let seq = 0;
  /** Offers lines as a connection does. */
  const send = () => {
    for (; seq < LINES; seq++)
      if (!sink.offer(device.job(`{"type":"metrics","seq":${seq},"data":{${LARGE}}}`))) {
        sink.awaitRoom(device);
        return;
      }
  };
  device.whenRoom = send;
  send();
  t.after(() => goOn());
  return { kafka, congestion, device, ingest, goOn };
}

for (const pool of ['true', 'false'])
  it(`while Kafka is slow few lines are taken, and a stop takes all of them (TCP_USE_WORKER_POOL=${pool})`, async (t) => {
    const { kafka, congestion, device, ingest, goOn } = setUp(t, pool);
    await waitFor('congestion', () => congestion.exists, 5_000);
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    const { accepted } = device;
    assert.ok(accepted <= MAX_BATCHES * LINES_A_BATCH, `${accepted} lines were taken`);
    const finished = ingest.finish();
    goOn();
    await finished;
    assert.deepEqual([device.accepted, device.refused.length], [LINES, 0]);
    kafka.flush();
    await waitFor('the confirmation', () => device.storedSeq === LINES - 1);
  });

for (const pool of ['true', 'false'])
  it(`while Kafka is slow a keepalive of the same partition is answered at once (TCP_USE_WORKER_POOL=${pool})`, async (t) => {
    const { congestion, device, ingest } = setUp(t, pool);
    await waitFor('congestion', () => congestion.exists, 5_000);
    const quiet = new NotingSession();
    quiet.partition = device.partition;
    quiet.generation = device.generation;
    ingest.sink.offer(quiet.job('{"type":"keepalive"}'));
    await waitFor('the answer', () => quiet.alives > 0, 1_000);
    assert.ok(congestion.includes(quiet.partition));
  });
