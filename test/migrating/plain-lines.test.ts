// The settings of docs/migrating.md that take the place of Fluent Bit, Logstash and Telegraf: senders that knew those
// programs write to a gateway with these settings, and key, value and topic are read back from a real Kafka.
import assert from 'node:assert/strict';
import { parse } from 'dotenv';
import { kafkaGateway, test } from '../e2e/stage.ts';
import { Device } from '../support/device.ts';
import { createTopic, readTopic, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { blockOf } from './page.ts';

const LINES = [
  '{"device":"roof-7","t":21.50,"pos":{"lat":12345678901234567890}}',
  '{"t":1,"device":"roof-8"}',
  '{"t":2}',
];
const PROGRAMS = [
  { name: 'from-fluent-bit', port: '5170' },
  { name: 'from-logstash', port: '5000' },
  { name: 'from-telegraf', port: '8094' },
];

for (const { name, port } of PROGRAMS) {
  test(`docs/migrating.md, ${name}: lines become records with the field as key, byte for byte, and no JSON is a dead letter`, async (t, bootstrap) => {
    const shown = parse(blockOf(name));
    assert.equal(shown.TCP_LINES_PORT, port);
    assert.equal(shown.KAFKA_BROKERS, 'kafka:9092');
    assert.equal(shown.TCP_LINES_TOPIC, 'readings');
    const topic = uniqueTopic('migrating');
    const deadLetters = `${topic}.dead`;
    await createTopic(bootstrap, topic, { partitions: 2 });
    await createTopic(bootstrap, deadLetters, { partitions: 1 });
    const gateway = await kafkaGateway(t, bootstrap, uniqueTopic('metrics'), {
      ...shown,
      KAFKA_BROKERS: bootstrap,
      TCP_LINES_PORT: '0',
      TCP_LINES_TOPIC: topic,
      KAFKA_TOPIC_DEAD_LETTERS: deadLetters,
    });
    const sender = await Device.connect(gateway.addresses.lines?.port ?? 0, { tls: undefined });
    sender.send(`${LINES.join('\n')}\nno json\n`);
    sender.halfClose();
    assert.deepEqual(await sender.rest(), []);
    const records = await readTopic(bootstrap, topic, LINES.length);
    const keys = new Map(records.map(({ key, value }) => [String(value), String(key)]));
    assert.deepEqual([...keys.keys()].sort(), [...LINES].sort());
    assert.equal(keys.get(LINES[0] ?? ''), 'roof-7');
    assert.equal(keys.get(LINES[1] ?? ''), 'roof-8');
    assert.match(keys.get(LINES[2] ?? '') ?? '', /^[0-9a-f-]{36}$/);
    await waitFor('the dead letter is sent', () => gateway.snapshot().deadLetters.sent === 1);
    const [letter] = await readTopic(bootstrap, deadLetters, 1);
    assert.equal(String(letter?.value), 'no json');
  });
}
