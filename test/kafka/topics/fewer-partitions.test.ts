// A topic that is created again with fewer partitions, in a real cluster of three brokers. At first only one broker can be
// reached.
import assert from 'node:assert/strict';
import { BrokerProxy } from '../../../scripts/kafka/broker-proxy.ts';
import { withAdmin } from '../../../scripts/kafka/client.ts';
import { KafkaClient } from '../../../src/kafka/client/kafka-client.ts';
import { clusterTest, createTopic, deleteTopic, startCluster, uniqueTopic } from '../../support/kafka.ts';
import { waitFor } from '../../support/wait.ts';
import { silent } from '../delivery/fakes.ts';
import { stage } from './fake-metadata.ts';

const BELIEVED_MS = 40_000;

clusterTest(
  'fewer partitions named by one of three brokers are believed when a second broker can be asked',
  async (t) => {
    const kafka = await startCluster({ brokers: 3 });
    t.after(() => kafka.stop());
    const proxies = await BrokerProxy.before(kafka.brokers.map(({ address }) => address));
    for (const proxy of proxies) t.after(() => proxy.close());
    const topic = uniqueTopic('fewer');
    await createTopic(kafka.bootstrap, topic, { partitions: 6, replicationFactor: 3 });

    const client = new KafkaClient(
      {
        brokers: proxies.map(({ address }) => address),
        clientId: 'test',
        credentials: () => ({}),
        requestTimeoutMs: 5_000,
      },
      silent,
    );
    t.after(() => client.close());
    const made = stage(client, {
      topic: { topic, partitions: 6, replicationFactor: 3 },
      timing: {
        retry: { firstMs: 200, maxMs: 2_000 },
        goneAfter: { times: 3, forMs: 60_000 },
        fewerAfter: { times: 3, forMs: 1_000 },
      },
    });
    t.after(() => made.refresher.close());
    made.refresher.start();
    await waitFor('the leaders are known', () => made.refresher.problem === null, BELIEVED_MS);

    const [, ...others] = proxies;
    for (const proxy of others) proxy.refuse();
    await deleteTopic(kafka.bootstrap, topic);
    await waitFor('the topic is gone', () =>
      withAdmin(kafka.bootstrap, async (admin) => !(await admin.listTopics()).includes(topic)),
    );
    await createTopic(kafka.bootstrap, topic, { partitions: 2, replicationFactor: 3 });
    made.refresher.refresh('test');
    const message =
      /broker 1 names only 2 of the 6 partitions of fewer\.\w+, and no other broker \(2, 3\) answers/;
    await waitFor('the doubt is reported', () => message.test(made.refresher.problem ?? ''), BELIEVED_MS);
    assert.equal(made.batcher.partitions, 6);
    assert.deepEqual([...new Set(made.handed.map(({ leaders }) => leaders.length))], [6]);

    await others[1]?.accept();
    await waitFor('the answer is believed', () => made.batcher.partitions === 2, BELIEVED_MS);
    const line = made.log.find(({ msg }) => msg.includes('2 partitions now and had 6'));
    assert.deepEqual(line?.brokers, [1, 3]);
  },
);
