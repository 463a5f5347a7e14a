// Reads a topic of a real Kafka between two offsets: compressed batches, offsets that Kafka has deleted, and refusals.
import assert from 'node:assert/strict';
import kafkajs from 'kafkajs';
import { kafkaClient, withAdmin } from '../../../scripts/kafka/client.ts';
import { recordParts } from '../../../src/kafka/batches/record-body.ts';
import { KafkaClient } from '../../../src/kafka/client/kafka-client.ts';
import { TopicReadError, TopicReader } from '../../../src/kafka/topics/topic-reader.ts';
import { createTopic, kafkaTest, uniqueTopic } from '../../support/kafka.ts';
import { silent } from '../delivery/fakes.ts';

function clientOf(bootstrap: string): KafkaClient {
  const options = {
    brokers: bootstrap.split(','),
    clientId: 'reader',
    credentials: () => ({}),
    requestTimeoutMs: 10_000,
  };
  return new KafkaClient(options, silent);
}

kafkaTest('reads compressed batches, in part, by time, and after a deletion', async ({ bootstrap }, t) => {
  const topic = uniqueTopic('reader');
  await createTopic(bootstrap, topic, {
    partitions: 1,
    config: { 'message.timestamp.type': 'LogAppendTime' },
  });
  const producer = kafkaClient(bootstrap, 5).producer();
  await producer.connect();
  for (const from of [0, 4, 8]) {
    const messages = [0, 1, 2, 3].map((n) => ({ value: `v${from + n}`, timestamp: '5' }));
    await producer.send({ topic, compression: kafkajs.CompressionTypes.GZIP, messages });
  }
  await producer.disconnect();
  const client = clientOf(bootstrap);
  t.after(() => client.close());
  const reader = new TopicReader(client, { topic, signal: new AbortController().signal });
  await reader.open();
  const read = async (from: number, end: number) => {
    const found: string[] = [];
    for await (const records of reader.read(0, { from, end }))
      for (const { offset, body, timestampMs } of records) {
        assert.equal(recordParts(body).value.toString(), `v${offset}`);
        // Kafka's own time, not that of the producer.
        assert.ok(timestampMs > 1e12);
        found.push(String(offset));
      }
    return found.join(' ');
  };
  assert.deepEqual(await reader.range(0), { first: 0, end: 12 });
  assert.equal(await read(0, 12), '0 1 2 3 4 5 6 7 8 9 10 11');
  assert.equal(await read(3, 6), '3 4 5');
  assert.equal(await reader.offsetAt(0, 0), 0);
  assert.equal(await reader.offsetAt(0, Date.now() + 60_000), 12);
  await withAdmin(bootstrap, async (admin) => {
    // Without this kafkajs knows no leaders.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '5' }] });
  });
  assert.equal(await read(2, 7), '5 6');
  assert.equal(reader.deleted, 3);
  assert.equal(await read(20, 25), '');
});

kafkaTest('says that a topic is missing, and that nobody answers', async ({ bootstrap }, t) => {
  const { signal } = new AbortController();
  for (const [brokers, problem] of [
    [bootstrap, 'missing'],
    ['127.0.0.1:1', 'unreachable'],
  ] as const) {
    const client = clientOf(brokers);
    t.after(() => client.close());
    const reader = new TopicReader(client, { topic: uniqueTopic('reader.none'), signal });
    await assert.rejects(
      reader.open(),
      (error) => error instanceof TopicReadError && error.problem === problem,
    );
  }
});
