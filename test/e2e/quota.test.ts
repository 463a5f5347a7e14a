// A quota of bytes for the gateway's client id, far below the load: Kafka is slow then and not away. Batches wait in
// memory for longer than KAFKA_REQUEST_TIMEOUT, nothing is sent twice, spooled or lost, and no outage is declared.
import assert from 'node:assert/strict';
import { gatewayFor } from '../support/gateway.ts';
import { stateOf } from '../support/health.ts';
import { alterConfig, createTopic, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { allStored, connectFleet, type FleetDevice } from './fleet.ts';
import { allConfirmed, assertDelivered, isReady, test } from './stage.ts';

/** Bytes a second. */
const QUOTA = 100_000;
const REQUEST_TIMEOUT_S = 3;
const MAX_MORE = 5;
const PARTITIONS = 4;
/** Of about 350 bytes each, so that a burst is worth more than ten seconds of the quota. */
const READINGS = [100, 100, 100, 100, 100];

test('under a quota readings wait for longer than a request may take, and no outage is declared', async (t, bootstrap) => {
  const topic = uniqueTopic('quota');
  await Promise.all([
    createTopic(bootstrap, topic, { partitions: PARTITIONS }),
    alterConfig(bootstrap, { type: 'clients', name: topic }, { set: { producer_byte_rate: String(QUOTA) } }),
  ]);
  const gateway = await gatewayFor(t, {
    KAFKA_BROKERS: bootstrap,
    KAFKA_CLIENT_ID: topic,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_COMPRESSION: 'none',
    KAFKA_REQUEST_TIMEOUT: `${REQUEST_TIMEOUT_S}s`,
  });
  const fleet = await connectFleet(t, gateway, { devices: 8, zipcodes: 8 });
  await isReady(gateway);
  const states = new Set<string>();
  const watch = setInterval(() => states.add(stateOf(gateway.snapshot(), 'kafka')), 50);
  t.after(() => clearInterval(watch));

  const burst = (device: FleetDevice) => device.sendShaped(READINGS);
  for (const device of fleet) burst(device);
  await waitFor('Kafka makes the gateway wait', () => gateway.snapshot().kafka.throttledSeconds > 0);
  // These wait while the broker reads nothing from us.
  for (const device of fleet) device.sendShaped([1, 2]);
  await waitFor('health says so', () => states.has('degraded throttled'));
  await allStored(fleet, 60_000);
  // How long a broker makes us wait for the same bytes depends on how they fall into its window of the quota.
  for (
    let more = 0;
    more < MAX_MORE && gateway.snapshot().kafka.throttledSeconds <= REQUEST_TIMEOUT_S;
    more++
  ) {
    for (const device of fleet) burst(device);
    await allStored(fleet, 60_000);
  }
  await allConfirmed(gateway, fleet);

  const { kafka, records, spool } = gateway.snapshot();
  t.diagnostic(`${kafka.throttledSeconds.toFixed(1)} s of waiting for ${records.confirmed} readings`);
  assert.ok(kafka.throttledSeconds > REQUEST_TIMEOUT_S, `only ${kafka.throttledSeconds} s`);
  assert.equal(kafka.retries, 0);
  assert.equal(spool.batchesWritten, 0);
  assert.deepEqual([...states].sort(), ['degraded throttled', 'ok ok']);
  assert.ok(!gateway.log.some(({ event }) => event === 'kafka_outage_began'));
  await assertDelivered(bootstrap, topic, { fleet, partitions: PARTITIONS });
});
