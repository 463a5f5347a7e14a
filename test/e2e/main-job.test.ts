// The main job: thousands of devices, several workers, and each reading in Kafka once and in order.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { gatewayFor } from '../support/gateway.ts';
import { uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { allStored, assertLedger, connectFleet, ledgerSize } from './fleet.ts';
import { assertSequences, dumpTopics, readByJava } from './judge.ts';
import { assertDelivered, kafkaGateway, test } from './stage.ts';

const LINES = 12_000;
const LINES_PER_SECOND = 12_000;
const MAX_MS = 60_000;

test('2,000 devices: each reading is in Kafka once, in order, byte for byte, and confirmed', async (t, bootstrap) => {
  const topic = uniqueTopic('fleet');
  const gateway = await gatewayFor(t, {
    KAFKA_BROKERS: bootstrap,
    KAFKA_TOPIC_METRICS: topic,
    TCP_WORKER_COUNT: '16',
    SHUTDOWN_TIMEOUT: '10s',
  });
  const fleet = await connectFleet(t, gateway, { devices: 2000, zipcodes: 331 });
  assert.equal(gateway.snapshot().connections.active, 2000);
  assert.equal(gateway.snapshot().connections.uniqueZipcodes, 331);
  // One line a write, several a write, and batch messages in between.
  for (const shape of [[1], [1, 1, 1], [4], [1, 3, 1]]) for (const device of fleet) device.sendShaped(shape);
  await allStored(fleet);

  const expected = ledgerSize(fleet);
  const { records, lines, kafka, queue } = gateway.snapshot();
  assert.deepEqual([records.accepted, records.confirmed], [expected, expected]);
  assert.deepEqual([records.open, records.inFlight], [0, 0]);
  assert.equal(lines.received, 2000 * 9);
  assert.equal(lines.received, lines.accepted + lines.refusedLines);
  assert.equal(kafka.bufferBytes, 0);
  assert.equal(queue.workers, 16);
  for (const device of fleet) assert.deepEqual(device.errors, []);
  const perBatch = records.confirmed / kafka.batchesConfirmed;
  assert.ok(perBatch > 20, `${perBatch} records a batch`);

  const read = await readByJava(bootstrap, topic, expected);
  assertLedger(fleet, read, { partitions: 10 });
  const dumped = await dumpTopics(t, bootstrap, [topic]);
  if (dumped !== undefined) {
    assert.equal(dumped.length, 10);
    for (const batches of dumped) assertSequences(batches);
  }
});

// gzip is an async codec: pauses between reads would delay each batch and its answer.
for (const [compression, pauses] of [
  ['none', true],
  ['gzip', false],
] as const) {
  test(`many single lines, read ${pauses ? 'with' : 'without'} pauses and ${compression}: each in Kafka once, in order, and confirmed`, async (t, bootstrap) => {
    const topic = uniqueTopic('pauses');
    const gateway = await kafkaGateway(t, bootstrap, topic, { KAFKA_COMPRESSION: compression });
    const fleet = await connectFleet(t, gateway, { devices: 200, zipcodes: 40 });
    assert.equal(gateway.snapshot().connections.readRests, 0);

    const startMs = performance.now();
    const pausesMissing = () => pauses && gateway.snapshot().connections.readRests === 0;
    let sent = 0;
    // A busy machine may reach the rate later. Lines that it could not send in time are not made up for: all at once, they
    // would be large reads.
    for (let lastMs = startMs; sent < LINES || (pausesMissing() && lastMs - startMs < MAX_MS); ) {
      const nowMs = performance.now();
      const due = Math.min(fleet.length, ((nowMs - lastMs) * LINES_PER_SECOND) / 1000);
      for (const until = sent + due; sent < until; sent++) fleet[sent % fleet.length]?.send();
      lastMs = nowMs;
      await sleep(1);
    }
    await allStored(fleet);
    const { connections, records } = gateway.snapshot();
    assert.equal(connections.readRests > 0, pauses);
    assert.equal(records.confirmed, sent);
    await assertDelivered(bootstrap, topic, { fleet, partitions: 10 });
  });
}

for (const async of ['true', 'false']) {
  for (const workers of ['1', '16']) {
    test(`with ${workers} workers and KAFKA_ASYNC=${async} each device’s order holds, batch messages included`, async (t, bootstrap) => {
      const topic = uniqueTopic('order');
      const gateway = await kafkaGateway(t, bootstrap, topic, {
        KAFKA_ASYNC: async,
        KAFKA_COMPRESSION: 'gzip',
        KAFKA_BATCH_SIZE: '50',
        KAFKA_BATCH_TIMEOUT: '2ms',
        TCP_WORKER_COUNT: workers,
        TCP_JOB_QUEUE_SIZE: '64',
      });
      const fleet = await connectFleet(t, gateway, { devices: 30, zipcodes: 5 });
      const before = gateway.snapshot().lines.accepted;
      for (let round = 0; round < 20; round++) {
        for (const device of fleet) device.sendShaped([1, 1, 7, 1, 2]);
      }
      await allStored(fleet);
      assert.equal(gateway.snapshot().lines.accepted - before, 30 * 20 * 5);
      await assertDelivered(bootstrap, topic, { fleet, partitions: 10 });
    });
  }
}

test('without the worker pool each reading is in Kafka once, in order, and confirmed', async (t, bootstrap) => {
  const topic = uniqueTopic('direct');
  const gateway = await kafkaGateway(t, bootstrap, topic, {
    KAFKA_ASYNC: 'false',
    KAFKA_BATCH_TIMEOUT: '0',
    TCP_USE_WORKER_POOL: 'false',
  });
  const fleet = await connectFleet(t, gateway, { devices: 20, zipcodes: 3 });
  for (const device of fleet) device.sendShaped([1, 1, 5, 1]);
  await allStored(fleet);
  await assertDelivered(bootstrap, topic, { fleet, partitions: 10 });
});

test('a refused reading of a batch message keeps all of it out of Kafka', async (t, bootstrap) => {
  const topic = uniqueTopic('atomic');
  const gateway = await kafkaGateway(t, bootstrap, topic);
  const [device] = await connectFleet(t, gateway, { devices: 1, zipcodes: 1 });
  assert.ok(device);
  device.send();
  device.socket.write('{"type":"metrics","seq":2,"data":[{"a":1},{"a":{"":1}},{"a":3}]}\n');
  device.lastSeq = 2;
  device.send();
  await allStored([device]);
  await waitFor('the refusal', () => device.errors.length > 0);
  assert.deepEqual(
    device.errors.map(({ code, seq }) => [code, seq]),
    [['invalid_message', 2]],
  );
  await assertDelivered(bootstrap, topic, { fleet: [device], partitions: 10 });
});
