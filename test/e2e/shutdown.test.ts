// Stops the built program under load. Everything that it accepted must be in Kafka, and everything it confirmed.
import assert from 'node:assert/strict';
import { temporaryDirectory } from '../support/directory.ts';
import { runGateway } from '../support/gateway-process.ts';
import { kafkaTakes } from '../support/health.ts';
import { createTopic, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { assertHonestStored, assertLedger, connectFleet, type FleetDevice } from './fleet.ts';
import { readByJava } from './judge.ts';
import { test } from './stage.ts';

const SHUTDOWN_TIMEOUT_MS = 10_000;
/** Limit on the unconfirmed messages of a device. */
const WINDOW = 300;

test('SIGTERM under load: exit 0 in time, every accepted reading is in Kafka, every device is told its last `stored` and when to return', async (t, bootstrap) => {
  const topic = uniqueTopic('shutdown');
  // Until Kafka has named the number of partitions, records wait on disk, and a stop may leave them there.
  await createTopic(bootstrap, topic, { partitions: 10 });
  const gateway = await runGateway(t, temporaryDirectory(t), {
    KAFKA_BROKERS: bootstrap,
    KAFKA_TOPIC_METRICS: topic,
    TCP_PROCESSES: '2',
    SHUTDOWN_TIMEOUT: `${SHUTDOWN_TIMEOUT_MS}ms`,
  });
  await waitFor('both processes reach Kafka', () => kafkaTakes(gateway.stats));
  const fleet = await connectFleet(t, gateway, { devices: 50, zipcodes: 31 });
  for (const device of fleet) keepSending(device);
  await waitFor('all are under way', () => fleet.every(({ lastStored }) => lastStored > WINDOW));
  const signalledMs = performance.now();
  gateway.signal('SIGTERM');
  assert.equal(await gateway.exited(), 0, gateway.logTail());
  const tookMs = performance.now() - signalledMs;
  assert.ok(tookMs < SHUTDOWN_TIMEOUT_MS, `${tookMs} ms`);
  assert.ok(gateway.said(/^stopped\b/), gateway.logTail());
  assert.ok(
    fleet.some(({ lastSeq, lastStored }) => lastSeq > lastStored),
    'it was under load to the end',
  );

  const delays = fleet.map(({ closing }) => closing?.reconnect_after_ms ?? Number.NaN);
  for (const [i, device] of fleet.entries()) {
    assertHonestStored(device);
    assert.deepEqual(device.errors, []);
    assert.equal(device.closing?.code, 'shutdown', `device ${i} got no goodbye`);
    assert.ok(Number(delays[i]) >= 500 && Number(delays[i]) <= 5000, `${delays[i]} ms`);
  }
  assert.ok(new Set(delays).size > 25, 'the delays are spread');

  // Each message has one reading and seq begins at 1, so the last `stored` is the number of the device's records.
  const told = fleet.reduce((sum, { lastStored }) => sum + lastStored, 0);
  const records = await readByJava(bootstrap, topic, told);
  assertLedger(fleet, records, { partitions: 10, upTo: ({ lastStored }) => lastStored });
  t.diagnostic(`${told} records, stopped in ${Math.round(tookMs)} ms`);
});

/** Writes as fast as the gateway reads, until it says goodbye. */
function keepSending(device: FleetDevice): void {
  const more = () => {
    while (device.closing === undefined && !device.ended && device.lastSeq - device.lastStored < WINDOW) {
      if (!device.send(20)) return;
    }
    if (device.closing === undefined && !device.ended) setTimeout(more, 5);
    else device.socket.end();
  };
  device.socket.on('drain', more);
  more();
}
