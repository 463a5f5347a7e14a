// A Kafka whose logins expire after a few seconds (connections.max.reauth.ms): the gateway logs in again in time, and
// no batch in flight has to be sent twice.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../scripts/kafka/ports.ts';
import { gatewayFor } from '../support/gateway.ts';
import { startCluster, clusterTest as test, uniqueTopic } from '../support/kafka.ts';
import { allStored, connectFleet, ledgerSize } from './fleet.ts';
import { allConfirmed, assertDelivered, isReady } from './stage.ts';
import { TcpProxy } from './tcp-proxy.ts';

const USER = { name: 'sluice', password: 'Wp9-for=seconds' };
const SESSION_MS = 2000;
const LOAD_MS = 8000;
const ROUND_MS = 10;
const PARTITIONS = 4;

test('while logins expire every 2 s, no batch fails, is sent twice or is lost', async (t) => {
  const proxy = await TcpProxy.reserve();
  t.after(() => proxy.close());
  await proxy.listen();
  const port = await freePort();
  proxy.aim(`127.0.0.1:${port}`);
  const plainUsers = { [USER.name]: USER.password };
  const cluster = await startCluster({
    sasl: [{ port, advertised: proxy.address, plainUsers }],
    properties: { 'connections.max.reauth.ms': String(SESSION_MS) },
  });
  t.after(() => cluster.stop());
  const topic = uniqueTopic('reauthentication');
  const gateway = await gatewayFor(t, {
    KAFKA_BROKERS: proxy.address,
    KAFKA_CLIENT_ID: topic,
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: USER.name,
    KAFKA_SASL_PASSWORD: USER.password,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_NUM_PARTITIONS: String(PARTITIONS),
    KAFKA_BATCH_TIMEOUT: '5ms',
    // A codec that kafkajs can read back.
    KAFKA_COMPRESSION: 'none',
  });
  const fleet = await connectFleet(t, gateway, { devices: 12, zipcodes: 12 });
  await isReady(gateway);

  const until = performance.now() + LOAD_MS;
  while (performance.now() < until) {
    for (const device of fleet) device.send();
    await sleep(ROUND_MS);
  }
  await allStored(fleet);
  await allConfirmed(gateway, fleet);
  const { kafka } = gateway.snapshot();
  assert.equal(kafka.retries, 0);
  assert.equal(gateway.snapshot().records.spooled, 0);
  const connections = proxy.connectionsOf(topic);
  t.diagnostic(`${connections} connections, ${ledgerSize(fleet)} records`);
  assert.ok(connections >= LOAD_MS / SESSION_MS, `${connections} connections`);
  await assertDelivered(cluster.bootstrap, topic, { fleet, partitions: PARTITIONS });
});
