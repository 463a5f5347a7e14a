// Runs the example consumers as docs/reading-the-topic.md prints them, against a real Kafka and snappy records.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as zlib from 'node:zlib';
import { kafkaClient } from '../../scripts/kafka/client.ts';
import { javaRuntime } from '../../scripts/kafka/runtime.ts';
import { CODEC_NAMES } from '../../src/kafka/batches/compression.ts';
import { Device } from '../support/device.ts';
import { gatewayFor, startGateway } from '../support/gateway.ts';
import { createTopic, kafkaTest, sharedKafka, uniqueTopic } from '../support/kafka.ts';
import { skipWithoutTool } from '../support/missing-tool.ts';
import { waitFor } from '../support/wait.ts';

// From dist/test/examples.
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PYTHON = process.env.SLUICE_TEST_PYTHON ?? 'python3';
const PAGE = readFileSync(`${ROOT}docs/reading-the-topic.md`, 'utf8');

for (const [file, language] of [
  ['examples/consumer.ts', 'ts'],
  ['examples/consumer.py', 'python'],
  ['examples/Consumer.java', 'java'],
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
    await assertReadsAll(t, bootstrap, [PYTHON, `${ROOT}examples/consumer.py`]);
  });
}

kafkaTest(
  'the Java consumer prints each reading once, of every codec, and dead letters',
  async ({ bootstrap }, t) => {
    const jars = await javaRuntime().catch(() => undefined);
    if (jars === undefined || spawnSync('javac', ['-version']).status !== 0) {
      const why = 'a JDK or Maven is missing (on Debian: apt-get install default-jdk-headless maven)';
      skipWithoutTool(t, why);
      return;
    }
    const flags = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', jars.classPath];
    await assertReadsAll(t, bootstrap, ['java', ...flags, `${ROOT}examples/Consumer.java`]);
  },
);

/** A program that prints lines until Ctrl-C. */
class Printer {
  readonly #child: ChildProcess;
  #printed = '';
  #failure = '';

  constructor(t: TestContext, [program = '', ...args]: readonly string[]) {
    this.#child = spawn(program, args);
    t.after(() => this.#child.kill('SIGKILL'));
    this.#child.stdout?.on('data', (bytes) => {
      this.#printed += bytes;
    });
    this.#child.stderr?.on('data', (bytes) => {
      this.#failure += bytes;
    });
  }

  get lines(): string[] {
    return this.#printed.split('\n').slice(0, -1);
  }

  async until(isLast: (lines: readonly string[]) => boolean): Promise<void> {
    await waitFor('the last line', () => this.#child.exitCode !== null || isLast(this.lines), 60_000);
    assert.equal(this.#child.exitCode, null, this.#failure);
  }

  async end(): Promise<void> {
    this.#child.kill('SIGINT');
    await once(this.#child, 'exit');
  }
}

/** A device writes readings, loses its connection and sends the last message again: the copy is not printed. */
async function assertPrintsOnce(t: TestContext, bootstrap: string, command: string, file: string) {
  const topic = uniqueTopic('t.example');
  const deadLetters = uniqueTopic('t.dead');
  await createTopic(bootstrap, topic, { partitions: 2 });
  await createTopic(bootstrap, deadLetters, { partitions: 1 });
  await produceOddRecords(bootstrap, topic);
  const gateway = await gatewayFor(t, {
    KAFKA_BROKERS: bootstrap,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_TOPIC_ALARMS: uniqueTopic('t.alarms'),
    KAFKA_TOPIC_DEAD_LETTERS: '',
  });
  const batch = { type: 'metrics', seq: 2, data: [{ wind: 3 }, { wind: 4 }] };
  await send(gateway.port, { type: 'metrics', seq: 1, data: { n: 1 } }, batch);
  await send(gateway.port, batch, { type: 'metrics', seq: 3, data: { n: 2 } });

  const printer = new Printer(t, [
    command,
    `${ROOT}${file}`,
    bootstrap,
    topic,
    uniqueTopic('group'),
    deadLetters,
  ]);
  // The last reading is in the same partition as the copies before it.
  const odd = () => printer.lines.filter((line) => !line.startsWith('90210 '));
  await printer.until(
    (lines) => lines.some((line) => /n\W+2/.test(line)) && odd().length > NO_READINGS.length,
  );
  assert.equal(odd().filter((line) => line.startsWith('NOT A READING')).length, NO_READINGS.length);
  assert.deepEqual(
    printer.lines
      .filter((line) => !odd().includes(line))
      .map((line) => line.replace(/^90210 \S+Z /, '').replace(/[^a-z0-9:]/g, '')),
    ['n:1', 'wind:3', 'wind:4', 'n:2'],
  );
  await printer.end();
}

/** No consumer may stop at these: records that are no readings, and a number of more digits than parsers take by default. */
const DEEP = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
const NO_READINGS = [
  ...[null, '', 'plain', '[1]', '{"data":7}', '{"connection_id":"c"}'],
  // As plain lines may be: parsers that call themselves for each level give up.
  ...[DEEP, `{"connection_id":"c","seq":1,"data":${DEEP}}`],
];
const DIGITS = '1234567890'.repeat(500);
const LONG = `{"connection_id":"c","received_at":"2026-11-21T08:00:00Z","seq":1,"data":{"n":${DIGITS},"d":0.${DIGITS}}}`;

const produceOddRecords = (bootstrap: string, topic: string) =>
  produce(bootstrap, topic, [...NO_READINGS, LONG, LONG]);

async function produce(bootstrap: string, topic: string, values: readonly (string | null)[]): Promise<void> {
  const producer = kafkaClient(bootstrap).producer();
  await producer.connect();
  await producer.send({ topic, messages: values.map((value) => ({ value })) });
  await producer.disconnect();
}

/** Every codec in turn, a copy and a refused line with each. */
async function assertReadsAll(t: TestContext, bootstrap: string, command: readonly string[]): Promise<void> {
  const [topic, deadLetters] = [uniqueTopic('t.codecs'), uniqueTopic('t.dead')];
  await createTopic(bootstrap, topic, { partitions: 1 });
  await createTopic(bootstrap, deadLetters, { partitions: 1 });
  // Node compresses zstd from 22.15 on.
  const codecs = CODEC_NAMES.filter((name) => name !== 'zstd' || 'zstdCompress' in zlib);
  for (const [index, codec] of codecs.entries()) {
    const gateway = await startGateway({
      KAFKA_BROKERS: bootstrap,
      KAFKA_COMPRESSION: codec,
      KAFKA_TOPIC_METRICS: topic,
      KAFKA_TOPIC_ALARMS: uniqueTopic('t.alarms'),
      KAFKA_TOPIC_DEAD_LETTERS: deadLetters,
    });
    const reading = { type: 'metrics', seq: index, data: { codec: codec.repeat(20) } };
    await send(gateway.port, reading);
    await send(gateway.port, { type: 'nonsense' }, reading);
    await waitFor('the dead letter is sent', () => gateway.snapshot().deadLetters.sent === 1);
    await gateway.stop();
  }
  await produceOddRecords(bootstrap, topic);
  await produce(bootstrap, deadLetters, ['of another program, without a reason']);
  const expected = 2 * codecs.length + NO_READINGS.length + 2;
  const printer = new Printer(t, [...command, bootstrap, topic, uniqueTopic('group'), deadLetters]);
  await printer.until((lines) => lines.length >= expected);
  assert.equal(printer.lines.length, expected);
  assert.equal(printer.lines.filter((line) => line.startsWith('NOT A READING')).length, NO_READINGS.length);
  const long = printer.lines.find((line) => line.startsWith('c ')) ?? '';
  assert.equal(long.split(DIGITS).length, 3, 'both numbers have all digits');
  const [dead, readings] = [true, false].map((is) =>
    printer.lines.filter((line) => line.startsWith('DEAD') === is),
  );
  assert.deepEqual(
    readings?.flatMap((line) => /codec\W+([a-z0-9]+?)\1{19}/.exec(line)?.[1] ?? []),
    codecs,
  );
  assert.deepEqual(dead?.sort(), [
    'DEAD ? of another program, without a reason',
    ...codecs.map(() => 'DEAD invalid_message {"type":"nonsense"}'),
  ]);
  await printer.end();
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
