// The largest facts that a device may give: every record that the gateway accepts fits into Kafka, and so does its letter.
import assert from 'node:assert/strict';
import kafkajs from 'kafkajs';
import { withAdmin } from '../../scripts/kafka/client.ts';
import { collect, start } from '../cli/spool-place.ts';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { createTopic, type ReadRecord, readTopic, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, kafkaGateway, test } from './stage.ts';

const LIMIT = 30_000;
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const MAX_SEQ = Number.MAX_SAFE_INTEGER;
/** 32 headers with traceparent, and 1024 bytes of constants. */
const CONSTANTS = Array.from({ length: 23 }, (_, i) => `${i}_c=${'v'.repeat(i === 0 ? 900 : 1)}`);

async function limit(bootstrap: string, topic: string, bytes: number): Promise<void> {
  const configEntries = [{ name: 'max.message.bytes', value: `${bytes}` }];
  const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries }];
  await withAdmin(bootstrap, (admin) => admin.alterConfigs({ validateOnly: false, resources }));
}

/** 2048 bytes of tags; `k` has 256 characters of 4 bytes each. */
function largestTags() {
  const tags: Record<string, string> = { k: '🌧'.repeat(256), l: '' };
  for (let i = 0; i < 4; i++) tags[`t${i}`] = 'x';
  const left = () => 2048 - Buffer.byteLength(JSON.stringify(tags));
  for (const name of ['l', 't0', 't1', 't2', 't3']) {
    tags[name] = 'y'.repeat(Math.min(256, Math.max(1, left() + (tags[name] ?? '').length)));
  }
  assert.equal(left(), 0);
  return tags;
}

const largestIdentity = {
  type: 'identify',
  zipcode: '🌧'.repeat(64),
  city: '🌧'.repeat(256),
  device_id: 'd'.repeat(64),
  tags: largestTags(),
};

/** The facts that are the same in all records of one reading of a device. */
const factsOf = ({ key, headers }: ReadRecord) => ({
  key: String(key),
  headers: Object.entries(headers)
    .filter(([name]) => name !== 'ce_id' && name !== 'ce_time')
    .map(([name, values]) => `${name}=${values.map(String).join()}`),
});

test('the largest record of the largest device fits, and so does its letter, which keeps its key and headers', async (t, bootstrap) => {
  const topic = uniqueTopic('large.metrics');
  const dead = uniqueTopic('large.dead');
  const env = {
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_TOPIC_DEAD_LETTERS: dead,
    SPOOL_DIR: temporaryDirectory(t),
    KAFKA_KEY: 'tags.k',
    KAFKA_HEADERS: ['remote_address', 'device_id', 'cloudevents', ...CONSTANTS, 'traceparent'].join(),
  };
  for (const each of [topic, dead]) {
    await createTopic(bootstrap, each, { partitions: 1 });
    await limit(bootstrap, each, LIMIT);
  }
  const gateway = await kafkaGateway(t, bootstrap, topic, env);
  await isReady(gateway);
  const device = await Device.connect(gateway.port);
  device.sendMessages(largestIdentity);
  assert.equal((await device.read()).status, 'identified');
  // Its letter would be larger than its topic takes, so it is not kept.
  device.sendMessages({ type: 'metrics', data: { a: 'x'.repeat(LIMIT) } });
  const { code, message = '' } = await device.read();
  assert.equal(code, 'record_too_large');
  const fits = Number(/at most (\d+) fit/.exec(message)?.[1]);
  const reading = JSON.stringify({ a: 'x'.repeat(fits - '{"a":""}'.length) });
  const trace = `"traceparent":"${TRACE}"`;
  // Through the short cut and the complete decoder.
  device.send(`{"type":"metrics",${trace},"seq":${MAX_SEQ - 4},"data":${reading}}\n`);
  device.send(`{"seq":${MAX_SEQ - 3},"type":"metrics",${trace},"data":${reading}}\n`);
  const { records, deadLetters } = gateway.snapshot();
  await waitFor('Kafka has judged both', () => {
    const { confirmed, deadLettered } = gateway.snapshot().records;
    return confirmed + deadLettered === 2;
  });
  assert.equal(gateway.snapshot().records.deadLettered, 0, JSON.stringify({ records, deadLetters }));
  await limit(bootstrap, topic, LIMIT / 2);
  device.send(`{"type":"metrics",${trace},"seq":${MAX_SEQ - 2},"data":${reading}}\n`);
  device.send(`{"type":"metrics","seq":${MAX_SEQ - 1},"data":{"a":1}}\n`);
  await waitFor('the letter in its topic', () => gateway.snapshot().deadLetters.sent === 1);
  assert.equal(gateway.snapshot().deadLetters.dropped, 1);
  await limit(bootstrap, topic, LIMIT);
  const resend = { KAFKA_BROKERS: bootstrap, KAFKA_COMPRESSION: 'none', ...env };
  const { code: exit, out, err } = await collect(start(['dead', 'resend', '--yes'], resend));
  assert.equal(exit, 0, out + err);
  const [first, second, small, again] = (await readTopic(bootstrap, topic, 4)).map(factsOf);
  // 32 without the two that differ.
  assert.equal(first?.headers.length, 30);
  assert.equal(first?.key, largestIdentity.tags.k);
  assert.deepEqual(second, first);
  assert.deepEqual(again, first);
  assert.deepEqual([small?.key, small?.headers.length], [first?.key, 29]);
});
