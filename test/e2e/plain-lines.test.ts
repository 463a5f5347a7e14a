// Plain lines with a real Kafka: through an outage and a restart of the gateway each line is there once, in the topic and
// with the key that it names, and in order by its key.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import type { Env, Gateway } from '../support/gateway.ts';
import { createTopic, deleteTopic, readTopic, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, kafkaGateway, test } from './stage.ts';
import { TcpProxy } from './tcp-proxy.ts';

const HOSTS = ['a', 'b', 'c', 'd', 'e'];

/** `count` lines from `from` on, in turns from each host. Each third one is for the topic of logs. */
const linesFrom = (from: number, count: number, logs: string): string =>
  Array.from({ length: count }, (_, n) => {
    const number = from + n;
    const topic = number % 3 === 0 ? `,"topic":"${logs}"` : '';
    return `{"n": ${number}, "host":"${HOSTS[number % HOSTS.length]}"${topic}}\n`;
  }).join('');

async function send(gateway: Gateway, text: string): Promise<void> {
  const sender = await Device.connect(gateway.addresses.lines?.port ?? 0, { tls: undefined });
  sender.send(text);
  sender.halfClose();
  assert.deepEqual(await sender.rest(), []);
}

test('plain lines go through an outage of Kafka and a restart, each once and in order by its key', async (t: TestContext, bootstrap) => {
  const [metrics, logs] = [uniqueTopic('metrics'), uniqueTopic('logs')];
  const proxy = await TcpProxy.reserve(bootstrap);
  t.after(() => proxy.close());
  const env: Env = {
    KAFKA_TOPIC_ALARMS: uniqueTopic('alarms'),
    KAFKA_TOPIC_DEAD_LETTERS: '',
    KAFKA_NUM_PARTITIONS: '3',
    SPOOL_DIR: temporaryDirectory(t),
    TCP_LINES_PORT: '0',
    TCP_LINES_KEY: 'host',
    TCP_LINES_TOPIC_FIELD: 'topic',
    TCP_LINES_TOPICS: logs,
  };
  // Kafka is away at first.
  const first = await kafkaGateway(t, proxy.address, metrics, env);
  await send(first, linesFrom(0, 30, logs));
  await waitFor('the disk has them', () => first.snapshot().records.spooled === 30);
  assert.equal((await first.stop()).complete, true);

  const second = await kafkaGateway(t, proxy.address, metrics, env);
  await send(second, linesFrom(30, 30, logs));
  await proxy.listen();
  await waitFor('Kafka has them', () => second.snapshot().records.confirmed === 60, 30_000);
  await isReady(second);
  await send(second, linesFrom(60, 30, logs));
  await waitFor('Kafka has all', () => second.snapshot().records.confirmed === 90);

  for (const [topic, isIts] of [
    [logs, (n: number) => n % 3 === 0],
    [metrics, (n: number) => n % 3 !== 0],
  ] as const) {
    const expected = linesFrom(0, 90, logs)
      .split('\n')
      .filter((line, n) => line !== '' && isIts(n));
    const records = await readTopic(bootstrap, topic, expected.length);
    for (const host of HOSTS) {
      const own = records.filter(({ key }) => `${key}` === host);
      assert.deepEqual(
        own.map(({ value }) => `${value}`),
        expected.filter((line) => line.includes(`"host":"${host}"`)),
      );
      assert.equal(new Set(own.map(({ partition }) => partition)).size, 1);
    }
    assert.equal(records.length, expected.length);
  }
});

test('a topic of plain lines has its own max.message.bytes, and one that is deleted holds up no other', async (t: TestContext, bootstrap) => {
  const [metrics, small, deleted] = [uniqueTopic('metrics'), uniqueTopic('small'), uniqueTopic('deleted')];
  await createTopic(bootstrap, small, {
    partitions: 2,
    config: { 'max.message.bytes': '10000' },
  });
  await createTopic(bootstrap, deleted, { partitions: 2 });
  const gateway = await kafkaGateway(t, bootstrap, metrics, {
    KAFKA_TOPIC_ALARMS: uniqueTopic('alarms'),
    KAFKA_TOPIC_DEAD_LETTERS: uniqueTopic('dead'),
    KAFKA_NUM_PARTITIONS: '3',
    TCP_LINES_PORT: '0',
    TCP_LINES_TOPIC_FIELD: 'topic',
    TCP_LINES_TOPICS: `${small},${deleted}`,
  });
  await isReady(gateway);
  const line = (topic: string, bytes: number) => `{"topic":"${topic}","a":"${'x'.repeat(bytes)}"}\n`;
  await send(gateway, line(small, 5000) + line(small, 20_000) + line(metrics, 20_000) + line(deleted, 10));
  await waitFor('their fates', () => {
    const { records, lines, deadLetters } = gateway.snapshot();
    const { plain } = lines;
    return records.confirmed === 3 && plain.accepted === 3 && plain.refused === 1 && deadLetters.sent === 1;
  });
  await deleteTopic(bootstrap, deleted);
  let sent = 3;
  for (let n = 0; n < 5; n++) {
    await send(gateway, line(deleted, 10) + line(metrics, 10) + line(small, 10));
    sent += 3;
  }
  await waitFor('the topics that exist have theirs', () => gateway.snapshot().records.confirmed >= sent - 5);
  await waitFor('the topic is created again', () => gateway.snapshot().records.confirmed === sent, 30_000);
  assert.equal(gateway.snapshot().records.deadLettered, 0);
});
