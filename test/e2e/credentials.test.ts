// A Kafka that wants a login and grants rights one by one. Without a right, records wait in the spool, the gateway says
// what is missing, and it goes on by itself once the right is granted.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../scripts/kafka/ports.ts';
import { wantedVersion } from '../../scripts/kafka/runtime.ts';
import { DeadPlace, recordLetter } from '../cli/dead-place.ts';
import { type Env, type Gateway, gatewayFor } from '../support/gateway.ts';
import { troublesOf } from '../support/health.ts';
import {
  alterConfig,
  createTopic,
  grant,
  revoke,
  startCluster,
  clusterTest as test,
  uniqueTopic,
} from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { allStored, connectFleet, type FleetDevice, ledgerSize } from './fleet.ts';
import { assertDelivered, isReady, logged, readyz } from './stage.ts';
import { TcpProxy } from './tcp-proxy.ts';

const PARTITIONS = 4;
const WARNING = 40;
const COUNTED_MS = 8000;
const BACK_WITHIN_MS = 10_000;

/** Has all rights. Known to SCRAM, with two hashes, and to PLAIN. */
const ADMIN = { name: 'sluice', password: 'Kx7-every=right' };
/** Has the rights that a test grants. Known to PLAIN only. */
const LIMITED = { name: 'limited', password: 'Qm3-few=rights' };
const SCRAM = `iterations=4096,password=${ADMIN.password}`;
const ADMIN_USER = { type: 'users', name: ADMIN.name } as const;

interface Stage {
  /** The listener without login. Its clients have all rights. */
  readonly bootstrap: string;
  /** Port of the listener with login. */
  readonly port: number;
  /** The proxy before that listener, and its advertised address. */
  readonly proxy: TcpProxy;
}

test('a Kafka with logins and rights', async (t) => {
  const proxy = await TcpProxy.reserve();
  t.after(() => proxy.close());
  await proxy.listen();
  const port = await freePort();
  proxy.aim(`127.0.0.1:${port}`);
  const plainUsers = { [ADMIN.name]: ADMIN.password, [LIMITED.name]: LIMITED.password };
  const cluster = await startCluster({
    sasl: [{ port, advertised: proxy.address, plainUsers }],
    properties: {
      'authorizer.class.name': wantedVersion().authorizer,
      'super.users': `User:ANONYMOUS;User:${ADMIN.name}`,
    },
  });
  t.after(() => cluster.stop());
  const { bootstrap } = cluster;
  const stage = { bootstrap, port, proxy };
  // A request can set only one of a user's hashes.
  await Promise.all(
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map((name) =>
      alterConfig(bootstrap, ADMIN_USER, { set: { [name]: SCRAM } }),
    ),
  );

  for (const mechanism of ['scram-sha-256', 'scram-sha-512', 'plain'] as const) {
    await t.test(`the gateway logs in with ${mechanism} and delivers`, (t) => logIn(t, stage, mechanism));
  }
  await t.test(
    'without valid credentials records wait in the spool and logins are tried less than once a second, until they are restored',
    (t) => loseCredentials(t, stage),
  );
  for (const way of ['somebody creates it', 'it may be created'] as const) {
    await t.test(
      `the gateway names a missing topic that it may not create, with the reason, and records wait until ${way}`,
      (t) => missTopic(t, stage, way),
    );
  }
  await t.test(
    'records wait in the spool while the right to write is missing, and arrive once after it is granted again',
    (t) => loseRight(t, stage),
  );
  await t.test(
    'if the topic’s limit may not be read, only the record that is too large for it is not delivered',
    (t) => hideLimit(t, stage),
  );
  await t.test('dead letters wait for each right that is missing, and are sent once', (t) =>
    resendWithoutRights(t, stage),
  );
});

function start(t: TestContext, { proxy }: Stage, topic: string, env: Env = {}): Promise<Gateway> {
  return gatewayFor(t, {
    KAFKA_BROKERS: proxy.address,
    KAFKA_CLIENT_ID: topic,
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: LIMITED.name,
    KAFKA_SASL_PASSWORD: LIMITED.password,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_TOPIC_ALARMS: `${topic}.alarms`,
    KAFKA_TOPIC_DEAD_LETTERS: `${topic}.dead`,
    KAFKA_NUM_PARTITIONS: String(PARTITIONS),
    KAFKA_COMPRESSION: 'none',
    HTTP_PORT: '0',
    ...env,
  });
}

const asAdmin = (mechanism: string) => ({
  KAFKA_SASL_MECHANISM: mechanism,
  KAFKA_SASL_USERNAME: ADMIN.name,
  KAFKA_SASL_PASSWORD: ADMIN.password,
});

const fleetOf = (t: TestContext, gateway: Gateway): Promise<FleetDevice[]> =>
  connectFleet(t, gateway, { devices: 12, zipcodes: 12 });

const reasons = (gateway: Gateway) => troublesOf(gateway.snapshot());
const warned = (gateway: Gateway, text: RegExp) =>
  gateway.log.some(({ level, msg }) => level === WARNING && text.test(msg));

async function allConfirmed(gateway: Gateway, fleet: readonly FleetDevice[]): Promise<void> {
  const expected = ledgerSize(fleet);
  await waitFor(
    'all is in Kafka',
    () => gateway.snapshot().records.confirmed === expected && gateway.snapshot().records.spooled === 0,
    BACK_WITHIN_MS,
  );
}

/** Each device sends two messages. All must hear `stored`, and none may be in Kafka yet. */
async function sendToSpool(gateway: Gateway, fleet: readonly FleetDevice[]): Promise<void> {
  const { confirmed, spooled } = gateway.snapshot().records;
  for (const device of fleet) device.sendShaped([1, 2]);
  await allStored(fleet);
  const { records } = gateway.snapshot();
  assert.equal(records.confirmed, confirmed);
  assert.equal(records.spooled, spooled + 3 * fleet.length);
}

async function logIn(t: TestContext, stage: Stage, mechanism: string): Promise<void> {
  const topic = uniqueTopic('login');
  const gateway = await start(t, stage, topic, asAdmin(mechanism));
  const fleet = await fleetOf(t, gateway);
  for (const device of fleet) device.sendShaped([1, 2, 1]);
  await allStored(fleet);
  await allConfirmed(gateway, fleet);
  await isReady(gateway);
  await assertDelivered(stage.bootstrap, topic, { fleet, partitions: PARTITIONS });
}

async function loseCredentials(t: TestContext, stage: Stage): Promise<void> {
  const { bootstrap, proxy } = stage;
  const topic = uniqueTopic('credentials');
  const secondTopic = uniqueTopic('never-connected');
  const gateway = await start(t, stage, topic, asAdmin('scram-sha-256'));
  const fleet = await fleetOf(t, gateway);
  for (const device of fleet) device.send(3);
  await allConfirmed(gateway, fleet);

  await alterConfig(bootstrap, ADMIN_USER, { remove: ['SCRAM-SHA-256'] });
  proxy.close();
  await waitFor('the connection is missed', () => !gateway.snapshot().kafka.connected);
  // A refused line becomes a dead letter, which has its own pipeline and its own logins.
  fleet[0]?.socket.write('{"type":"nonsense"}\n');
  await sendToSpool(gateway, fleet);
  await waitFor('the log says so', () => warned(gateway, /ECONNREFUSED/));
  const before = proxy.connectionsOf(topic);
  const countedFromMs = performance.now();
  await proxy.listen();
  // A gateway that was never connected must wait in the same way.
  const ownProxy = await TcpProxy.reserve(`127.0.0.1:${stage.port}`);
  t.after(() => ownProxy.close());
  await ownProxy.listen();
  const second = await start(t, { ...stage, proxy: ownProxy }, secondTopic, asAdmin('scram-sha-256'));
  const secondFleet = await fleetOf(t, second);
  for (const device of secondFleet) device.send(3);
  await allStored(secondFleet);

  const gateways = [
    { refused: gateway, address: proxy.address },
    { refused: second, address: ownProxy.address },
  ];
  for (const { refused, address } of gateways) {
    await waitFor('health says why', () => reasons(refused).includes('authentication failed'));
    const answer = await readyz(refused);
    assert.equal(answer.status, 200);
    const why = `${address} refuses the login.*invalid credentials`;
    assert.match(answer.text, new RegExp(`kafka +failed \\(login_refused\\): ${why}`));
    assert.ok(!answer.text.includes(ADMIN.password), 'readiness does not hold the password');
    // The log must say so although it reported the refused connection just before.
    await waitFor('the log says why', () => warned(refused, new RegExp(why)));
  }
  while (performance.now() - countedFromMs < COUNTED_MS) {
    for (const device of fleet) device.send();
    await sleep(200);
  }
  await allStored(fleet);
  const seconds = (performance.now() - countedFromMs) / 1000;
  const counts = [proxy.connectionsOf(topic) - before, ownProxy.connectionsOf(secondTopic)];
  for (const attempts of counts) {
    t.diagnostic(`${attempts} logins in ${seconds.toFixed(1)} s`);
    assert.ok(attempts > 1 && attempts < seconds, `${attempts} logins in ${seconds} s`);
  }

  await alterConfig(bootstrap, ADMIN_USER, { set: { 'SCRAM-SHA-256': SCRAM } });
  const restoredMs = performance.now();
  await Promise.all([allConfirmed(gateway, fleet), allConfirmed(second, secondFleet)]);
  t.diagnostic(`all of it in Kafka after ${((performance.now() - restoredMs) / 1000).toFixed(1)} s`);
  await isReady(gateway);
  await assertDelivered(stage.bootstrap, topic, { fleet, partitions: PARTITIONS });
  await assertDelivered(stage.bootstrap, secondTopic, { fleet: secondFleet, partitions: PARTITIONS });
  for (const { log } of [gateway, second])
    assert.ok(!JSON.stringify(log).includes(ADMIN.password), 'no log line holds the password');
}

async function missTopic(t: TestContext, stage: Stage, way: string): Promise<void> {
  const { bootstrap } = stage;
  const topic = uniqueTopic('missing');
  const right = { user: LIMITED.name, topic };
  await grant(bootstrap, { ...right, operation: 'WRITE' });
  const gateway = await start(t, stage, topic);
  const fleet = await fleetOf(t, gateway);
  const line = await waitFor('a line about it', () => logged(gateway, `${topic} does not exist`)[0]);
  assert.match(line.msg, /TOPIC_AUTHORIZATION_FAILED.*create it with 4 partitions, or .*right Create/);
  await sendToSpool(gateway, fleet);
  assert.match(reasons(gateway), new RegExp(`${topic} does not exist.*TOPIC_AUTHORIZATION_FAILED`));

  if (way === 'it may be created') await grant(bootstrap, { ...right, operation: 'CREATE' });
  else await createTopic(bootstrap, topic, { partitions: PARTITIONS });
  await allConfirmed(gateway, fleet);
  await assertDelivered(stage.bootstrap, topic, { fleet, partitions: PARTITIONS });
  assert.equal(logged(gateway, `Topic ${topic} created`).length, way === 'it may be created' ? 1 : 0);
  await isReady(gateway);
}

async function loseRight(t: TestContext, stage: Stage): Promise<void> {
  const { bootstrap } = stage;
  const topic = uniqueTopic('right');
  await createTopic(bootstrap, topic, { partitions: PARTITIONS });
  const write = { user: LIMITED.name, topic, operation: 'WRITE' } as const;
  await grant(bootstrap, write);
  const gateway = await start(t, stage, topic);
  const fleet = await fleetOf(t, gateway);
  for (const device of fleet) device.send(3);
  await allConfirmed(gateway, fleet);

  await revoke(bootstrap, write);
  // The broker still takes some messages before it knows.
  await waitFor('the right is missed by every partition', () => {
    for (const device of fleet) device.send();
    return gateway.snapshot().spool.partitions === PARTITIONS;
  });
  assert.equal(gateway.snapshot().kafka.lastError, 'TOPIC_AUTHORIZATION_FAILED');
  const refusal = `topic ${topic} failed (unusable): TOPIC_AUTHORIZATION_FAILED`;
  await waitFor('health says why', () => reasons(gateway).includes(refusal));
  // The advice must be in all places where an operator looks.
  const advice = /TOPIC_AUTHORIZATION_FAILED: give .* the rights Write and Describe on the topic/;
  assert.match((await readyz(gateway)).text, advice);
  assert.match(gateway.snapshot().kafka.problems.join('\n'), advice);
  assert.equal(gateway.snapshot().kafka.problems.length, 1);
  await allStored(fleet);
  await sendToSpool(gateway, fleet);
  const line = new RegExp(`^Topic ${topic} cannot be used: ${advice.source}`);
  await waitFor('the log says so', () => warned(gateway, line));

  await grant(bootstrap, write);
  await allConfirmed(gateway, fleet);
  for (const device of fleet) device.send();
  await allConfirmed(gateway, fleet);
  await assertDelivered(stage.bootstrap, topic, { fleet, partitions: PARTITIONS });
  await waitFor('no partition goes through the disk', () => gateway.snapshot().spool.partitions === 0);
  await isReady(gateway);
  assert.deepEqual(gateway.snapshot().kafka.problems, []);
}

async function resendWithoutRights(t: TestContext, { bootstrap, proxy }: Stage): Promise<void> {
  const place = new DeadPlace(t, bootstrap, {
    KAFKA_BROKERS: proxy.address,
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: LIMITED.name,
    KAFKA_SASL_PASSWORD: LIMITED.password,
  });
  const { metrics, dead } = place;
  await place.createTopics();
  await place.write([recordLetter(0)]);
  const resend = (...args: string[]) => place.run(['resend', ...args]);
  const allow = (topic: string, operation: 'READ' | 'DESCRIBE' | 'WRITE') =>
    grant(bootstrap, { user: LIMITED.name, topic, operation });
  const unread = await resend('--yes');
  assert.equal(unread.code, 1);
  assert.match(unread.err, /read the topic .*TOPIC_AUTHORIZATION_FAILED.*rights Read and Describe/);

  await allow(dead, 'READ');
  await waitFor('the letters can be read', async () => (await resend('--dry-run')).code === 0);
  assert.match((await resend('--yes')).out, /^ {2}1: the login may not see its topic: give it the rights/m);
  await allow(metrics, 'DESCRIBE');
  await waitFor('the topic can be seen', async () => / 1 +1$/m.test((await resend('--dry-run')).out));
  const unwritten = await resend('--yes');
  assert.equal(unwritten.code, 1);
  assert.match(unwritten.err, /not taken: 1 record left in .*TOPIC_AUTHORIZATION_FAILED.*Write.*next run/);

  await allow(metrics, 'WRITE');
  const { code, out, err } = await resend('--yes');
  assert.equal(code, 0, err);
  assert.match(out, /^first come 1 record that an earlier run had taken$/m);
  assert.equal((await place.readings(1)).length, 1);
}

async function hideLimit(t: TestContext, stage: Stage): Promise<void> {
  const { bootstrap } = stage;
  const topic = uniqueTopic('limit');
  await createTopic(bootstrap, topic, { partitions: PARTITIONS, config: { 'max.message.bytes': '4000' } });
  await grant(bootstrap, { user: LIMITED.name, topic, operation: 'WRITE' });
  const gateway = await start(t, stage, topic);
  const fleet = await fleetOf(t, gateway);
  await isReady(gateway);
  for (const device of fleet) device.send(2);
  const large = Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`note${n}`, 'n'.repeat(1000)]));
  fleet[0]?.socket.write(`${JSON.stringify({ type: 'metrics', data: large })}\n`);
  for (const device of fleet) device.send(2);
  await allConfirmed(gateway, fleet);
  await waitFor('the large one is refused', () => gateway.snapshot().records.deadLettered === 1);
  await allStored(fleet);
  await assertDelivered(stage.bootstrap, topic, { fleet, partitions: PARTITIONS });
}
