// The fates that a tap shows with a real Kafka: stored, and refused by Kafka after the line had been accepted.
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import kafkajs from 'kafkajs';
import { withAdmin } from '../../scripts/kafka/client.ts';
import { Device } from '../support/device.ts';
import { createTopic, uniqueTopic } from '../support/kafka.ts';
import { TapClient } from '../support/tap.ts';
import { isReady, kafkaGateway, test } from './stage.ts';

const LIMIT = 2000;
const TEXT = 'n'.repeat(1000);
/** With white space between tokens, which the record leaves out. */
const TOO_LARGE = `{"type": "metrics", "seq": 2, "data": {"note": "${TEXT}", "other": "${TEXT}", "third": "${TEXT}"}}`;

test('a tap tells stored from refused by Kafka, line by line', async (t, bootstrap) => {
  const topic = uniqueTopic('t.metrics');
  await createTopic(bootstrap, topic, { partitions: 2 });
  const gateway = await kafkaGateway(t, bootstrap, topic, {
    HTTP_PORT: '0',
    KAFKA_TOPIC_DEAD_LETTERS: uniqueTopic('t.dead'),
  });
  await isReady(gateway);
  const tap = await TapClient.open((gateway.addresses.http as AddressInfo).port, '?zipcode=90210');
  const device = await Device.identified(gateway.port);
  t.after(() => {
    tap.close();
    device.destroy();
  });
  device.sendMessages({ type: 'metrics', seq: 0, data: { n: 0 } });
  const first = await tap.until('the first line', ({ fate }) => fate === 'accepted');
  const stored = await tap.until('its fate', ({ event, id }) => event === 'fate' && id === first.id);
  assert.equal(stored.fate, 'stored');
  assert.ok(Number(stored.after_ms) >= 0 && Number(stored.after_ms) < 30_000);

  // The gateway has read the topic's limit already, so Kafka refuses the record.
  await withAdmin(bootstrap, (admin) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name: topic,
          configEntries: [{ name: 'max.message.bytes', value: `${LIMIT}` }],
        },
      ],
    }),
  );
  device.sendMessages({ type: 'metrics', seq: 1, data: { n: 1 } });
  device.send(`${TOO_LARGE}\n`);
  device.sendMessages({ type: 'metrics', seq: 3, data: { n: 3 } });
  const large = await tap.until('the large line', ({ bytes }) => bytes === TOO_LARGE.length);
  const refused = await tap.until('its refusal', ({ id, fate }) => id === large.id && fate === 'refused');
  assert.deepEqual(
    [refused.event, refused.code, refused.reason],
    ['fate', 'record_too_large', 'MESSAGE_TOO_LARGE'],
  );
  for (const seq of [1, 3]) {
    const line = tap.lines.find(({ line: text }) => text?.includes(`"seq":${seq}`));
    await tap.until(
      `the fate of ${seq}`,
      ({ event, id, fate }) =>
        event === 'fate' && id === line?.id && (fate === 'spooled' || fate === 'stored'),
    );
  }
  assert.ok(tap.events.every(({ id, fate }) => id !== first.id || fate !== 'refused'));
});
