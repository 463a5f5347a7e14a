// `sluice check` against a real Kafka with logins, rights and TLS, and against one that is broken in each way.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { withAdmin } from '../../scripts/kafka/client.ts';
import { freePort } from '../../scripts/kafka/ports.ts';
import { wantedVersion } from '../../scripts/kafka/runtime.ts';
import { FakeClock } from '../chaos/faketime.ts';
import { FaultSkipped } from '../chaos/fault.ts';
import { Authority, pemOf } from '../support/authority.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { createTopic, grant, startCluster, clusterTest as test, uniqueTopic } from '../support/kafka.ts';
import { skipLoudly } from '../support/missing-tool.ts';
import { waitFor } from '../support/wait.ts';
import { check, checkProgram, type Env, environmentFor, type Findings } from './checking.ts';

/** Has the rights that a test grants. */
const LIMITED = { name: 'limited', password: 'Qm3-few=rights' };

interface Stage {
  /** Without a login: its clients may do everything. */
  readonly bootstrap: string;
  /** Of the listener with logins, which advertises an address at which nobody listens. */
  readonly login: string;
  readonly advertised: string;
  readonly tls: string;
  readonly ca: string;
  readonly otherCa: string;
}

const CASES: Readonly<Record<string, (t: TestContext, stage: Stage) => Promise<void>>> = {
  'finds no fault in a Kafka that has none': fine,
  'finds each limit of a topic that does not fit, and each that fits': limits,
  'says what Kafka would answer to the creation of a missing topic, and creates none': missing,
  'finds that the login is refused, missing or not wanted': logins,
  'finds which right is missing, and not if it is granted': rights,
  'finds an advertised address that nobody listens at': advertised,
  'tells plain from TLS, and a wrong authority': encryption,
  'finds a clock that is wrong': clock,
};

test('sluice check', async (t) => {
  const directory = temporaryDirectory(t);
  const authority = new Authority(directory, 'kafka-ca');
  const server = pemOf(authority.sign('broker'));
  const [port, nobody, tlsPort] = [await freePort(), await freePort(), await freePort()];
  const plainUsers = { [LIMITED.name]: LIMITED.password };
  const clientCa = pemOf({ cert: authority.ca, key: authority.ca }).cert;
  const tls = { ...server, clientCa };
  const cluster = await startCluster({
    sasl: [{ port, advertised: `127.0.0.1:${nobody}`, plainUsers }],
    tls: [{ port: tlsPort, advertised: `127.0.0.1:${tlsPort}`, tls }],
    properties: {
      'authorizer.class.name': wantedVersion().authorizer,
      'super.users': 'User:ANONYMOUS;User:CN=gateway',
    },
  });
  t.after(() => cluster.stop());
  const stage: Stage = {
    bootstrap: cluster.bootstrap,
    login: `127.0.0.1:${port}`,
    advertised: `127.0.0.1:${nobody}`,
    tls: `127.0.0.1:${tlsPort}`,
    ca: authority.ca,
    otherCa: new Authority(directory, 'other').ca,
  };
  for (const [name, run] of Object.entries(CASES)) await t.test(name, (t) => run(t, stage));
});

const topics = (topic: string): Env => ({
  KAFKA_TOPIC_METRICS: topic,
  KAFKA_TOPIC_DEAD_LETTERS: '',
  KAFKA_TOPIC_ALARMS: `${topic}.alarms`,
});

async function fine(t: TestContext, { bootstrap }: Stage): Promise<void> {
  const topic = uniqueTopic('fine');
  await createTopic(bootstrap, topic);
  const env = { KAFKA_BROKERS: bootstrap, ...topics(topic) };
  // A Kafka that has just started gives no producer ids.
  const found = await until(t, env, (found) => found.has('idempotent_write_allowed'));
  // The directory of the tests.
  const faults = found.names('warning', 'error').filter((name) => name !== 'spool_in_memory');
  assert.deepEqual(faults, []);
  found.expect('ok', 'broker_answers', new RegExp(bootstrap));
  found.expect('ok', 'advertised_answers', /^Broker 1 can be used at /);
  found.expect('ok', 'login_accepted', /no login/);
  found.expect('ok', 'idempotent_write_allowed', /idempotent/);
  found.expect('ok', 'kafka_clock_agrees', /agrees/);
  found.expect('ok', 'topic_there', /has 10 partitions/);
  found.expect('ok', 'write_allowed', new RegExp(topic));
  found.expect('ok', 'message_size_enough', /max\.message\.bytes/);
  found.expect('note', 'replicas_one', /1 replica, 1 in sync/);
  found.expect('ok', 'codec_usable', /snappy/);
  found.expect('note', 'topic_missing', /alarms does not exist; the start creates it with 1 partition,/);
}

async function limits(t: TestContext, { bootstrap }: Stage): Promise<void> {
  const topic = uniqueTopic('limits');
  const config = {
    'max.message.bytes': '20000',
    'message.timestamp.before.max.ms': '3600000',
    'message.timestamp.after.max.ms': '1000',
    'min.insync.replicas': '2',
    'cleanup.policy': 'compact',
  };
  await createTopic(bootstrap, topic, { partitions: 3, config });
  const env = { KAFKA_BROKERS: bootstrap, ...topics(topic) };
  const found = await check(t, env);
  found.expect('warning', 'message_size_short', /at most 19\.5 KiB .*TCP_MAX_LINE_BYTES=64KiB/);
  found.expect('warning', 'topic_limit_warned', /up to 1h old/);
  found.expect('warning', 'topic_limit_warned', /up to 1s ahead/);
  found.expect('warning', 'topic_limit_warned', /is compacted/);
  found.expect('error', 'replicas_not_in_sync', /1 in sync, and min\.insync\.replicas=2/);
  found.expect('note', 'partitions_differ', /has 3 partitions.*KAFKA_NUM_PARTITIONS=10/);
  const fitting = await check(t, {
    ...env,
    TCP_MAX_LINE_BYTES: '8KiB',
    KAFKA_REQUIRED_ACKS: '1',
    KAFKA_NUM_PARTITIONS: '3',
    KAFKA_TIMESTAMP: 'sent',
  });
  fitting.expect('ok', 'message_size_enough', /a line has at most 8KiB/);
  fitting.expect('ok', 'topic_there', /has 3 partitions/);
  fitting.expect('warning', 'setting_warned', /KAFKA_REQUIRED_ACKS=1 can lose data/);
  assert.ok(!fitting.has('replicas_not_in_sync'));
  assert.ok(!fitting.all.some(({ what }) => what.includes('1h old')));
}

async function missing(t: TestContext, { bootstrap }: Stage): Promise<void> {
  const topic = uniqueTopic('missing');
  const env = { KAFKA_BROKERS: bootstrap, ...topics(topic), KAFKA_NUM_PARTITIONS: '7' };
  const found = await check(t, env);
  found.expect('note', 'topic_missing', /does not exist; the start creates it with 7 partitions/);
  found.expect('ok', 'message_size_enough', /once created.*the broker's message\.max\.bytes/);
  const refused = await check(t, { ...env, KAFKA_REPLICATION_FACTOR: '3' });
  const { remedy = '' } = refused.expect('error', 'topic_not_creatable', /INVALID_REPLICATION_FACTOR/);
  assert.match(remedy, /create it with 7 partitions, or set KAFKA_REPLICATION_FACTOR/);
  const names = await withAdmin(bootstrap, (admin) => admin.listTopics());
  assert.ok(!names.some((name) => name.startsWith(topic)), names.join());
}

const asLimited = (login: string, topic: string): Env => ({
  KAFKA_BROKERS: login,
  KAFKA_SASL_MECHANISM: 'plain',
  KAFKA_SASL_USERNAME: LIMITED.name,
  KAFKA_SASL_PASSWORD: LIMITED.password,
  ...topics(topic),
});

async function logins(t: TestContext, { login, bootstrap }: Stage): Promise<void> {
  const env = asLimited(login, uniqueTopic('login'));
  (await check(t, env)).expect('ok', 'login_accepted', /login as limited \(plain\) is accepted/);

  const wrong = await check(t, { ...env, KAFKA_SASL_PASSWORD: 'Some-other-password' });
  wrong.expect('error', 'login_refused', /refuses the login/);
  wrong.expect('ok', 'broker_answers', new RegExp(login));
  wrong.expect('note', 'topics_unknown', /could not be checked/);
  assert.ok(!JSON.stringify(wrong.all).includes('Some-other-password'));

  const none = await check(t, { KAFKA_BROKERS: login, ...topics(uniqueTopic('login')) });
  none.expect('error', 'login_refused', /A listener that wants a login does that: set KAFKA_SASL_MECHANISM/);

  (await check(t, { ...env, KAFKA_BROKERS: bootstrap })).expect('error', 'login_refused', /without logins/);
}

async function rights(t: TestContext, { login, bootstrap }: Stage): Promise<void> {
  const topic = uniqueTopic('rights');
  await createTopic(bootstrap, topic, { partitions: 1 });
  const env = asLimited(login, topic);
  const user = LIMITED.name;
  const none = await check(t, env);
  none.expect('error', 'topic_unusable', /TOPIC_AUTHORIZATION_FAILED/);
  none.expect('error', 'idempotent_write_refused', /CLUSTER_AUTHORIZATION_FAILED/);
  none.expect('note', 'kafka_clock_unknown', /not known/);

  await grant(bootstrap, { user, topic, operation: 'DESCRIBE' });
  const describe = await until(t, env, (found) => found.has('partitions_differ'));
  const { remedy = '' } = describe.expect('error', 'write_refused', new RegExp(topic));
  assert.match(remedy, /Write/);
  describe.expect('note', 'topic_limits_unknown', /TOPIC_AUTHORIZATION_FAILED/);

  await grant(bootstrap, { user, topic, operation: 'WRITE' });
  const write = await until(t, env, (found) => found.has('write_allowed'));
  write.expect('ok', 'idempotent_write_allowed', /idempotent/);

  const other = uniqueTopic('create');
  (await check(t, { ...env, ...topics(other) })).expect(
    'error',
    'topic_unusable',
    /TOPIC_AUTHORIZATION_FAILED/,
  );
  await grant(bootstrap, { user, topic: other, operation: 'DESCRIBE' });
  const mayNot = await until(t, { ...env, ...topics(other) }, (found) => !found.has('topic_unusable'));
  mayNot.expect('error', 'topic_not_creatable', /does not let us create it \(TOPIC_AUTHORIZATION_FAILED/);
  await grant(bootstrap, { user, topic: other, operation: 'CREATE' });
  await until(t, { ...env, ...topics(other) }, (found) => found.has('topic_missing'));
}

/** A right counts a moment after it was granted. */
async function until(t: TestContext, env: Env, isIt: (found: Findings) => boolean): Promise<Findings> {
  const loaded = environmentFor(t, env);
  return waitFor('it to count', async () => {
    const found = await check(t, loaded);
    return isIt(found) ? found : undefined;
  });
}

async function advertised(t: TestContext, stage: Stage): Promise<void> {
  const found = await check(t, asLimited(stage.login, uniqueTopic('advertised')));
  const finding = found.expect(
    'error',
    'advertised_unreachable',
    /^Broker 1 cannot be reached at .*ECONNREFUSED/,
  );
  assert.ok(finding.what.includes(stage.advertised));
  assert.match(finding.what, /advertised\.listeners/);
}

async function encryption(t: TestContext, { bootstrap, tls, ca, otherCa }: Stage): Promise<void> {
  const { KAFKA_SSL, KAFKA_SSL_CA } = { KAFKA_SSL: 'true', KAFKA_SSL_CA: ca };
  (await check(t, { KAFKA_BROKERS: bootstrap, KAFKA_SSL })).expect(
    'error',
    'broker_unreachable',
    /does not seem to speak TLS/,
  );
  (await check(t, { KAFKA_BROKERS: tls })).expect('error', 'broker_unreachable', /this port speaks TLS/);
  (await check(t, { KAFKA_BROKERS: tls, KAFKA_SSL, KAFKA_SSL_CA: otherCa })).expect(
    'error',
    'broker_unreachable',
    /is signed by an authority that is not trusted/,
  );
  // One address that works is enough for a start.
  const mixed = await check(t, { KAFKA_BROKERS: `${bootstrap},${tls}` });
  mixed.expect('warning', 'broker_unreachable', /this port speaks TLS/);
  mixed.expect('ok', 'broker_answers', new RegExp(bootstrap));
  const bare = await check(t, { KAFKA_BROKERS: tls, KAFKA_SSL, KAFKA_SSL_CA });
  assert.ok(bare.names('error').length > 0);
  assert.match(JSON.stringify(bare.all), /KAFKA_SSL_CERT/);
}

async function clock(t: TestContext, { bootstrap }: Stage): Promise<void> {
  const topic = uniqueTopic('clock');
  const config = { 'message.timestamp.after.max.ms': '3600000' };
  await createTopic(bootstrap, topic, { partitions: 1, config });
  const env = { KAFKA_BROKERS: bootstrap, ...topics(topic) };
  const at = async (offset: string) => {
    try {
      const { env: wrong } = new FakeClock(temporaryDirectory(t), offset);
      return (await checkProgram(t, { ...env, ...wrong })).findings;
    } catch (error) {
      if (!(error instanceof FaultSkipped)) throw error;
      skipLoudly(t, error.message);
      return undefined;
    }
  };
  const ahead = await at('+2h');
  if (ahead === undefined) return;
  ahead.expect('warning', 'kafka_clock_differs', /is (?:1h 59m|2h).* ahead of/);
  ahead.expect('error', 'clock_refused', /at most 3600 s ahead/);
  const behind = await at('-10m');
  behind?.expect('warning', 'kafka_clock_differs', /is (?:10m|9m 5).* behind/);
  assert.ok(!behind?.has('clock_refused'));
}
