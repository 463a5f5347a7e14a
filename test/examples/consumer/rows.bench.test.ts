// How many readings a second the example consumer stores, with Kafka and PostgreSQL on the same machine.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { registerCodecs } from '../../../examples/consumer/src/codecs.ts';
import { kafkaClient } from '../../../scripts/kafka/client.ts';
import { ConsumerProcess } from '../../support/consumer.ts';
import { createTopic, kafkaTest, uniqueTopic } from '../../support/kafka.ts';
import { hasPostgres, Postgres } from '../../support/postgres.ts';
import { waitFor } from '../../support/wait.ts';

const READINGS = 100_000;
const DEVICES = 100;
const SENT_AT_ONCE = 5_000;
/** A guard against a plan that reads whole tables. A quiet machine of 2 cores stores many times as many. */
const MIN_ROWS_A_SECOND = 1_000;

kafkaTest('the example consumer stores readings fast enough', async ({ bootstrap }, t) => {
  if (!hasPostgres(t)) return;
  const [topic, alarms] = [uniqueTopic('t.readings'), uniqueTopic('t.alarms')];
  await createTopic(bootstrap, topic, { partitions: 10 });
  await createTopic(bootstrap, alarms, { partitions: 1 });
  await produce(bootstrap, topic);
  // As in production, each transaction waits for the disk.
  const postgres = await Postgres.start(t, ['fsync=on', 'shared_buffers=256MB']);
  const from = performance.now();
  const consumer = new ConsumerProcess(t, {
    KAFKA_BROKERS: bootstrap,
    KAFKA_TOPIC: topic,
    KAFKA_TOPIC_ALARMS: alarms,
    KAFKA_GROUP: uniqueTopic('group'),
    DATABASE_URL: postgres.url,
  });
  const rows = async () => Number(await postgres.value('SELECT count(*) FROM raw_metrics').catch(() => 0));
  await waitFor('all rows', async () => (await rows()) === READINGS, (READINGS / MIN_ROWS_A_SECOND) * 1_000);
  const seconds = (performance.now() - from) / 1_000;
  t.diagnostic(`${Math.round(READINGS / seconds)} readings a second, from the start of the process on`);
  assert.equal(await consumer.stop(), 0, consumer.log);
});

/** Readings with all weather fields, in snappy, as the gateway writes them. */
async function produce(bootstrap: string, topic: string): Promise<void> {
  registerCodecs();
  const producer = kafkaClient(bootstrap, 5).producer();
  await producer.connect();
  const connections = Array.from({ length: DEVICES }, () => randomUUID());
  const startMs = Date.now() - READINGS * 10;
  for (let from = 0; from < READINGS; from += SENT_AT_ONCE) {
    const messages = Array.from({ length: SENT_AT_ONCE }, (_, index) => {
      const n = from + index;
      const device = n % DEVICES;
      const time = new Date(startMs + n * 10).toISOString();
      const value = {
        connection_id: connections[device],
        zipcode: String(10_000 + device),
        city: `City ${device}`,
        received_at: time,
        device_id: `device-${device}`,
        seq: n,
        data: {
          timestamp: time,
          temperature: (n % 700) / 10,
          humidity: n % 100,
          precipitation: 0.1,
          wind_speed: 3.25,
          wind_direction: 'NNE',
          pollution_index: 12.5,
          pollen_index: n % 9,
        },
      };
      return { key: value.zipcode, value: JSON.stringify(value) };
    });
    await producer.send({ topic, messages, compression: kafkajs.CompressionTypes.Snappy });
  }
  await producer.disconnect();
}
