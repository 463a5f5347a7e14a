// The requests of KafkaClient other than Produce: which broker gets them, and what the client makes of the answers.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../scripts/kafka/ports.ts';
import { waitFor } from '../../support/wait.ts';
import {
  asUser,
  CREATE_TOPICS,
  clientOf,
  INIT_PRODUCER_ID,
  METADATA,
  PRODUCE,
  producedAnswer,
  rangesOf,
  rejectsWith,
  requestFor,
  type Script,
  ScriptedBroker,
  withClient,
} from './scripted-broker.ts';

const NOT_CONTROLLER = 41;
const TOPIC_AUTHORIZATION_FAILED = 29;
const TOPIC = { topic: 'letters', partitions: 3, replicationFactor: 1 };

/** Two brokers of one cluster, and a client of it. */
async function two(t: TestContext, script: Partial<Script> = {}) {
  const one = await ScriptedBroker.start(t, { ...script, nodeId: 1 });
  const other = await ScriptedBroker.start(t, { ...script, nodeId: 2 });
  const brokers = () => [one, other].map(({ port }, i) => ({ nodeId: i + 1, host: '127.0.0.1', port }));
  one.script.brokers = brokers;
  other.script.brokers = brokers;
  return { one, other, client: await clientOf(t, one) };
}

test('topicMetadata returns the leaders and the cluster id', async (t) => {
  const { broker, client } = await withClient(t, { nodeId: 7 });
  assert.deepEqual(await client.topicMetadata('readings'), {
    errorCode: 0,
    leaders: [7, 7, 7, 7],
    clusterId: 'cluster-one',
    from: 7,
    brokers: [7],
  });
  broker.script.clusterId = null;
  assert.equal((await client.topicMetadata('readings')).clusterId, undefined);
});

test('topicMetadata tells which broker answered, if that can be known', async (t) => {
  const { one, other } = await two(t);
  const first = await clientOf(t, other, { knows: false });
  // Broker 2 advertises the configured address.
  const { from, brokers } = await first.topicMetadata('readings');
  assert.deepEqual({ from, brokers }, { from: 2, brokers: [1, 2] });
  // No broker advertises this address, as with a load balancer.
  const alias = await clientOf(t, one, { knows: false, brokers: [`localhost:${one.port}`] });
  assert.equal((await alias.topicMetadata('readings')).from, undefined);
  // From now on the client connects to the brokers themselves.
  assert.ok([1, 2].includes((await alias.topicMetadata('readings')).from ?? 0));
});

test('in a cluster of one broker each answer is from that broker', async (t) => {
  const broker = await ScriptedBroker.start(t, { nodeId: 5 });
  const brokers = [`localhost:${broker.port}`];
  const client = await clientOf(t, broker, { knows: false, brokers });
  assert.equal((await client.topicMetadata('readings')).from, 5);
});

test('the brokers of askLast are asked only if the others do not answer', async (t) => {
  const { other, client } = await two(t);
  const from = async (...askLast: number[]) =>
    (await client.topicMetadata('readings', { askLast: new Set(askLast) })).from;
  // Ten times, since a broker is chosen at random.
  for (let i = 0; i < 10; i++) assert.equal(await from(1), 2);
  for (let i = 0; i < 10; i++) assert.equal(await from(2), 1);
  assert.ok([1, 2].includes((await from(1, 2)) ?? 0));
  other.stop();
  assert.equal(await from(1), 1);
});

test('a broker that has just failed does not delay every request by its timeout', async (t) => {
  const { other, client } = await two(t);
  let asked = 0;
  other.script.isSilent = ({ apiKey }) => {
    if (apiKey === METADATA) asked++;
    return apiKey === METADATA;
  };
  const askLast = new Set([1]);
  for (let i = 0; i < 5; i++) assert.equal((await client.topicMetadata('readings', { askLast })).from, 1);
  assert.equal(asked, 1);
});

for (const [what, isDoubted, connections] of [
  ['stay open while the answer is doubted', true, 1],
  ['are dropped if the answer is believed', false, 2],
] as const) {
  test(`connections to a broker that an answer does not name ${what}`, async (t) => {
    const { one, other, client } = await two(t);
    await client.produce(2, requestFor([0]));
    const all = one.script.brokers;
    one.script.brokers = () => all().slice(0, 1);
    const doubts: number[][] = [];
    const answer = await client.topicMetadata('readings', {
      askLast: new Set([2]),
      isDoubted: ({ brokers }) => {
        doubts.push([...brokers]);
        return isDoubted;
      },
    });
    assert.deepEqual([answer.from, answer.brokers, doubts], [1, [1], [[1]]]);
    if (isDoubted) assert.equal((await client.topicMetadata('readings', { askLast: new Set([1]) })).from, 2);
    one.script.brokers = all;
    await client.topicMetadata('readings');
    await client.produce(2, requestFor([0]));
    assert.equal(other.produceConnections.length, connections);
  });
}

test('a broker that has just started and names no brokers is skipped', async (t) => {
  const { one, other, client } = await two(t);
  one.script.brokers = () => [];
  const askLast = new Set([2]);
  assert.equal((await client.topicMetadata('readings', { askLast })).from, 2);
  other.script.brokers = () => [];
  await rejectsWith(client.topicMetadata('readings'), 'UNREACHABLE', /names no brokers/);
  await client.produce(2, requestFor([0]));
});

test('when another cluster answers, the connections to the old one are closed', async (t) => {
  const { broker, client } = await withClient(t);
  await client.produce(1, requestFor([0]));
  broker.script.clusterId = 'cluster-two';
  await client.topicMetadata('readings');
  const [old = 0] = broker.produceConnections;
  await waitFor('the old connection is closed', () => !broker.open.has(old));
  await client.produce(1, requestFor([0]));
  assert.equal(broker.produceConnections.length, 2);
});

test('a new connection to another cluster carries no batch before its leaders are known', async (t) => {
  const { broker, client } = await withClient(t);
  await client.topicMetadata('readings');
  await client.produce(1, requestFor([0]));
  broker.script.clusterId = 'cluster-two';
  broker.script.onProduce = () => 'close';
  await rejectsWith(client.produce(1, requestFor([0])), 'CLOSED');
  const before = broker.produced.length;
  await rejectsWith(
    client.produce(1, requestFor([0])),
    'PROTOCOL',
    /belongs to the cluster cluster-two now and not to cluster-one/,
  );
  assert.equal(broker.produced.length, before);
  broker.script.onProduce = (request) => producedAnswer(request);
  assert.equal((await client.topicMetadata('readings')).clusterId, 'cluster-two');
  await client.produce(1, requestFor([0]));
  assert.equal(broker.produced.length, before + 1);
});

test('createTopic asks the controller and passes on the settings', async (t) => {
  const { one, other, client } = await two(t, { controllerId: 2 });
  const config = { 'message.timestamp.type': 'LogAppendTime', 'cleanup.policy': 'delete' };
  assert.deepEqual(await client.createTopic({ ...TOPIC, config }), { refusal: null, isNew: true });
  assert.deepEqual(other.created, [{ nodeId: 2, topic: 'letters', config }]);
  // Ten times in all, since other requests go to a random broker.
  for (let i = 0; i < 9; i++) assert.equal((await client.createTopic(TOPIC)).refusal, null);
  assert.deepEqual([one.created.length, other.created.length], [0, 10]);
});

test('if a broker is not the controller any more, the new controller is asked', async (t) => {
  const { one, other, client } = await two(t, { controllerId: 1 });
  one.script.onCreate = () => {
    one.script.controllerId = 2;
    other.script.controllerId = 2;
    return { code: NOT_CONTROLLER };
  };
  assert.equal((await client.createTopic(TOPIC)).refusal, null);
  assert.deepEqual([one.created.length, other.created.length], [1, 1]);
});

test('createTopic gives up if no broker is the controller', async (t) => {
  const { broker, client } = await withClient(t, { onCreate: () => ({ code: NOT_CONTROLLER }) });
  await rejectsWith(client.createTopic(TOPIC), 'UNREACHABLE', /letters could not be created/);
  assert.ok(broker.created.length > 1 && broker.created.length < 10, `${broker.created.length} tries`);
});

test('createTopic looks for a controller that is unknown or unreachable', async (t) => {
  const { one, other, client } = await two(t, { controllerId: -1 });
  assert.equal((await client.createTopic(TOPIC)).refusal, null);
  one.script.controllerId = 2;
  await client.topicMetadata('readings');
  other.stop();
  one.script.onCreate = () => ({ code: 0 });
  setTimeout(() => {
    one.script.controllerId = 1;
  }, 50).unref();
  assert.equal((await client.createTopic({ ...TOPIC, topic: 'second' })).refusal, null);
});

test('createTopic accepts a topic that exists, and a refusal has the message of the broker', async (t) => {
  let answer: { code: number; message?: string } = { code: 36 };
  const { broker, client } = await withClient(t, { onCreate: () => answer });
  assert.deepEqual(await client.createTopic(TOPIC), { refusal: null, isNew: false });
  answer = { code: TOPIC_AUTHORIZATION_FAILED };
  assert.equal((await client.createTopic(TOPIC)).refusal, 'TOPIC_AUTHORIZATION_FAILED');
  answer = { code: TOPIC_AUTHORIZATION_FAILED, message: 'ask your administrator' };
  assert.equal(
    (await client.createTopic(TOPIC)).refusal,
    'TOPIC_AUTHORIZATION_FAILED: ask your administrator',
  );
  assert.equal(broker.created.length, 3);
});

test('topicLimits is undefined if the broker does not let us read the settings', async (t) => {
  const { broker, client } = await withClient(t, {
    configs: [
      ['message.timestamp.before.max.ms', '9223372036854775807'],
      ['max.message.bytes', '4000'],
    ],
  });
  const limits = await client.topicLimits('readings');
  assert.equal(limits?.maxMessageBytes, 4000);
  assert.equal(limits?.timestampBeforeMaxMs, undefined);
  broker.script.configs = TOPIC_AUTHORIZATION_FAILED;
  assert.equal(await client.topicLimits('readings'), undefined);
});

test('a broker that cannot give a producer id now keeps its connection', async (t) => {
  const { broker, client } = await withClient(t, { initProducerIdCode: 14 });
  await rejectsWith(client.initProducerId(), 'ANSWER', /InitProducerId/);
  broker.script.initProducerIdCode = 0;
  assert.equal(typeof (await client.initProducerId()).producerId, 'bigint');
  const asked = [...broker.apis.values()].filter((keys) => keys.includes(INIT_PRODUCER_ID));
  assert.equal(asked.length, 1);
});

test('the client works with the API versions of each Kafka release in use', async (t) => {
  for (const release of ['2.8', '3.9', '4.1'] as const) {
    const { client } = await withClient(t, { versions: rangesOf(release) });
    assert.ok(await client.topicLimits('readings'));
    assert.equal((await client.createTopic(TOPIC)).refusal, null);
    await client.initProducerId();
    await client.produce(1, requestFor([0]));
  }
});

test('the error names the request that a broker does not support', async (t) => {
  const broker = await ScriptedBroker.start(t);
  broker.script.versions.set(METADATA, [0, 3]);
  const client = await clientOf(t, broker, { knows: false });
  const text = new RegExp(
    `${broker.address} is too old: it speaks Metadata in the versions 0 to 3 \\(Sluice: 4 to 6\\)`,
  );
  await rejectsWith(client.topicMetadata('readings'), 'UNSUPPORTED', text);
  broker.script.versions.set(METADATA, [0, 12]);
  broker.script.versions.delete(CREATE_TOPICS);
  const second = await clientOf(t, broker);
  await rejectsWith(second.createTopic(TOPIC), 'UNSUPPORTED', /does not know the request CreateTopics/);
});

test('the error of an unreachable broker names its address and advertised.listeners', async (t) => {
  const port = await freePort();
  const { broker, client } = await withClient(t);
  await client.connectTo(1);
  assert.equal(broker.produced.length, 0);
  broker.script.brokers = () => [{ nodeId: 1, host: '127.0.0.1', port }];
  await client.topicMetadata('readings');
  const text = new RegExp(
    `broker 1 cannot be reached at 127.0.0.1:${port}: .*ECONNREFUSED.*advertised\\.listeners`,
  );
  await rejectsWith(client.connectTo(1), 'UNREACHABLE', text);
  await rejectsWith(client.produce(1, requestFor([0])), 'UNREACHABLE', text);
  await rejectsWith(client.connectTo(9), 'UNREACHABLE', /broker 9 is not known/);
});

test('while logins are refused, all connections together try less than once a second', async (t) => {
  const { broker, client } = await withClient(t, { password: 'secret' });
  broker.script.password = 'another';
  for (const connection of broker.open) broker.end(connection);
  await waitFor('both connections are gone', () => broker.open.size === 0);
  const before = broker.loginsAtMs.length;
  const startedAtMs = performance.now();
  while (performance.now() - startedAtMs < 4500) {
    await Promise.allSettled([
      client.topicMetadata('readings'),
      client.produce(1, requestFor([0])),
      client.connectTo(1),
    ]);
    await sleep(20);
  }
  const atMs = broker.loginsAtMs.slice(before);
  // Both connections were lost, and each may try until the first refusal.
  const gaps = atMs.slice(2).map((ms, i) => ms - (atMs[i + 1] ?? 0));
  assert.ok(gaps.length >= 1 && gaps.every((ms) => ms > 1000), `${gaps.map(Math.round).join(' ')} ms`);
  broker.script.password = 'secret';
  await waitFor('the client works again', async () => {
    await client.topicMetadata('readings').catch(() => undefined);
    return await client.produce(1, requestFor([0])).catch(() => undefined);
  });
});

test('a new password is tried at once, although logins with the former one were refused', async (t) => {
  const broker = await ScriptedBroker.start(t, { password: 'new' });
  let credentials = asUser('old');
  const client = await clientOf(t, broker, { credentials: () => credentials, knows: false });
  for (let i = 0; i < 3; i++)
    await rejectsWith(client.topicMetadata('readings'), 'AUTHENTICATION', /refuses/);
  assert.equal(broker.loginsAtMs.length, 1);
  credentials = asUser('new');
  await client.topicMetadata('readings');
  await client.produce(1, requestFor([0]));
});

test('a password that a broker repeats in its refusal is not shown', async (t) => {
  const broker = await ScriptedBroker.start(t, { password: 'another' });
  const credentials = () => asUser('hunter2hunter2');
  const client = await clientOf(t, broker, { credentials, knows: false });
  await rejectsWith(
    client.topicMetadata('readings'),
    'AUTHENTICATION',
    /invalid credentials, not \(hidden\)$/,
  );
});

test('no control request is lost when a login ends', async (t) => {
  const { broker, client } = await withClient(t, { password: 'secret', sessionLifetimeMs: 800 });
  const until = performance.now() + 2000;
  let asked = 0;
  const load = async () => {
    for (; performance.now() < until; asked++) await client.topicMetadata('readings');
  };
  await Promise.all([load(), load(), load()]);
  const metadata = [...broker.apis.values()].flat().filter((key) => key === METADATA);
  // clientOf has asked once.
  assert.equal(metadata.length, asked + 1);
});

test('the connection for Produce works over TLS', async (t) => {
  const tls = certificate(t);
  if (tls === undefined) {
    t.skip('openssl is not installed');
    return;
  }
  const broker = await ScriptedBroker.start(t, { password: 'secret' }, tls);
  const credentials = { ...asUser('secret'), ssl: { ca: tls.cert } };
  const client = await clientOf(t, broker, { credentials: () => credentials });
  for (const bytes of [100, 3_000_000]) {
    await client.produce(1, requestFor([0, 1], { bytes }));
    assert.deepEqual(broker.produced.at(-1)?.batches, [Buffer.alloc(bytes, 0), Buffer.alloc(bytes, 1)]);
  }
  broker.script.onProduce = () => 'close';
  await rejectsWith(client.produce(1, requestFor([0])), 'CLOSED');
  broker.script.onProduce = () => 'reset';
  await rejectsWith(client.produce(1, requestFor([0])), 'CLOSED');
  assert.ok([...broker.apis.values()].some((keys) => keys.includes(PRODUCE)));
});

/** A certificate for 127.0.0.1. */
function certificate(t: TestContext): { key: Buffer; cert: Buffer } | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  try {
    execFileSync('openssl', ['req', '-x509', ...made, ...names, '-keyout', key, '-out', cert], {
      stdio: 'ignore',
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return { key: readFileSync(key), cert: readFileSync(cert) };
}
