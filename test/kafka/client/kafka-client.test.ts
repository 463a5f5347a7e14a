// What the cluster is asked beside Produce: whom it asks, and what it makes of the answers.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../scripts/kafka/ports.ts';
import { waitFor } from '../../support/wait.ts';
import {
  asUser,
  CREATE_TOPICS,
  clusterOf,
  INIT_PRODUCER_ID,
  METADATA,
  PRODUCE,
  producedAnswer,
  rangesOf,
  requestFor,
  type Script,
  ScriptedBroker,
} from './scripted-broker.ts';

const NOT_CONTROLLER = 41;
const TOPIC_AUTHORIZATION_FAILED = 29;
const TOPIC = { topic: 'letters', partitions: 3, replicationFactor: 1 };

const rejectsWith = (work: Promise<unknown>, code: string, text = /./) =>
  assert.rejects(work, (error) => {
    assert.ok(error instanceof Error && 'code' in error);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, text);
    return true;
  });

/** Two brokers of one cluster; the first is asked for metadata. */
async function two(t: Parameters<typeof ScriptedBroker.start>[0], script: Partial<Script> = {}) {
  const one = await ScriptedBroker.start(t, { ...script, nodeId: 1 });
  const other = await ScriptedBroker.start(t, { ...script, nodeId: 2 });
  const brokers = () => [one, other].map(({ port }, i) => ({ nodeId: i + 1, host: '127.0.0.1', port }));
  one.script.brokers = brokers;
  other.script.brokers = brokers;
  return { one, other };
}

test('a topic’s leaders come with the cluster’s id', async (t) => {
  const broker = await ScriptedBroker.start(t, { nodeId: 7 });
  const cluster = await clusterOf(t, broker);
  assert.deepEqual(await cluster.topicMetadata('readings'), {
    errorCode: 0,
    leaders: [7, 7, 7, 7],
    clusterId: 'cluster-one',
    from: 7,
    brokers: [7],
  });
  broker.script.clusterId = null;
  assert.equal((await cluster.topicMetadata('readings')).clusterId, undefined);
});

test('an answer says which broker gave it, if that can be known', async (t) => {
  const { one, other } = await two(t);
  const first = await clusterOf(t, other, { knows: false });
  // Over the configured address, which is the one that broker 2 advertises.
  const { from, brokers } = await first.topicMetadata('readings');
  assert.deepEqual({ from, brokers }, { from: 2, brokers: [1, 2] });
  // As over a load balancer: nobody advertises this address.
  const alias = await clusterOf(t, one, { knows: false, brokers: [`localhost:${one.port}`] });
  assert.equal((await alias.topicMetadata('readings')).from, undefined);
  // From here on it is connected to the brokers themselves.
  assert.ok([1, 2].includes((await alias.topicMetadata('readings')).from ?? 0));
});

test('of a cluster with one broker an answer is always that broker’s', async (t) => {
  const broker = await ScriptedBroker.start(t, { nodeId: 5 });
  const brokers = [`localhost:${broker.port}`];
  const cluster = await clusterOf(t, broker, { knows: false, brokers });
  assert.equal((await cluster.topicMetadata('readings')).from, 5);
});

test('brokers that are to be asked last are asked only if the others do not answer', async (t) => {
  const { one, other } = await two(t);
  const cluster = await clusterOf(t, one);
  const from = async (...askLast: number[]) =>
    (await cluster.topicMetadata('readings', { askLast: new Set(askLast) })).from;
  // More often than chance would find it.
  for (let i = 0; i < 10; i++) assert.equal(await from(1), 2);
  for (let i = 0; i < 10; i++) assert.equal(await from(2), 1);
  assert.ok([1, 2].includes((await from(1, 2)) ?? 0));
  other.stop();
  assert.equal(await from(1), 1);
});

test('a broker that has just failed is not waited for again at each question', async (t) => {
  const { one, other } = await two(t);
  const cluster = await clusterOf(t, one);
  let asked = 0;
  other.script.isSilent = ({ apiKey }) => {
    if (apiKey === METADATA) asked++;
    return apiKey === METADATA;
  };
  const askLast = new Set([1]);
  for (let i = 0; i < 5; i++) assert.equal((await cluster.topicMetadata('readings', { askLast })).from, 1);
  assert.equal(asked, 1);
});

for (const [what, isDoubted, connections] of [
  ['stay while the answer is doubted', true, 1],
  ['are dropped otherwise', false, 2],
] as const) {
  test(`connections to a broker that an answer does not name ${what}`, async (t) => {
    const { one, other } = await two(t);
    const cluster = await clusterOf(t, one);
    await cluster.produce(2, requestFor([0]));
    const all = one.script.brokers;
    one.script.brokers = () => all().slice(0, 1);
    const doubts: number[][] = [];
    const answer = await cluster.topicMetadata('readings', {
      askLast: new Set([2]),
      isDoubted: ({ brokers }) => {
        doubts.push([...brokers]);
        return isDoubted;
      },
    });
    assert.deepEqual([answer.from, answer.brokers, doubts], [1, [1], [[1]]]);
    if (isDoubted) assert.equal((await cluster.topicMetadata('readings', { askLast: new Set([1]) })).from, 2);
    one.script.brokers = all;
    await cluster.topicMetadata('readings');
    await cluster.produce(2, requestFor([0]));
    assert.equal(other.produceConnections.length, connections);
  });
}

test('a broker that has only just started and names no brokers is passed over', async (t) => {
  const { one, other } = await two(t);
  const cluster = await clusterOf(t, one);
  one.script.brokers = () => [];
  const askLast = new Set([2]);
  assert.equal((await cluster.topicMetadata('readings', { askLast })).from, 2);
  other.script.brokers = () => [];
  await rejectsWith(cluster.topicMetadata('readings'), 'UNREACHABLE', /names no brokers/);
  await cluster.produce(2, requestFor([0]));
});

test('when another cluster answers, the connections to the old one are left', async (t) => {
  const broker = await ScriptedBroker.start(t);
  const cluster = await clusterOf(t, broker);
  await cluster.produce(1, requestFor([0]));
  broker.script.clusterId = 'cluster-two';
  await cluster.topicMetadata('readings');
  const [old = 0] = broker.produceConnections;
  await waitFor('the old connection is closed', () => !broker.open.has(old));
  await cluster.produce(1, requestFor([0]));
  assert.equal(broker.produceConnections.length, 2);
});

test('a new connection that leads to another cluster carries no batch before its leaders were asked for', async (t) => {
  const broker = await ScriptedBroker.start(t);
  const cluster = await clusterOf(t, broker);
  await cluster.topicMetadata('readings');
  await cluster.produce(1, requestFor([0]));
  broker.script.clusterId = 'cluster-two';
  broker.script.onProduce = () => 'close';
  await assert.rejects(cluster.produce(1, requestFor([0])), { code: 'CLOSED' });
  const before = broker.produced.length;
  await assert.rejects(cluster.produce(1, requestFor([0])), {
    code: 'PROTOCOL',
    message: /belongs to the cluster cluster-two now and not to cluster-one/,
  });
  assert.equal(broker.produced.length, before);
  broker.script.onProduce = (request) => producedAnswer(request);
  assert.equal((await cluster.topicMetadata('readings')).clusterId, 'cluster-two');
  await cluster.produce(1, requestFor([0]));
  assert.equal(broker.produced.length, before + 1);
});

test('topics are created by the controller, with the settings they are given', async (t) => {
  const { one, other } = await two(t, { controllerId: 2 });
  const cluster = await clusterOf(t, one);
  const config = { 'message.timestamp.type': 'LogAppendTime', 'cleanup.policy': 'delete' };
  assert.equal(await cluster.createTopic({ ...TOPIC, config }), null);
  assert.deepEqual(other.created, [{ nodeId: 2, topic: 'letters', config }]);
  // More often than chance would find it.
  for (let i = 0; i < 9; i++) assert.equal(await cluster.createTopic(TOPIC), null);
  assert.deepEqual([one.created.length, other.created.length], [0, 10]);
});

test('a broker that is not the controller any more is no refusal: the new one is looked for', async (t) => {
  const { one, other } = await two(t, { controllerId: 1 });
  one.script.onCreate = () => {
    one.script.controllerId = 2;
    other.script.controllerId = 2;
    return { code: NOT_CONTROLLER };
  };
  const cluster = await clusterOf(t, one);
  assert.equal(await cluster.createTopic(TOPIC), null);
  assert.deepEqual([one.created.length, other.created.length], [1, 1]);
});

test('if nobody is the controller, the search ends', async (t) => {
  const broker = await ScriptedBroker.start(t, { onCreate: () => ({ code: NOT_CONTROLLER }) });
  const cluster = await clusterOf(t, broker);
  await rejectsWith(cluster.createTopic(TOPIC), 'UNREACHABLE', /letters could not be created/);
  assert.ok(broker.created.length > 1 && broker.created.length < 10, `${broker.created.length} tries`);
});

test('a controller that is not known or cannot be reached is looked for as well', async (t) => {
  const { one, other } = await two(t, { controllerId: -1 });
  const cluster = await clusterOf(t, one);
  assert.equal(await cluster.createTopic(TOPIC), null);
  one.script.controllerId = 2;
  await cluster.topicMetadata('readings');
  other.stop();
  one.script.onCreate = () => ({ code: 0 });
  setTimeout(() => {
    one.script.controllerId = 1;
  }, 50).unref();
  assert.equal(await cluster.createTopic({ ...TOPIC, topic: 'second' }), null);
});

test('a topic that exists is fine, and a refusal is told with the broker’s own words', async (t) => {
  let answer: { code: number; message?: string } = { code: 36 };
  const broker = await ScriptedBroker.start(t, { onCreate: () => answer });
  const cluster = await clusterOf(t, broker);
  assert.equal(await cluster.createTopic(TOPIC), null);
  answer = { code: TOPIC_AUTHORIZATION_FAILED };
  assert.equal(await cluster.createTopic(TOPIC), 'TOPIC_AUTHORIZATION_FAILED');
  answer = { code: TOPIC_AUTHORIZATION_FAILED, message: 'ask your administrator' };
  assert.equal(await cluster.createTopic(TOPIC), 'TOPIC_AUTHORIZATION_FAILED: ask your administrator');
  assert.equal(broker.created.length, 3);
});

test('a topic’s limits are read, unless the broker does not let us', async (t) => {
  const broker = await ScriptedBroker.start(t, {
    configs: [
      ['message.timestamp.before.max.ms', '9223372036854775807'],
      ['max.message.bytes', '4000'],
    ],
  });
  const cluster = await clusterOf(t, broker);
  const limits = await cluster.topicLimits('readings');
  assert.equal(limits?.maxMessageBytes, 4000);
  assert.equal(limits?.timestampBeforeMaxMs, undefined);
  broker.script.configs = TOPIC_AUTHORIZATION_FAILED;
  assert.equal(await cluster.topicLimits('readings'), undefined);
});

test('a broker that has no producer id to give now answered, and keeps its connection', async (t) => {
  const broker = await ScriptedBroker.start(t, { initProducerIdCode: 14 });
  const cluster = await clusterOf(t, broker);
  await rejectsWith(cluster.initProducerId(), 'ANSWER', /InitProducerId/);
  broker.script.initProducerIdCode = 0;
  assert.equal(typeof (await cluster.initProducerId()).producerId, 'bigint');
  const asked = [...broker.apis.values()].filter((keys) => keys.includes(INIT_PRODUCER_ID));
  assert.equal(asked.length, 1);
});

test('each Kafka release that is still in use is spoken to in versions it has', async (t) => {
  for (const release of ['2.8', '3.9', '4.1'] as const) {
    const broker = await ScriptedBroker.start(t, { versions: rangesOf(release) });
    const cluster = await clusterOf(t, broker);
    assert.ok(await cluster.topicLimits('readings'));
    assert.equal(await cluster.createTopic(TOPIC), null);
    await cluster.initProducerId();
    await cluster.produce(1, requestFor([0]));
  }
});

test('a broker that lacks a request says which, and is not disconnected over it', async (t) => {
  const broker = await ScriptedBroker.start(t);
  broker.script.versions.set(METADATA, [0, 3]);
  const cluster = await clusterOf(t, broker, { knows: false });
  const text = new RegExp(
    `${broker.address} speaks Metadata in the versions 0 to 3; Sluice needs one of 4 to 6`,
  );
  await rejectsWith(cluster.topicMetadata('readings'), 'UNSUPPORTED', text);
  broker.script.versions.set(METADATA, [0, 12]);
  broker.script.versions.delete(CREATE_TOPICS);
  const second = await clusterOf(t, broker);
  await rejectsWith(second.createTopic(TOPIC), 'UNSUPPORTED', /does not know the request CreateTopics/);
});

test('a broker that is not where it says is named with its address and the setting that is wrong', async (t) => {
  const port = await freePort();
  const broker = await ScriptedBroker.start(t);
  const cluster = await clusterOf(t, broker);
  await cluster.connectTo(1);
  assert.equal(broker.produced.length, 0);
  broker.script.brokers = () => [{ nodeId: 1, host: '127.0.0.1', port }];
  await cluster.topicMetadata('readings');
  const text = new RegExp(
    `broker 1 cannot be reached at 127.0.0.1:${port} .*ECONNREFUSED.*advertised\\.listeners`,
  );
  await rejectsWith(cluster.connectTo(1), 'UNREACHABLE', text);
  await rejectsWith(cluster.produce(1, requestFor([0])), 'UNREACHABLE', text);
  await rejectsWith(cluster.connectTo(9), 'UNREACHABLE', /broker 9 is not known/);
});

test('while logins are refused, control and produce together try less than once a second', async (t) => {
  const broker = await ScriptedBroker.start(t, { password: 'secret' });
  const cluster = await clusterOf(t, broker, asUser('secret'));
  broker.script.password = 'another';
  for (const connection of broker.open) broker.end(connection);
  await waitFor('both connections are gone', () => broker.open.size === 0);
  const before = broker.loginsAtMs.length;
  const startedAtMs = performance.now();
  while (performance.now() - startedAtMs < 4500) {
    await Promise.allSettled([
      cluster.topicMetadata('readings'),
      cluster.produce(1, requestFor([0])),
      cluster.connectTo(1),
    ]);
    await sleep(20);
  }
  const atMs = broker.loginsAtMs.slice(before);
  // Both connections had been lost: until the first refusal each may try.
  const gaps = atMs.slice(2).map((ms, i) => ms - (atMs[i + 1] ?? 0));
  assert.ok(gaps.length >= 1 && gaps.every((ms) => ms > 1000), `${gaps.map(Math.round).join(' ')} ms`);
  broker.script.password = 'secret';
  await waitFor('it works again', async () => {
    await cluster.topicMetadata('readings').catch(() => undefined);
    return await cluster.produce(1, requestFor([0])).catch(() => undefined);
  });
});

test('with a login that ends, control requests in flight are not lost either', async (t) => {
  const broker = await ScriptedBroker.start(t, { password: 'secret', sessionLifetimeMs: 800 });
  const cluster = await clusterOf(t, broker, asUser('secret'));
  const until = performance.now() + 2000;
  let asked = 0;
  const load = async () => {
    for (; performance.now() < until; asked++) await cluster.topicMetadata('readings');
  };
  await Promise.all([load(), load(), load()]);
  const metadata = [...broker.apis.values()].flat().filter((key) => key === METADATA);
  // One more made the client know the leaders.
  assert.equal(metadata.length, asked + 1);
});

test('over TLS the connection for produce is taken over as well', async (t) => {
  const tls = certificate(t);
  if (tls === undefined) {
    t.skip('openssl is not installed');
    return;
  }
  const broker = await ScriptedBroker.start(t, { password: 'secret' }, tls);
  const cluster = await clusterOf(t, broker, { ...asUser('secret'), ssl: { ca: tls.cert } });
  for (const bytes of [100, 3_000_000]) {
    await cluster.produce(1, requestFor([0, 1], { bytes }));
    assert.deepEqual(broker.produced.at(-1)?.batches, [Buffer.alloc(bytes, 0), Buffer.alloc(bytes, 1)]);
  }
  broker.script.onProduce = () => 'close';
  await rejectsWith(cluster.produce(1, requestFor([0])), 'CLOSED');
  broker.script.onProduce = () => 'reset';
  await rejectsWith(cluster.produce(1, requestFor([0])), 'CLOSED');
  assert.ok([...broker.apis.values()].some((keys) => keys.includes(PRODUCE)));
});

/** Of 127.0.0.1, made for this test. */
function certificate(t: { after(fn: () => void): void }): { key: Buffer; cert: Buffer } | undefined {
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
