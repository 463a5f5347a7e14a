// Dead letters with a real gateway and a real Kafka: a topic that refuses all of them, no topic, and letters of a
// former process.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import kafkajs from 'kafkajs';
import { withAdmin } from '../../scripts/kafka/client.ts';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import type { Env, Gateway } from '../support/gateway.ts';
import { runGateway } from '../support/gateway-process.ts';
import { kafkaTakes, stateOf, troublesOf } from '../support/health.ts';
import { createTopic, readTopic, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, kafkaGateway, test } from './stage.ts';

/** A reading that is too large for a topic with this limit in bytes. */
const LIMIT = 2000;
const TOO_LARGE = { note: 'n'.repeat(1000), other: 'o'.repeat(1000), third: 't'.repeat(1000) };

interface Topics {
  readonly metrics: string;
  readonly dead: string;
}

function start(t: TestContext, bootstrap: string, topics: Topics, spool: string): Promise<Gateway> {
  const env = { ...settingsFor(topics), SHUTDOWN_TIMEOUT: '5s', SPOOL_DIR: spool };
  return kafkaGateway(t, bootstrap, topics.metrics, env);
}

const settingsFor = ({ metrics, dead }: Topics): Env => ({
  KAFKA_TOPIC_METRICS: metrics,
  KAFKA_TOPIC_ALARMS: uniqueTopic('t.alarms'),
  KAFKA_TOPIC_DEAD_LETTERS: dead,
  KAFKA_COMPRESSION: 'none',
});

async function setTopic(bootstrap: string, topic: string, config: Record<string, string>): Promise<void> {
  await withAdmin(bootstrap, (admin) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name: topic,
          configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
        },
      ],
    }),
  );
}

/** Lowers the topic's limit after the gateway has read it, so that Kafka refuses a large record. */
async function cutLimit(bootstrap: string, gateway: Gateway, topic: string): Promise<void> {
  await isReady(gateway);
  await setTopic(bootstrap, topic, { 'max.message.bytes': `${LIMIT}` });
}

/** Sends a reading that is refused between two others. Resolves with the refused seqs when the last is stored. */
async function sendThree(gateway: { readonly port: number }): Promise<number[]> {
  const device = await Device.identified(gateway.port);
  for (const [index, data] of [{ n: 1 }, TOO_LARGE, { n: 3 }].entries())
    device.sendMessages({ type: 'metrics', seq: index + 1, data });
  const refused: number[] = [];
  for (;;) {
    const reply = await device.read();
    if (reply.status === 'error' && reply.code === 'record_too_large') refused.push(reply.seq ?? -1);
    if (reply.status === 'stored' && reply.seq === 3) return refused;
  }
}

const reasonsOf = (records: readonly { headers: Readonly<Record<string, readonly Buffer[]>> }[]) =>
  records.map(({ headers }) => String(headers.reason?.[0])).sort();

test('a topic that refuses every letter loses none: they wait on disk, over a restart, until it takes them', async (t, bootstrap) => {
  const topics = { metrics: uniqueTopic('t.metrics'), dead: uniqueTopic('t.dead') };
  await createTopic(bootstrap, topics.metrics, { partitions: 2 });
  // A compacted topic wants keys, and letters have none.
  await createTopic(bootstrap, topics.dead, { partitions: 3, config: { 'cleanup.policy': 'compact' } });
  const spool = temporaryDirectory(t);
  const first = await start(t, bootstrap, topics, spool);
  await cutLimit(bootstrap, first, topics.metrics);
  assert.deepEqual(await sendThree(first), [2]);
  const device = await Device.identified(first.port);
  device.send('no json\n{"type":"what"}\n');
  await waitFor('three letters wait', () => first.snapshot().deadLetters.waiting === 3);
  await waitFor('the record counts as dead-lettered', () => first.snapshot().records.deadLettered === 1);
  await waitFor('it is said why', () => first.snapshot().deadLetters.problem?.includes('INVALID_RECORD'));
  assert.ok(first.log.some(({ reason, topic }) => reason === 'INVALID_RECORD' && topic === topics.dead));
  const before = first.snapshot();
  assert.equal(before.deadLetters.sent, 0);
  assert.ok(before.deadLetters.bytes > 0);
  assert.equal(stateOf(before, 'dead_letters'), 'degraded waiting');
  assert.ok(kafkaTakes(before), troublesOf(before));
  assert.equal((await first.stop()).complete, true);

  const second = await start(t, bootstrap, topics, spool);
  const { deadLetters } = second.snapshot();
  assert.deepEqual([deadLetters.sent, deadLetters.waiting, deadLetters.dropped], [0, 3, 0]);
  await waitFor('Kafka refuses again', () => second.snapshot().deadLetters.problem !== null);
  await setTopic(bootstrap, topics.dead, { 'cleanup.policy': 'delete' });
  await waitFor('all letters are sent', () => second.snapshot().deadLetters.sent === 3);
  await waitFor('the disk is empty', () => second.snapshot().deadLetters.bytes === 0);
  const records = await readTopic(bootstrap, topics.dead, 3);
  assert.deepEqual(reasonsOf(records), ['MESSAGE_TOO_LARGE', 'invalid_json', 'invalid_message']);
  const large = records.find(({ headers }) => String(headers.reason?.[0]) === 'MESSAGE_TOO_LARGE');
  assert.match(String(large?.value), /"note":"nnn/);
  assert.equal((await readTopic(bootstrap, topics.metrics, 2)).length, 2);
});

test('without a dead-letter topic a refused record stays on disk, and is sent once a topic is named', async (t, bootstrap) => {
  const topics = { metrics: uniqueTopic('t.metrics'), dead: '' };
  await createTopic(bootstrap, topics.metrics, { partitions: 2 });
  const spool = temporaryDirectory(t);
  const first = await start(t, bootstrap, topics, spool);
  await cutLimit(bootstrap, first, topics.metrics);
  await sendThree(first);
  const device = await Device.identified(first.port);
  device.send('no json\n');
  assert.equal((await device.read()).code, 'invalid_json');
  await waitFor('the record is on disk', () => first.snapshot().deadLetters.waiting === 1);
  const { deadLetters, records } = first.snapshot();
  assert.deepEqual([deadLetters.sent, deadLetters.dropped, records.deadLettered], [0, 0, 1]);
  assert.match(deadLetters.problem ?? '', /^KAFKA_BROKERS or KAFKA_TOPIC_DEAD_LETTERS is empty$/);
  assert.ok(first.log.some(({ msg }) => msg.startsWith('Records that Kafka refused are kept on disk')));
  await first.stop();

  const named = { ...topics, dead: uniqueTopic('t.dead') };
  const second = await start(t, bootstrap, named, spool);
  await waitFor('it is sent', () => second.snapshot().deadLetters.sent === 1);
  const letters = await readTopic(bootstrap, named.dead, 1);
  assert.deepEqual(reasonsOf(letters), ['MESSAGE_TOO_LARGE']);
  // Kafka may have refused a record for its time, and the dead-letter topic must not refuse its letter for the same.
  const config = await withAdmin(bootstrap, (admin) =>
    admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: named.dead }],
    }),
  );
  const entries = config.resources[0]?.configEntries ?? [];
  const type = entries.find(({ configName }) => configName === 'message.timestamp.type');
  assert.equal(type?.configValue, 'LogAppendTime');
});

test('the letters of a former process are sent, and its part of the spool is removed', async (t, bootstrap) => {
  const topics = { metrics: uniqueTopic('t.metrics'), dead: uniqueTopic('t.dead') };
  const root = temporaryDirectory(t);
  const part = join(root, 'process-3');
  const former = await start(t, '', topics, part);
  const device = await Device.identified(former.port);
  device.send('no json\n');
  await waitFor('the letter is on disk', () => former.snapshot().deadLetters.bytes > 0);
  await former.stop();

  const gateway = await start(t, bootstrap, topics, root);
  await waitFor('the letter is sent', () => gateway.snapshot().deadLetters.sent === 1);
  await waitFor('the part is gone', () => !existsSync(part));
  const { deadLetters } = gateway.snapshot();
  assert.deepEqual([deadLetters.sent, deadLetters.waiting, deadLetters.bytes], [1, 0, 0]);
  assert.deepEqual(reasonsOf(await readTopic(bootstrap, topics.dead, 1)), ['invalid_json']);
});

test('letters of two processes survive kill -9, and one process sends them once their topic takes them', async (t, bootstrap) => {
  const topics = { metrics: uniqueTopic('t.metrics'), dead: uniqueTopic('t.dead') };
  await createTopic(bootstrap, topics.metrics, { partitions: 2 });
  await createTopic(bootstrap, topics.dead, { partitions: 2, config: { 'cleanup.policy': 'compact' } });
  const root = temporaryDirectory(t);
  const env = { ...settingsFor(topics), KAFKA_BROKERS: bootstrap, SPOOL_DIR: join(root, 'spool') };
  const gateway = await runGateway(t, root, { ...env, TCP_PROCESSES: '2' });
  await waitFor('Kafka takes records', () => kafkaTakes(gateway.stats));
  await setTopic(bootstrap, topics.metrics, { 'max.message.bytes': `${LIMIT}` });
  // One connection to each process.
  const heard = await Promise.all([sendThree(gateway), sendThree(gateway)]);
  assert.deepEqual(heard, [[2], [2]]);
  await waitFor('both records are dead-lettered', () => gateway.stats.records.deadLettered === 2);
  assert.deepEqual([gateway.stats.deadLetters.sent, gateway.stats.deadLetters.waiting], [0, 2]);
  const { children } = gateway;
  gateway.signal('SIGKILL');
  for (const pid of children) process.kill(pid, 'SIGKILL');
  await gateway.exited();
  await waitFor('its processes are gone', () => children.every((pid) => !existsSync(`/proc/${pid}`)));

  await gateway.start({ TCP_PROCESSES: '1' });
  assert.deepEqual([gateway.stats.deadLetters.sent, gateway.stats.deadLetters.waiting], [0, 2]);
  await setTopic(bootstrap, topics.dead, { 'cleanup.policy': 'delete' });
  await waitFor('both letters are sent', () => gateway.stats.deadLetters.sent === 2);
  await waitFor('the other part is gone', () => !existsSync(join(root, 'spool', 'process-1')));
  const reasons = reasonsOf(await readTopic(bootstrap, topics.dead, 2));
  assert.deepEqual(reasons, ['MESSAGE_TOO_LARGE', 'MESSAGE_TOO_LARGE']);
});
