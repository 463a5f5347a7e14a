// The figures of the way to Kafka, read by real scrapes, against what the test sent.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Device, readings } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { gatewayFor } from '../support/gateway.ts';
import { createTopic, uniqueTopic } from '../support/kafka.ts';
import { scrape } from '../support/scrape.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, kafkaGateway, test } from './stage.ts';

const LINES = 300;

test('each record counts once on its way to Kafka, and batches hold all records and bytes', async (t, bootstrap) => {
  const topic = uniqueTopic('figures');
  await createTopic(bootstrap, topic, { partitions: 3 });
  const gateway = await kafkaGateway(t, bootstrap, topic, { HTTP_PORT: '0', KAFKA_BATCH_SIZE: '50' });
  await isReady(gateway);
  const device = await Device.identified(gateway.port);
  const startMs = performance.now();
  device.sendMessages(...readings(LINES));
  // Two readings in one message, which is told `stored` once.
  device.sendMessages({ type: 'metrics', seq: LINES, data: [{ a: 1 }, { a: 2 }] });
  await waitFor('all stored', async () => (await device.read()).seq === LINES);
  const waitedSeconds = (performance.now() - startMs) / 1000;
  const samples = await scrape(gateway.addresses.http?.port);
  const of = (series: string) => samples.get(`sluice_${series}`) ?? Number.NaN;
  assert.equal(of('line_to_kafka_seconds_count'), LINES + 2);
  assert.equal(of('line_to_stored_seconds_count'), LINES + 1);
  assert.ok(of('line_to_kafka_seconds_sum') <= (LINES + 2) * (waitedSeconds + 0.003));
  assert.ok(of('line_to_kafka_seconds_sum') > 0);
  assert.equal(of('kafka_batch_records_sum'), LINES + 2);
  assert.equal(of('kafka_batch_records_count'), of('kafka_batches_confirmed_total'));
  assert.equal(of('kafka_batch_records_bucket{le="1000"}'), of('kafka_batches_confirmed_total'));
  assert.equal(of('kafka_batch_bytes_sum'), of('kafka_sent_bytes_total'));
  const requests = of('kafka_produce_seconds_count');
  assert.ok(requests >= 1 && requests <= of('kafka_batches_confirmed_total'), `${requests} requests`);
  assert.ok(
    of('kafka_produce_seconds_sum') > 0 && of('kafka_produce_seconds_sum') < requests * waitedSeconds,
  );
  assert.equal(of('spool_sync_seconds_count'), 0);
  assert.equal(of('unaccounted_records'), 0);
});

test('records that waited on the disk count with the time that they waited', async (t, bootstrap) => {
  const topic = uniqueTopic('figures');
  await createTopic(bootstrap, topic, { partitions: 1 });
  const env = { HTTP_PORT: '0', KAFKA_TOPIC_METRICS: topic, SPOOL_DIR: join(temporaryDirectory(t), 'spool') };
  const before = await gatewayFor(t, env);
  const device = await Device.identified(before.port);
  device.sendMessages(...readings(20));
  await waitFor('all stored', async () => (await device.read()).seq === 19);
  const onDiskAtMs = performance.now();
  assert.equal((await scrape(before.addresses.http?.port)).get('sluice_line_to_kafka_seconds_count'), 0);
  await before.stop();
  const after = await kafkaGateway(t, bootstrap, topic, env);
  await waitFor('the disk is empty', () => after.snapshot().records.confirmed === 20);
  const waitedSeconds = (performance.now() - onDiskAtMs) / 1000;
  const samples = await scrape(after.addresses.http?.port);
  assert.equal(samples.get('sluice_line_to_kafka_seconds_count'), 20);
  const mean = (samples.get('sluice_line_to_kafka_seconds_sum') ?? 0) / 20;
  assert.ok(mean > 0.5 * waitedSeconds && mean < waitedSeconds + 5, `${mean} s of ${waitedSeconds} s`);
  assert.equal(samples.get('sluice_kafka_batch_records_sum'), 20);
  assert.equal(samples.get('sluice_line_to_stored_seconds_count'), 0);
});
