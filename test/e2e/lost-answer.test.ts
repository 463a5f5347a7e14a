// The connection breaks after the broker has committed and before its answer arrives: the gateway cannot know,
// sends the same bytes again, and the broker recognises them.
import assert from 'node:assert/strict';
import { freePort } from '../../scripts/kafka/ports.ts';
import { startGateway } from '../support/gateway.ts';
import { clusterTest, consoleConsumer, startCluster, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { allStored, assertLedger, connectFleet, disconnect, ledgerSize } from './fleet.ts';
import { assertSequences, dumpTopics } from './judge.ts';
import { TcpProxy } from './tcp-proxy.ts';

for (const [way, attempts] of [
  ['from memory', '100'],
  ['through the spool', '1'],
] as const) {
  clusterTest(
    `an answer lost after the commit leads to no loss and no duplicate, sent again ${way}`,
    async (t) => {
      const proxy = await TcpProxy.reserve();
      t.after(() => proxy.close());
      // Before the broker: its helper, too, goes to the address that the broker gives.
      await proxy.listen();
      const port = await freePort();
      proxy.aim(`127.0.0.1:${port}`);
      const cluster = await startCluster({
        ports: [port],
        properties: { 'advertised.listeners': `PLAINTEXT://${proxy.address}` },
      });
      t.after(() => cluster.stop());
      const topic = uniqueTopic('lost-answer');
      const gateway = await startGateway({
        KAFKA_BROKERS: proxy.address,
        KAFKA_TOPIC_METRICS: topic,
        KAFKA_NUM_PARTITIONS: '4',
        KAFKA_MAX_ATTEMPTS: attempts,
        SHUTDOWN_TIMEOUT: '10s',
      });
      t.after(() => gateway.stop());
      const fleet = await connectFleet(gateway.port, { devices: 40, zipcodes: 11 });
      t.after(() => disconnect(fleet));

      // The first answer, a retry's answer right after it, and then every third.
      proxy.swallows = (number) => number <= 2 || number % 3 === 0;
      // The disk tells devices that all is stored before many answers have come, so there may have to be more rounds.
      for (let round = 0; round < 12 || (proxy.swallowed < 2 && round < 500); round++) {
        for (const device of fleet) device.sendShaped([1, 2, 1]);
        await allStored(fleet);
      }
      assert.ok(proxy.swallowed >= 2, `${proxy.swallowed} answers were swallowed`);
      proxy.swallows = () => false;
      await waitFor(
        'all is in Kafka',
        () => gateway.snapshot().records.confirmed === ledgerSize(fleet),
        30_000,
      );
      assert.ok(gateway.snapshot().kafka.retries >= proxy.swallowed);
      const records = await consoleConsumer(cluster.bootstrap, topic, {
        maxMessages: ledgerSize(fleet) + 1,
        idleMs: 4000,
      });
      assertLedger(fleet, records, { partitions: 4 });
      for (const batches of (await dumpTopics(t, cluster.bootstrap, [topic])) ?? []) assertSequences(batches);
    },
  );
}
