// Checks each codec with Java's tools alone: the consumer reads the records, DumpLogSegments the batches.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { codecsHere, hasZstd } from '../kafka/batches/codecs-here.ts';
import { gatewayFor, startGateway } from '../support/gateway.ts';
import { uniqueTopic } from '../support/kafka.ts';
import { allStored, assertLedger, connectFleet, disconnect, ledgerSize } from './fleet.ts';
import { assertSequences, dumpTopics, readByJava } from './judge.ts';
import { test } from './stage.ts';

test(`Java reads batches of ${codecsHere.join(', ')} byte for byte and finds them valid`, async (t, bootstrap) => {
  const topics = codecsHere.map((codec) => uniqueTopic(`codec-${codec}`));
  for (const [i, codec] of codecsHere.entries()) {
    const topic = topics[i] as string;
    const gateway = await gatewayFor(t, {
      KAFKA_BROKERS: bootstrap,
      KAFKA_TOPIC_METRICS: topic,
      KAFKA_NUM_PARTITIONS: '1',
      KAFKA_COMPRESSION: codec,
      KAFKA_BATCH_TIMEOUT: '50ms',
    });
    const before = Date.now();
    const fleet = await connectFleet(t, gateway, { devices: 10, zipcodes: 4 });
    for (let round = 0; round < 10; round++) for (const device of fleet) device.send(10);
    await allStored(fleet);
    const after = Date.now();

    const records = await readByJava(bootstrap, topic, ledgerSize(fleet));
    assertLedger(fleet, records, { partitions: 1 });
    for (const { timestamp, timestampType, headers } of records) {
      assert.equal(timestampType, 'CreateTime');
      assert.ok(timestamp >= before && timestamp <= after);
      assert.deepEqual(headers, []);
    }
    disconnect(fleet);
    await gateway.stop();
  }
  const dumped = await dumpTopics(t, bootstrap, topics);
  for (const [i, codec] of (dumped === undefined ? [] : codecsHere).entries()) {
    const batches = dumped?.[i] ?? [];
    assertSequences(batches);
    const large = batches.filter(({ count }) => count > 20);
    assert.ok(large.length > 0, 'batches large enough to be compressed');
    for (const batch of large) assert.equal(batch.codec, codec);
  }
});

it('a gateway told to use zstd on a Node.js without it does not start: exit code 78', {
  skip: hasZstd,
}, async () => {
  await assert.rejects(startGateway({ KAFKA_COMPRESSION: 'zstd' }), {
    exitCode: 78,
    message: /KAFKA_COMPRESSION=zstd needs Node 22\.15 or later/,
  });
});
