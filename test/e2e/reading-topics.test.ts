// Two topics of readings with a real Kafka: through an outage, the spool and a restart each gets its own records once
// and in order.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { loadSettings } from '../../src/config/load.ts';
import type { Settings } from '../../src/config/settings.ts';
import { FileWatch } from '../../src/files/file-watch.ts';
import { createCluster } from '../../src/kafka/from-settings.ts';
import { Kafka } from '../../src/kafka/kafka.ts';
import { letterOf } from '../../src/kafka/pipelines/dead-letters.ts';
import { fakeSession, reading, silent } from '../kafka/delivery/fakes.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { readTopic, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { test } from './stage.ts';
import { TcpProxy } from './tcp-proxy.ts';

function settingsWith(env: Record<string, string>, lines: Partial<Settings>): Settings {
  const loaded = loadSettings({ env: { KAFKA_COMPRESSION: 'none', KAFKA_NUM_PARTITIONS: '3', ...env } });
  assert.ok(loaded.ok);
  return { ...loaded.settings, ...lines };
}

async function start(t: TestContext, settings: Settings): Promise<Kafka> {
  const files = new FileWatch({ log: silent });
  const kafka: Kafka = new Kafka(settings, {
    recordRefused: (record, why) =>
      kafka.deadLetters.record({ ...letterOf(record, why).letter, remoteAddress: '' }),
    log: silent,
    cluster: createCluster(settings, { files, log: silent }),
  });
  t.after(() => kafka.close());
  t.after(() => files.stop());
  await kafka.start();
  return kafka;
}

test('two topics of readings go through an outage, the spool and a restart, each record once and in order', async (t, bootstrap) => {
  const [metrics, lines] = [uniqueTopic('metrics'), uniqueTopic('lines')];
  const proxy = await TcpProxy.reserve(bootstrap);
  t.after(() => proxy.close());
  const settings = settingsWith(
    {
      KAFKA_BROKERS: proxy.address,
      KAFKA_TOPIC_METRICS: metrics,
      KAFKA_TOPIC_ALARMS: uniqueTopic('alarms'),
      KAFKA_TOPIC_DEAD_LETTERS: '',
      SPOOL_DIR: temporaryDirectory(t),
    },
    { TCP_LINES_PORT: 0, TCP_LINES_TOPIC: lines, TCP_LINES_TOPICS: [] },
  );
  const session = { [metrics]: fakeSession('10001', 'metrics'), [lines]: fakeSession('10001', 'lines') };
  const send = (kafka: Kafka, from: number) => {
    for (const [topic, sender] of Object.entries(session))
      for (let id = from; id < from + 5; id++)
        kafka.sinkOf(topic).append(sender, reading(`{"id":${id}}`, { seq: id }));
  };
  const first = await start(t, settings);
  send(first, 0);
  await waitFor('the disk has them', () => first.readings.records.spooled === 10);
  await first.flushToSpool(Promise.resolve());
  await first.close();

  for (const sender of Object.values(session)) Object.assign(sender, { partition: -1, generation: -1 });
  const second = await start(t, settings);
  assert.equal(second.readings.records.recovered, 10);
  send(second, 5);
  await proxy.listen();
  await waitFor('Kafka has all', () => second.readings.records.confirmed === 20, 30_000);
  send(second, 10);
  await waitFor('Kafka has the last ones', () => second.readings.records.confirmed === 30);
  assert.deepEqual(second.readings.problems, []);
  for (const topic of [metrics, lines]) {
    const records = await readTopic(bootstrap, topic, 15);
    const ids = records.map(({ value }) => Number(/"id":(\d+)/.exec(`${value}`)?.[1]));
    assert.deepEqual(
      ids,
      Array.from({ length: 15 }, (_, id) => id),
    );
  }
});
