// Three brokers of a Kafka with ZooKeeper: only the controller creates topics, and the others do not forward a request
// to it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wantedVersion } from '../../scripts/kafka/runtime.ts';
import { Device } from '../support/device.ts';
import { gatewayFor } from '../support/gateway.ts';
import { clusterTest, startCluster, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';

const NAME = 'a topic is created whichever of three brokers the gateway knows first';

if (wantedVersion().needsZooKeeper)
  clusterTest(NAME, async (t) => {
    const cluster = await startCluster({ brokers: 3 });
    t.after(() => cluster.stop());
    for (const { address } of cluster.brokers) {
      const topic = uniqueTopic('controller');
      const gateway = await gatewayFor(t, {
        KAFKA_BROKERS: address,
        KAFKA_TOPIC_METRICS: topic,
        KAFKA_TOPIC_ALARMS: `${topic}.alarms`,
        KAFKA_TOPIC_DEAD_LETTERS: `${topic}.dead`,
        KAFKA_COMPRESSION: 'none',
        // As the cluster's own number, which Kafka before 2.4 does not apply.
        KAFKA_REPLICATION_FACTOR: '3',
      });
      const created = () => gateway.log.filter(({ msg }) => / created$/.test(msg)).length;
      await waitFor(`three topics are created through ${address}`, () => created() === 3).catch((error) => {
        const said = gateway.log.filter(({ level }) => level >= 40).map(({ msg }) => msg);
        throw new Error(`${(error as Error).message}; it said: ${said.join('; ')}`);
      });
      const device = await Device.identified(gateway.port);
      device.sendMessages({ type: 'metrics', seq: 1, data: { a: 1 } });
      assert.equal((await device.read()).seq, 1);
      await waitFor('the record is in Kafka', () => gateway.snapshot().records.confirmed === 1);
      device.destroy();
      await gateway.stop();
    }
  });
else void test(NAME, { skip: 'needs a Kafka with ZooKeeper: npm run compatibility -- 2.8.2' });
