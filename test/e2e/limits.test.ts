// KAFKA_REQUIRED_ACKS below `all`, and topics that take less than a device may send.
import assert from 'node:assert/strict';
import { Device } from '../support/device.ts';
import { alterConfig, createTopic, readTopic, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { allStored, connectFleet } from './fleet.ts';
import { assertDelivered, isReady, kafkaGateway, test } from './stage.ts';

for (const acks of ['1', '0']) {
  test(`with KAFKA_REQUIRED_ACKS=${acks} every record arrives and is confirmed`, async (t, bootstrap) => {
    const topic = uniqueTopic(`acks-${acks}`);
    // With acks 0 no answer would say that a new topic has no leader yet.
    await createTopic(bootstrap, topic);
    const gateway = await kafkaGateway(t, bootstrap, topic, { KAFKA_REQUIRED_ACKS: acks });
    const fleet = await connectFleet(t, gateway, { devices: 20, zipcodes: 7 });
    for (let round = 0; round < 5; round++) for (const device of fleet) device.sendShaped([1, 2]);
    await allStored(fleet);
    await assertDelivered(bootstrap, topic, { fleet, partitions: 10 });
    assert.equal(gateway.snapshot().kafka.retries, 0);
  });
}

/** The topic's limit. 1536 bytes of it are kept for everything around a reading. */
const MAX_MESSAGE_BYTES = 4096;
const LIMIT = { 'max.message.bytes': String(MAX_MESSAGE_BYTES) };
const LARGEST_READING = MAX_MESSAGE_BYTES - 1536;

/** A metrics line whose reading has exactly this many bytes. */
function lineOf(bytes: number, seq: number): string {
  const pads = ['a', 'b', 'c', 'd'].map((name) => `"${name}":"${'x'.repeat(600)}"`).join(',');
  const head = `{${pads},"z":"`;
  return `{"type":"metrics","seq":${seq},"data":${head}${'x'.repeat(bytes - head.length - 2)}"}}\n`;
}

test('a reading above the topic’s max.message.bytes is refused at the socket, the largest below it is stored', async (t, bootstrap) => {
  const topic = uniqueTopic('small-messages');
  await createTopic(bootstrap, topic, { config: LIMIT });
  const gateway = await kafkaGateway(t, bootstrap, topic, { KAFKA_BATCH_TIMEOUT: '50ms' });
  await isReady(gateway);
  const device = await Device.identified(gateway.port);
  device.send(lineOf(LARGEST_READING, 1) + lineOf(LARGEST_READING + 1, 2) + lineOf(LARGEST_READING, 3));
  const refusal = await device.read();
  assert.deepEqual([refusal.code, refusal.seq], ['record_too_large', 2]);
  assert.match(refusal.message ?? '', /2561 bytes, at most 2560 fit/);
  await waitFor('stored', async () => (await device.read()).seq === 3);
  // Together the small readings are more than the topic takes in one batch.
  device.sendMessages(
    ...Array.from({ length: 50 }, (_, n) => ({ type: 'metrics', seq: 4 + n, data: { n } })),
  );
  await waitFor('all stored', async () => (await device.read()).seq === 53);
  device.destroy();
  const records = await readTopic(bootstrap, topic, 52);
  assert.equal(records.length, 52);
  assert.equal(gateway.snapshot().kafka.retries, 0);
  assert.equal(gateway.snapshot().records.confirmed, 52);
});

test('the largest record that the protocol allows fits the smallest limit of a topic that admits its reading', async (t, bootstrap) => {
  const topic = uniqueTopic('tight');
  await createTopic(bootstrap, topic, { config: LIMIT });
  const gateway = await kafkaGateway(t, bootstrap, topic);
  await isReady(gateway);
  const device = await Device.connect(gateway.port);
  // Four bytes each in UTF-8. Quotes would become only two each.
  const city = '\u{1f3d9}'.repeat(128);
  device.sendMessages({ type: 'identify', zipcode: 'z'.repeat(16), city, device_id: 'd'.repeat(64) });
  await device.read();
  device.send(lineOf(LARGEST_READING, Number.MAX_SAFE_INTEGER));
  assert.equal((await device.read()).seq, Number.MAX_SAFE_INTEGER);
  device.destroy();
  const [record] = await readTopic(bootstrap, topic, 1);
  assert.ok((record?.value?.length ?? 0) > LARGEST_READING + 700);
});

/** A metrics line whose record is larger than MAX_MESSAGE_BYTES. */
function largeLine(seq: number): string {
  const data = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`pad${i}`, 'x'.repeat(600)]));
  return `${JSON.stringify({ type: 'metrics', seq, data })}\n`;
}

test('if a topic’s max.message.bytes is lowered while the gateway runs, Kafka refuses one record, then the socket refuses', async (t, bootstrap) => {
  const topic = uniqueTopic('cut');
  await createTopic(bootstrap, topic);
  const gateway = await kafkaGateway(t, bootstrap, topic, { KAFKA_TOPIC_DEAD_LETTERS: `${topic}.dead` });
  await isReady(gateway);
  const device = await Device.identified(gateway.port);
  device.send(largeLine(1));
  assert.equal((await device.read()).seq, 1);
  await alterConfig(bootstrap, { type: 'topics', name: topic }, { set: LIMIT });
  device.send(`${largeLine(2)}{"type":"metrics","seq":3,"data":{"n":3}}\n`);
  await waitFor('the small one is in Kafka', () => gateway.snapshot().records.confirmed === 2);
  await waitFor('the large one is refused', () => gateway.snapshot().records.deadLettered === 1);
  let seq = 3;
  await waitFor('the socket refuses the next one', async () => {
    device.send(largeLine(++seq));
    for (;;) {
      const { code, message, seq: answered } = await device.read();
      if (answered === seq) return code === 'record_too_large' && message?.includes('at most 2560 fit');
    }
  });
  device.destroy();
});
