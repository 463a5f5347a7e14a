// The connection breaks after the broker has committed a batch and before its answer arrives. The gateway cannot know,
// sends the same bytes again, and the broker recognises them.
import assert from 'node:assert/strict';
import { freePort } from '../../scripts/kafka/ports.ts';
import { gatewayFor } from '../support/gateway.ts';
import { startCluster, clusterTest as test, uniqueTopic } from '../support/kafka.ts';
import { allStored, assertLedger, connectFleet, ledgerSize } from './fleet.ts';
import { assertSequences, dumpTopics, readByJava } from './judge.ts';
import { allConfirmed } from './stage.ts';
import { TcpProxy } from './tcp-proxy.ts';

for (const [way, attempts] of [
  ['from memory', '100'],
  ['through the spool', '1'],
] as const) {
  test(`an answer that is lost after the commit causes no loss and no duplicate, sent again ${way}`, async (t) => {
    const proxy = await TcpProxy.reserve();
    t.after(() => proxy.close());
    // Reserved before the broker starts, because the broker's helper also connects to the advertised address.
    await proxy.listen();
    const port = await freePort();
    proxy.aim(`127.0.0.1:${port}`);
    const cluster = await startCluster({
      ports: [port],
      properties: { 'advertised.listeners': `PLAINTEXT://${proxy.address}` },
    });
    t.after(() => cluster.stop());
    const topic = uniqueTopic('lost-answer');
    const gateway = await gatewayFor(t, {
      KAFKA_BROKERS: proxy.address,
      KAFKA_TOPIC_METRICS: topic,
      KAFKA_NUM_PARTITIONS: '4',
      KAFKA_MAX_ATTEMPTS: attempts,
      SHUTDOWN_TIMEOUT: '10s',
    });
    const fleet = await connectFleet(t, gateway, { devices: 40, zipcodes: 11 });

    // Swallows the first answer, the answer to its retry, and then every third.
    proxy.swallows = (number) => number <= 2 || number % 3 === 0;
    // Devices may hear `stored` from the disk before many answers have come, so more rounds may be needed.
    for (let round = 0; round < 12 || (proxy.swallowed < 2 && round < 500); round++) {
      for (const device of fleet) device.sendShaped([1, 2, 1]);
      await allStored(fleet);
    }
    assert.ok(proxy.swallowed >= 2, `${proxy.swallowed} answers were swallowed`);
    proxy.swallows = () => false;
    await allConfirmed(gateway, fleet);
    assert.ok(gateway.snapshot().kafka.retries >= proxy.swallowed);
    const records = await readByJava(cluster.bootstrap, topic, ledgerSize(fleet));
    assertLedger(fleet, records, { partitions: 4 });
    for (const batches of (await dumpTopics(t, cluster.bootstrap, [topic])) ?? []) assertSequences(batches);
  });
}
