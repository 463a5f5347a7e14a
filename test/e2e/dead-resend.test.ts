// `sluice dead` with letters that real gateways wrote: records that Kafka refused, in the topic and on disk, and lines.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import kafkajs from 'kafkajs';
import { withAdmin } from '../../scripts/kafka/client.ts';
import { collect, type Run, start } from '../cli/spool-place.ts';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import type { Env, Gateway } from '../support/gateway.ts';
import { createTopic, readTopic, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, kafkaGateway, test } from './stage.ts';

const LIMIT = 2000;
const LARGE = { note: 'n'.repeat(1000), other: 'o'.repeat(1000), third: 't'.repeat(1000) };

async function setTopic(bootstrap: string, topic: string, config: Record<string, string>): Promise<void> {
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries }];
  await withAdmin(bootstrap, (admin) => admin.alterConfigs({ validateOnly: false, resources }));
}

/** A gateway of whose three readings Kafka refuses the second one. */
async function refusing(t: TestContext, bootstrap: string, env: Env & { KAFKA_TOPIC_METRICS: string }) {
  const topic = env.KAFKA_TOPIC_METRICS;
  await createTopic(bootstrap, topic, { partitions: 2 });
  const gateway: Gateway = await kafkaGateway(t, bootstrap, topic, env);
  await isReady(gateway);
  await setTopic(bootstrap, topic, { 'max.message.bytes': `${LIMIT}` });
  const device = await Device.connect(gateway.port);
  device.sendMessages({ type: 'identify', zipcode: '90210', city: 'Hills', device_id: 'roof' });
  await device.readLine();
  for (const [index, data] of [{ n: 1 }, LARGE, { n: 3 }].entries())
    device.sendMessages({ type: 'metrics', seq: index + 1, data });
  await waitFor('the record is a letter, and the others are in Kafka', () => {
    const { deadLettered, confirmed } = gateway.snapshot().records;
    return deadLettered === 1 && confirmed === 2;
  });
  return { gateway, device };
}

function commands(bootstrap: string, env: Env) {
  const all = { KAFKA_BROKERS: bootstrap, KAFKA_COMPRESSION: 'none', ...env };
  return (...args: string[]): Promise<Run> => collect(start(['dead', ...args], all));
}

test('letters in the topic are sent again beside a running gateway, once the limit is raised', async (t, bootstrap) => {
  const env = {
    KAFKA_TOPIC_METRICS: uniqueTopic('r.metrics'),
    KAFKA_TOPIC_DEAD_LETTERS: uniqueTopic('r.dead'),
    SPOOL_DIR: temporaryDirectory(t),
  };
  const { gateway, device } = await refusing(t, bootstrap, env);
  device.sendMessages({ type: 'metrics', seq: 3, data: { n: 4 } });
  device.send('\u001b[31mno json\n');
  await waitFor('three letters are sent', () => gateway.snapshot().deadLetters.sent === 3);
  const dead = commands(bootstrap, env);

  const early = await dead('resend', '--yes');
  assert.equal(early.code, 0, early.err);
  assert.match(early.out, /^ {2}1: it is still larger than its topic allows/m);
  assert.match(early.out, /^ {2}1: its device has sent the reading before/m);
  const shown = await dead('show');
  assert.match(shown.out, /invalid_json: a line for r\.metrics/);
  assert.match(shown.out, /^ {2}city: /m);
  assert.match(shown.out, /^ {2}device_id: roof$/m);
  assert.match(shown.out, /^ {2}line: \\u001b\[31mno json$/m);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal must not get it
  assert.doesNotMatch(shown.out, /\u001b/);
  const raw = await dead('show', '--reason', 'invalid_json', '--value');
  assert.equal(raw.out, '\u001b[31mno json\n');

  await setTopic(bootstrap, env.KAFKA_TOPIC_METRICS, { 'max.message.bytes': '1000000' });
  const { code, out, err } = await dead('resend', '--yes');
  assert.equal(code, 0, err);
  assert.match(out, /^1 record sent$/m);
  const records = await readTopic(bootstrap, env.KAFKA_TOPIC_METRICS, 3);
  const letters = await readTopic(bootstrap, env.KAFKA_TOPIC_DEAD_LETTERS, 3);
  const letter = letters.find(({ headers }) => String(headers.reason?.[0]) === 'MESSAGE_TOO_LARGE');
  assert.ok(records.some(({ value }) => value?.equals(letter?.value ?? Buffer.alloc(0))));
  assert.equal(new Set(records.map(({ partition }) => partition)).size, 1);
});

test('letters on disk are left to a running gateway, and sent through their topic or without one once it has stopped', async (t, bootstrap) => {
  const env = {
    KAFKA_TOPIC_METRICS: uniqueTopic('r.metrics'),
    KAFKA_TOPIC_DEAD_LETTERS: '',
    SPOOL_DIR: temporaryDirectory(t),
  };
  const { gateway } = await refusing(t, bootstrap, env);
  await setTopic(bootstrap, env.KAFKA_TOPIC_METRICS, { 'max.message.bytes': '1000000' });
  const dead = commands(bootstrap, env);
  assert.match((await dead('ls')).out, /^MESSAGE_TOO_LARGE +r\.metrics\.\w+ +disk +1 +0 /m);
  const beside = await dead('resend', '--yes');
  assert.equal(beside.code, 1);
  assert.match(beside.err, /belong to a running gateway/);
  await gateway.stop();

  const { code, out, err } = await dead('resend', '--yes');
  assert.equal(code, 0, err);
  assert.match(out, /^1 record sent$/m);
  assert.equal((await readTopic(bootstrap, env.KAFKA_TOPIC_METRICS, 3)).length, 3);
  assert.match((await dead('ls')).out, /^no dead letters$/m);

  const second = { ...env, KAFKA_TOPIC_METRICS: uniqueTopic('r.metrics') };
  const { gateway: other } = await refusing(t, bootstrap, second);
  await other.stop();
  await setTopic(bootstrap, second.KAFKA_TOPIC_METRICS, { 'max.message.bytes': '1000000' });
  const withTopic = commands(bootstrap, { ...second, KAFKA_TOPIC_DEAD_LETTERS: uniqueTopic('r.dead') });
  const sent = await withTopic('resend', '--yes');
  assert.equal(sent.code, 0, sent.err);
  assert.match(sent.out, /dead letters: 1 of 1 sent\n1 record sent\n$/);
  assert.equal((await readTopic(bootstrap, second.KAFKA_TOPIC_METRICS, 3)).length, 3);
  assert.match((await withTopic('ls')).out, /^MESSAGE_TOO_LARGE .* topic +1 +1 /m);
});
