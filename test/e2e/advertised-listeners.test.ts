// A broker answers the gateway but advertises an address at which nobody listens. Metadata arrive, records cannot be
// sent: the most common mistake in setting up Kafka.
import assert from 'node:assert/strict';
import { freePort } from '../../scripts/kafka/ports.ts';
import { gatewayFor } from '../support/gateway.ts';
import { troublesOf } from '../support/health.ts';
import { createTopic, startCluster, clusterTest as test, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { allStored, connectFleet } from './fleet.ts';
import { allConfirmed, assertDelivered, isReady } from './stage.ts';
import { TcpProxy } from './tcp-proxy.ts';

const WARNING = 40;
const LOGIN = { name: 'sluice', password: 'secret-enough' };

test('if nobody listens at an advertised address, the gateway names it, and records wait in the spool until somebody does', async (t) => {
  const [port, advertised] = [await freePort(), await TcpProxy.reserve()];
  t.after(() => advertised.close());
  advertised.aim(`127.0.0.1:${port}`);
  // Only the advertised address of the listener with login can be chosen.
  const cluster = await startCluster({
    sasl: [{ port, advertised: advertised.address, plainUsers: { [LOGIN.name]: LOGIN.password } }],
  });
  t.after(() => cluster.stop());
  const topic = uniqueTopic('advertised');
  await createTopic(cluster.bootstrap, topic, { partitions: 3 });
  const gateway = await gatewayFor(t, {
    KAFKA_BROKERS: `127.0.0.1:${port}`,
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: LOGIN.name,
    KAFKA_SASL_PASSWORD: LOGIN.password,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_TOPIC_ALARMS: `${topic}.alarms`,
    KAFKA_TOPIC_DEAD_LETTERS: '',
    KAFKA_COMPRESSION: 'none',
  });
  const fleet = await connectFleet(t, gateway, { devices: 6, zipcodes: 6 });

  const line = await waitFor('a warning about it', () =>
    gateway.log.find(({ level, msg }) => level === WARNING && msg.startsWith('Kafka cannot be used: ')),
  );
  assert.match(line.msg, /the leader of 3 of 3 partitions cannot be connected to/);
  assert.ok(line.msg.includes(advertised.address), line.msg);
  const snapshot = gateway.snapshot();
  assert.equal(snapshot.readiness.ready, true);
  assert.match(troublesOf(snapshot), /kafka failed \(unreachable\): .*advertised\.listeners/);
  assert.ok(!gateway.log.some(({ msg }) => msg.includes('Kafka is reachable')));
  for (const device of fleet) device.send(2);
  await allStored(fleet);
  assert.equal(gateway.snapshot().records.confirmed, 0);

  await advertised.listen();
  await isReady(gateway);
  await allConfirmed(gateway, fleet);
  await assertDelivered(cluster.bootstrap, topic, { fleet, partitions: 3 });
});
