// A fleet without zipcodes up to Kafka: keys, tags and headers as a real consumer sees them, and after Kafka refused the
// record and `sluice dead resend` sent it again.
import assert from 'node:assert/strict';
import kafkajs from 'kafkajs';
import { withAdmin } from '../../scripts/kafka/client.ts';
import { partitionOf } from '../../src/kafka/batches/partitioner.ts';
import { collect, start } from '../cli/spool-place.ts';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import type { Env } from '../support/gateway.ts';
import { createTopic, type ReadRecord, readTopic, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, kafkaGateway, test } from './stage.ts';

const GUID = '89791762-2336-4186-9674-299b90a802e2';
const LARGE = { note: 'n'.repeat(4000) };

async function limit(bootstrap: string, topic: string, bytes: number): Promise<void> {
  const configEntries = [{ name: 'max.message.bytes', value: `${bytes}` }];
  const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries }];
  await withAdmin(bootstrap, (admin) => admin.alterConfigs({ validateOnly: false, resources }));
}

/** Attributes of an event in binary mode, as the binding of CloudEvents 1.0 for Kafka says. */
function eventOf({ headers }: ReadRecord) {
  const found = Object.entries(headers).filter(([name]) => name.startsWith('ce_'));
  return Object.fromEntries(found.map(([name, values]) => [name.slice(3), String(values[0])]));
}

test('a tracker has its key, tags and headers in Kafka, and again after a refusal and a resend', async (t, bootstrap) => {
  const topic = uniqueTopic('id.metrics');
  const env = {
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_TOPIC_DEAD_LETTERS: uniqueTopic('id.dead'),
    SPOOL_DIR: temporaryDirectory(t),
    TCP_IDENTIFY: 'tags.fleet',
    KAFKA_KEY: 'tags.fleet',
    KAFKA_HEADERS: `remote_address,device_id,cloudevents,ce_source=/fleets,__value_schema_id=guid:${GUID}`,
  };
  await createTopic(bootstrap, topic, { partitions: 5 });
  const gateway = await kafkaGateway(t, bootstrap, topic, env);
  await isReady(gateway);
  const device = await Device.connect(gateway.port);
  device.sendMessages({ type: 'identify', device_id: 'truck-7', tags: { fleet: 'Nörd', fw: 3 } });
  const { connection_id: id } = await device.read();
  device.sendMessages({ type: 'metrics', seq: 0, data: { a: 1 } });
  assert.equal((await device.read()).seq, 0);
  // The topic's limit is lowered after the gateway has learned it, so that Kafka refuses a record that the gateway takes.
  await limit(bootstrap, topic, 2000);
  device.sendMessages({ type: 'metrics', seq: 1, data: LARGE }, { type: 'metrics', seq: 2, data: { a: 3 } });
  await waitFor('one letter, and the others in Kafka', () => {
    const { deadLettered, confirmed } = gateway.snapshot().records;
    return deadLettered === 1 && confirmed === 2;
  });
  await waitFor('the letter in its topic', () => gateway.snapshot().deadLetters.sent === 1);
  await limit(bootstrap, topic, 1_000_000);
  const resend = { KAFKA_BROKERS: bootstrap, KAFKA_COMPRESSION: 'none', ...env };
  const { code, err } = await collect(start(['dead', 'resend', '--yes'], resend));
  assert.equal(code, 0, err);

  const records = await readTopic(bootstrap, topic, 3);
  const partition = partitionOf(Buffer.from('Nörd'), 5);
  for (const [index, record] of records.entries()) {
    const { received_at: at, data, ...value } = JSON.parse(String(record.value)) as Record<string, unknown>;
    // The letter is sent after the message that came behind it.
    const seq = [0, 2, 1][index];
    assert.deepEqual(value, { connection_id: id, device_id: 'truck-7', tags: { fleet: 'Nörd', fw: 3 }, seq });
    assert.deepEqual(data, [{ a: 1 }, { a: 3 }, LARGE][index]);
    assert.deepEqual([String(record.key), record.partition], ['Nörd', partition]);
    assert.deepEqual(
      [record.headers.remote_address, record.headers.device_id, record.headers['content-type']].map(String),
      ['127.0.0.1', 'truck-7', 'application/json'],
    );
    const schema = record.headers.__value_schema_id?.[0]?.toString('hex');
    assert.equal(schema, `01${GUID.replaceAll('-', '')}`);
    const { id: eventId, ...event } = eventOf(record);
    assert.deepEqual(event, { specversion: '1.0', source: '/fleets', type: 'sluice.reading', time: at });
    assert.equal(eventId, `${id}-${String(Number(seq) + 1).padStart(16, '0')}`);
  }
});

test('records that waited on disk keep the key and the headers that they were accepted with', async (t, bootstrap) => {
  const topic = uniqueTopic('id.kept');
  await createTopic(bootstrap, topic, { partitions: 5 });
  const place = { SPOOL_DIR: temporaryDirectory(t), TCP_IDENTIFY: 'device_id', KAFKA_TOPIC_DEAD_LETTERS: '' };
  // Without settings, with others, and with others again, each time a start on the same disk.
  const runs: [env: Env, key: string | undefined, headers: Readonly<Record<string, string>>][] = [
    [{}, undefined, {}],
    [{ KAFKA_KEY: 'tags.fleet', KAFKA_HEADERS: 'site=a,device_id' }, 'north', { site: 'a', device_id: 'd' }],
    [{ KAFKA_KEY: 'device_id', KAFKA_HEADERS: '2=b,1=c' }, 'd', { 1: 'c', 2: 'b' }],
  ];
  const ids: (string | undefined)[] = [];
  for (const [seq, [env]] of runs.entries()) {
    const gateway = await kafkaGateway(t, '', topic, { ...place, ...env });
    const device = await Device.connect(gateway.port);
    device.sendMessages({ type: 'identify', device_id: 'd', tags: { fleet: 'north' } });
    ids.push((await device.read()).connection_id);
    device.sendMessages({ type: 'metrics', seq, data: { a: { b: [seq] } } });
    assert.equal((await device.read()).seq, seq);
    await gateway.stop();
  }
  const gateway = await kafkaGateway(t, bootstrap, topic, { ...place, KAFKA_HEADERS: 'remote_address' });
  await waitFor('all are in Kafka', () => gateway.snapshot().records.confirmed === runs.length);
  for (const record of await readTopic(bootstrap, topic, runs.length)) {
    const { seq } = JSON.parse(String(record.value)) as { seq: number };
    const [, key = ids[seq], headers] = runs[seq] ?? [];
    assert.deepEqual(
      [String(record.key), record.partition],
      [key, partitionOf(Buffer.from(String(key)), 5)],
      `record ${seq}`,
    );
    const found = Object.entries(record.headers).map(([name, values]) => [name, String(values[0])]);
    assert.deepEqual(Object.fromEntries(found), headers);
  }
});
