// The outbox of the example consumer, after kills at the moments that a test with kills seldom meets.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import kafkajs from 'kafkajs';
import { type Outbox, sendAlarms } from '../../../examples/consumer/src/outbox.ts';
import { readSettings } from '../../../examples/consumer/src/settings.ts';
import { Store } from '../../../examples/consumer/src/store.ts';
import { createTopic, kafkaTest, readTopic, uniqueTopic } from '../../support/kafka.ts';
import { hasPostgres, Postgres } from '../../support/postgres.ts';
import { waitFor } from '../../support/wait.ts';

kafkaTest('an alarm record reaches Kafka once, wherever its sender was killed', async ({ bootstrap }, t) => {
  if (!hasPostgres(t)) return;
  const [topic, group] = ['t.alarms', 'group'].map(uniqueTopic) as [string, string];
  await createTopic(bootstrap, topic, { partitions: 2 });
  const postgres = await Postgres.start(t);
  const settings = readSettings({
    KAFKA_BROKERS: bootstrap,
    KAFKA_TOPIC_ALARMS: topic,
    KAFKA_GROUP: group,
    DATABASE_URL: postgres.url,
  });
  const store = new Store(settings, 1);
  t.after(() => store.pool.end());
  await store.prepare(new AbortController().signal);
  const kafka = new kafkajs.Kafka({
    clientId: group,
    brokers: bootstrap.split(','),
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { retries: 20, maxRetryTime: 1_000 },
  });
  const put = (value: string, number: number | null = null) =>
    postgres.rows('INSERT INTO sluice_alarm_outbox (key, value, send_number) VALUES ($1, $2, $3)', [
      '90210',
      value,
      number,
    ]);
  const isEmpty = async () => (await postgres.value('SELECT count(*)::int FROM sluice_alarm_outbox')) === 0;
  const start = (context: TestContext, rules = settings) => {
    const stop = new AbortController();
    const outbox: Outbox = { problem: undefined, sent: 0 };
    const done = sendAlarms({ kafka, settings: rules, outbox, signal: stop.signal });
    const end = async () => {
      stop.abort();
      await done;
    };
    context.after(end);
    return { outbox, end };
  };

  await put('first');
  await put('second');
  const sender = start(t);
  await waitFor('both records are sent', isEmpty);
  // Another process waits for the lock meanwhile, of another group on the same database.
  const other = start(t, { ...settings, group: `${group}-2` });
  await put('third');
  await waitFor('the third record is sent', isEmpty);
  assert.deepEqual([sender.outbox.sent, other.outbox.sent], [3, 0]);
  await sender.end();
  await other.end();

  // Killed after Kafka had the transaction, before the row was deleted: the row has the number that Kafka has.
  await put('third', 2);
  // Killed after the row got its number, before Kafka had the transaction.
  await put('fourth', 3);
  // Killed in the middle of the transaction: its record is in the topic, and must never count.
  const killed = kafka.producer({
    transactionalId: `${group}-alarms`,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await killed.connect();
  t.after(() => killed.disconnect());
  const open = await killed.transaction();
  await open.send({ topic, messages: [{ key: '90210', value: 'fourth' }], acks: -1 });

  await put('fifth');
  const successor = start(t);
  await waitFor('all others are sent', isEmpty);
  assert.equal(successor.outbox.sent, 2);
  // The former sender was only slow. It cannot finish any more.
  await assert.rejects(open.commit());
  // The records of a key are in one partition, so the markers of the transactions count as records there.
  const records = await readTopic(bootstrap, topic, 5);
  assert.deepEqual(
    records.map(({ value }) => String(value)),
    ['first', 'second', 'third', 'fourth', 'fifth'],
  );
});
