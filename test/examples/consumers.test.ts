// Runs the example consumers as docs/reading-the-topic.md prints them, against a real Kafka and snappy records.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Device } from '../support/device.ts';
import { startGateway } from '../support/gateway.ts';
import { createTopic, kafkaTest, sharedKafka, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';

// From dist/test/examples.
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PYTHON = process.env.SLUICE_TEST_PYTHON ?? 'python3';
const PAGE = readFileSync(`${ROOT}docs/reading-the-topic.md`, 'utf8');

for (const [file, language] of [
  ['examples/consumer.ts', 'ts'],
  ['examples/consumer.py', 'python'],
] as const) {
  test(`docs/reading-the-topic.md prints ${file} as it is`, () => {
    const text = readFileSync(`${ROOT}${file}`, 'utf8');
    assert.ok(PAGE.includes(`\`\`\`${language}\n${text}\`\`\`\n`), `copy ${file} into the page`);
  });
}

kafkaTest('the TypeScript consumer prints each reading once', async ({ bootstrap }, t) => {
  await assertPrintsOnce(t, bootstrap, process.execPath, 'dist/examples/consumer.js');
});

const hasPythonClient = spawnSync(PYTHON, ['-c', 'import confluent_kafka']).status === 0;
if (sharedKafka() !== undefined && !hasPythonClient) {
  void test('the Python consumer prints each reading once', {
    skip: `NOT RUN: ${PYTHON} has no confluent-kafka. pip install confluent-kafka, or set SLUICE_TEST_PYTHON`,
  });
} else {
  kafkaTest('the Python consumer prints each reading once', async ({ bootstrap }, t) => {
    await assertPrintsOnce(t, bootstrap, PYTHON, 'examples/consumer.py');
  });
}

/** A device writes readings, loses its connection and sends the last message again: the copy is not printed. */
async function assertPrintsOnce(t: TestContext, bootstrap: string, command: string, file: string) {
  const topic = uniqueTopic('t.example');
  await createTopic(bootstrap, topic, { partitions: 2 });
  const gateway = await startGateway({
    KAFKA_BROKERS: bootstrap,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_TOPIC_ALARMS: uniqueTopic('t.alarms'),
    KAFKA_TOPIC_DEAD_LETTERS: '',
  });
  t.after(() => gateway.stop());
  const batch = { type: 'metrics', seq: 2, data: [{ wind: 3 }, { wind: 4 }] };
  await send(gateway.port, { type: 'metrics', seq: 1, data: { n: 1 } }, batch);
  await send(gateway.port, batch, { type: 'metrics', seq: 3, data: { n: 2 } });

  const consumer = spawn(command, [`${ROOT}${file}`, bootstrap, topic, uniqueTopic('group')]);
  t.after(() => consumer.kill('SIGKILL'));
  let printed = '';
  let failure = '';
  consumer.stdout.on('data', (bytes) => {
    printed += bytes;
  });
  consumer.stderr.on('data', (bytes) => {
    failure += bytes;
  });
  const lines = () => printed.split('\n').slice(0, -1);
  // The last reading is in the same partition as the copies before it.
  const isOver = () => consumer.exitCode !== null || lines().some((line) => /n\W+2/.test(line));
  await waitFor('the last reading', isOver, 30_000);
  assert.equal(consumer.exitCode, null, failure);
  assert.deepEqual(
    lines().map((line) => line.replace(/^90210 \S+Z /, '').replace(/[^a-z0-9:]/g, '')),
    ['n:1', 'wind:3', 'wind:4', 'n:2'],
  );
  consumer.kill('SIGINT');
  await once(consumer, 'exit');
}

async function send(port: number, ...messages: object[]): Promise<void> {
  const device = await Device.connect(port);
  device.sendMessages(
    { type: 'identify', zipcode: '90210', city: 'Beverly Hills', device_id: 'roof-7' },
    ...messages,
  );
  device.halfClose();
  const replies = await device.rest();
  assert.match(replies.at(-1) ?? '', /"stored"/);
}
