// Each kind of login against a Kafka whose logins expire after two seconds (connections.max.reauth.ms): under load, under a
// quota, and while there is no token or a wrong one.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../scripts/kafka/ports.ts';
import { check } from '../check/checking.ts';
import { Authority, pemOf } from '../support/authority.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Env, type Gateway, gatewayFor } from '../support/gateway.ts';
import { troublesOf } from '../support/health.ts';
import { alterConfig, startCluster, clusterTest as test, uniqueTopic } from '../support/kafka.ts';
import { TokenServer } from '../support/token-server.ts';
import { waitFor } from '../support/wait.ts';
import { allStored, connectFleet, type FleetDevice, ledgerSize } from './fleet.ts';
import { allConfirmed, assertDelivered, isReady, logged } from './stage.ts';
import { TcpProxy } from './tcp-proxy.ts';

const USER = { name: 'sluice', password: 'Wp9-for=seconds' };
const SESSION_MS = 2000;
const LOAD_MS = 5000;
const LOAD_ROUNDS = 3;
const ROUND_MS = 20;
const PARTITIONS = 4;
const TOKEN_SECONDS = 3;
/** Bytes a second and client, far below the load. */
const QUOTA = 25_000;
const PARALLEL = { concurrency: true };

interface Stage {
  /** The listener without login. */
  readonly bootstrap: string;
  /** Before the listener with logins. */
  readonly login: TcpProxy;
  /** Before the listener that wants certificates. */
  readonly certificates: TcpProxy;
  readonly tokens: TokenServer;
}

interface Way {
  readonly name: string;
  readonly env: Env;
  readonly proxy: TcpProxy;
  /** Logins expire. */
  readonly expires: boolean;
}

test('a Kafka whose logins expire every 2 s', async (t) => {
  const directory = temporaryDirectory(t);
  const authority = new Authority(directory, 'kafka-ca');
  const server = pemOf(authority.sign('broker'));
  const clientCa = pemOf({ cert: authority.ca, key: authority.ca }).cert;
  const tokens = await TokenServer.start(t);
  tokens.lifetimeSeconds = TOKEN_SECONDS;
  const [login, certificates] = [await proxyBefore(t), await proxyBefore(t)];
  const plainUsers = { [USER.name]: USER.password };
  const cluster = await startCluster({
    sasl: [
      {
        port: login.target,
        advertised: login.proxy.address,
        plainUsers,
        tokens: tokens.checks(directory),
      },
    ],
    tls: [
      {
        port: certificates.target,
        advertised: certificates.proxy.address,
        tls: { ...server, clientCa },
      },
    ],
    properties: {
      'connections.max.reauth.ms': String(SESSION_MS),
      // A quota is measured over these seconds, so no connection is muted for much longer.
      'quota.window.num': '3',
    },
  });
  t.after(() => cluster.stop());
  const { bootstrap } = cluster;
  const stage = { bootstrap, login: login.proxy, certificates: certificates.proxy, tokens };
  // A request can set only one of a user's hashes.
  await Promise.all(
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map((name) =>
      alterConfig(
        bootstrap,
        { type: 'users', name: USER.name },
        { set: { [name]: `iterations=4096,password=${USER.password}` } },
      ),
    ),
  );
  const gateway = authority.sign('gateway');
  const ways: Way[] = [
    ...['plain', 'scram-sha-256', 'scram-sha-512'].map((name) => ({
      name,
      proxy: stage.login,
      expires: true,
      env: {
        KAFKA_SASL_MECHANISM: name,
        KAFKA_SASL_USERNAME: USER.name,
        KAFKA_SASL_PASSWORD: USER.password,
      },
    })),
    { name: 'oauthbearer', proxy: stage.login, expires: true, env: tokens.env },
    {
      name: 'a certificate',
      proxy: stage.certificates,
      expires: false,
      env: {
        KAFKA_SSL: 'true',
        KAFKA_SSL_CA: authority.ca,
        KAFKA_SSL_CERT: gateway.cert,
        KAFKA_SSL_KEY: gateway.key,
      },
    },
  ];

  const startedMs = performance.now();
  await t.test('under load, and while tokens are missing or wrong', PARALLEL, (t) =>
    all([
      ...ways.map((way) =>
        t.test(`with ${way.name} no batch fails, is sent twice or is lost`, (t) => underLoad(t, stage, way)),
      ),
      t.test('records wait in the spool while nobody gives tokens', (t) => withoutEndpoint(t, stage)),
      t.test('records wait in the spool while the client is refused', (t) => withRefusedClient(t, stage)),
      t.test('records wait in the spool while the broker refuses the tokens', (t) =>
        withRefusedTokens(t, stage),
      ),
      t.test('`sluice check` says whether there is a token, and whether the broker takes it', (t) =>
        checkTokens(t, stage),
      ),
      t.test('nothing waits while the old token is valid and no new one comes', (t) =>
        withOldToken(t, stage),
      ),
    ]),
  );
  await t.test('a token is asked for before the former one ends, and not for each login', (t) => {
    const { length } = tokens.requests;
    t.diagnostic(`${length} tokens`);
    // Each is replaced after half of its time. Records need some seconds more to be confirmed.
    const atMost = (performance.now() - startedMs) / (TOKEN_SECONDS * 500);
    assert.ok(length >= LOAD_MS / (TOKEN_SECONDS * 1000) && length <= atMost, `${length} tokens`);
  });
  await alterConfig(
    bootstrap,
    { type: 'clients', name: null },
    { set: { producer_byte_rate: String(QUOTA) } },
  );
  await t.test('under a quota no batch fails, is sent twice or is lost', PARALLEL, (t) =>
    all(ways.map((way) => t.test(`with ${way.name}`, (t) => underQuota(t, stage, way)))),
  );
});

const all = async (tests: readonly Promise<void>[]): Promise<void> => void (await Promise.all(tests));

async function proxyBefore(t: TestContext): Promise<{ proxy: TcpProxy; target: number }> {
  const target = await freePort();
  const proxy = await TcpProxy.reserve(`127.0.0.1:${target}`);
  t.after(() => proxy.close());
  await proxy.listen();
  return { proxy, target };
}

async function start(
  t: TestContext,
  { proxy, env }: Pick<Way, 'proxy' | 'env'>,
  topic: string,
): Promise<[Gateway, FleetDevice[]]> {
  const gateway = await gatewayFor(t, {
    KAFKA_BROKERS: proxy.address,
    KAFKA_CLIENT_ID: topic,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_NUM_PARTITIONS: String(PARTITIONS),
    KAFKA_BATCH_TIMEOUT: '5ms',
    // A codec that kafkajs can read back.
    KAFKA_COMPRESSION: 'none',
    ...env,
  });
  return [gateway, await connectFleet(t, gateway, { devices: 6, zipcodes: 6 })];
}

/**
 * The gateway sends nothing in the last twentieth of a session, which is 3 minutes of an hour but 100 ms here. If a busy
 * machine keeps the broker waiting for longer, a request comes too late, the broker closes the connection, and the batches are
 * sent again under their sequence numbers. So the load is repeated if there was a retry: a gateway that replaced its
 * connections too late would have one in each round, because each has two ends of sessions or more.
 */
async function underLoad(t: TestContext, stage: Stage, way: Way): Promise<void> {
  for (let left = LOAD_ROUNDS - 1; left > 0; left--) {
    const retries = await roundUnderLoad(t, stage, way);
    if (retries === 0) return;
    t.diagnostic(`${retries} retries`);
  }
  assert.equal(await roundUnderLoad(t, stage, way), 0);
}

/** Resolves with the number of requests that were sent again. All else that would disturb is an error. */
async function roundUnderLoad(t: TestContext, { bootstrap }: Stage, way: Way): Promise<number> {
  const topic = uniqueTopic('login');
  const [gateway, fleet] = await start(t, way, topic);
  await isReady(gateway);
  await sendFor(LOAD_MS, fleet);
  await allStored(fleet);
  await allConfirmed(gateway, fleet);
  const { retries } = gateway.snapshot().kafka;
  assertUndisturbed(gateway, retries);
  const connections = way.proxy.connectionsOf(topic);
  t.diagnostic(`${connections} connections, ${ledgerSize(fleet)} records`);
  if (way.expires) assert.ok(connections >= LOAD_MS / SESSION_MS, `${connections} connections`);
  await assertDelivered(bootstrap, topic, { fleet, partitions: PARTITIONS });
  for (const secret of [USER.password, ...Object.values(way.env).filter((text) => text.length > 20)])
    assert.ok(!JSON.stringify(gateway.log).includes(secret), 'no log line holds a secret');
  return retries;
}

/**
 * Requests that wait behind others in a muted connection may outlive a session as short as here. The broker then closes the
 * connection, and the batches are sent again under their sequence numbers.
 */
async function underQuota(t: TestContext, { bootstrap }: Stage, way: Way): Promise<void> {
  const topic = uniqueTopic('login-quota');
  const [gateway, fleet] = await start(t, way, topic);
  await isReady(gateway);
  await sendFor(LOAD_MS / 2, fleet);
  await allStored(fleet);
  await allConfirmed(gateway, fleet);
  const { throttledSeconds, retries } = gateway.snapshot().kafka;
  const connections = way.proxy.connectionsOf(topic);
  t.diagnostic(
    `${connections} connections, ${ledgerSize(fleet)} records, throttled ${throttledSeconds} s, ${retries} retries`,
  );
  assertUndisturbed(gateway, retries);
  assert.ok(throttledSeconds > 0.5, `throttled for ${throttledSeconds} s`);
  await assertDelivered(bootstrap, topic, { fleet, partitions: PARTITIONS });
}

/** As many rounds as are due, however seldom a busy machine runs this: with fewer a quota would not be reached. */
async function sendFor(ms: number, fleet: readonly FleetDevice[]): Promise<void> {
  const from = performance.now();
  for (let rounds = 0; performance.now() - from < ms; await sleep(ROUND_MS))
    for (; rounds * ROUND_MS <= performance.now() - from; rounds++) for (const device of fleet) device.send();
}

function assertUndisturbed(gateway: Gateway, retries = 0): void {
  const { kafka, records } = gateway.snapshot();
  assert.equal(kafka.retries, retries);
  assert.equal(records.spooled, 0);
  assert.deepEqual(logged(gateway, 'outage'), []);
}

/** A gateway with an endpoint of its own, so that other tests do not disturb it. */
async function withOwnTokens(t: TestContext, stage: Stage, spoil: (tokens: TokenServer) => void) {
  const tokens = await TokenServer.start(t);
  spoil(tokens);
  const topic = uniqueTopic('tokens');
  const [gateway, fleet] = await start(t, { proxy: stage.login, env: tokens.env }, topic);
  return { tokens, topic, gateway, fleet };
}

type Case = Awaited<ReturnType<typeof withOwnTokens>>;

/** Two readings of each device must be on disk, with this reason. */
async function waitOnDisk({ gateway, fleet }: Case, reason: RegExp): Promise<void> {
  await waitFor(`health says ${reason}`, () => reason.test(troublesOf(gateway.snapshot())));
  for (const device of fleet) device.send(2);
  await allStored(fleet);
  assert.equal(gateway.snapshot().records.confirmed, 0);
  await waitFor('the log says why', () =>
    gateway.log.some(({ level, msg }) => level >= 40 && reason.test(msg)),
  );
}

async function allArrives({ gateway, fleet, topic, tokens }: Case, { bootstrap }: Stage): Promise<void> {
  await allConfirmed(gateway, fleet);
  await isReady(gateway);
  await assertDelivered(bootstrap, topic, { fleet, partitions: PARTITIONS });
  const log = JSON.stringify(gateway.log);
  for (const secret of [tokens.client.secret, ...tokens.tokens])
    assert.ok(!log.includes(secret), 'no log line holds a secret');
}

async function withoutEndpoint(t: TestContext, stage: Stage): Promise<void> {
  const one = await withOwnTokens(t, stage, (tokens) => tokens.close());
  await waitOnDisk(one, /no token for the login to Kafka: KAFKA_OAUTH_TOKEN_URL=http.*ECONNREFUSED/);
  assert.match(troublesOf(one.gateway.snapshot()), /^kafka failed \(no_token\)/m);
  assert.equal(stage.login.connectionsOf(one.topic), 0, 'no broker is asked without a token');
  await one.tokens.listen();
  await allArrives(one, stage);
}

async function withRefusedClient(t: TestContext, stage: Stage): Promise<void> {
  const fromMs = performance.now();
  const one = await withOwnTokens(t, stage, (tokens) => {
    const body = JSON.stringify({ error: 'invalid_client', error_description: tokens.client.secret });
    tokens.failure = { status: 401, body };
  });
  await waitOnDisk(one, /refuses the client \(401 invalid_client: \(hidden\)\): check KAFKA_OAUTH_CLIENT_ID/);
  await sleep(3000);
  const seconds = (performance.now() - fromMs) / 1000;
  const { length } = one.tokens.requests;
  t.diagnostic(`${length} requests in ${seconds.toFixed(1)} s`);
  // The first attempt is two requests, one for each place of the secret.
  assert.ok(length < seconds + 2, `${length} requests in ${seconds} s`);
  one.tokens.failure = undefined;
  await allArrives(one, stage);
}

async function withRefusedTokens(t: TestContext, stage: Stage): Promise<void> {
  const one = await withOwnTokens(t, stage, (tokens) => {
    tokens.audience = 'somebody-else';
  });
  await waitOnDisk(one, /refuses the token of KAFKA_OAUTH_TOKEN_URL.*invalid_token/);
  assert.match(troublesOf(one.gateway.snapshot()), /^kafka failed \(login_refused\)/m);
  one.tokens.audience = 'kafka';
  await allArrives(one, stage);
}

async function checkTokens(t: TestContext, { login }: Stage): Promise<void> {
  const tokens = await TokenServer.start(t);
  const topic = uniqueTopic('checked');
  const topics = { KAFKA_TOPIC_METRICS: topic, KAFKA_TOPIC_ALARMS: '', KAFKA_TOPIC_DEAD_LETTERS: '' };
  const env = { KAFKA_BROKERS: login.address, ...topics, ...tokens.env };
  const found = await check(t, env);
  found.expect('ok', 'login_accepted', /login as sluice \(oauthbearer\) is accepted/);
  tokens.audience = 'somebody-else';
  (await check(t, env)).expect('error', 'login_refused', /refuses the token of KAFKA_OAUTH_TOKEN_URL/);
  tokens.close();
  const missing = await check(t, env);
  missing.expect('error', 'no_token', /KAFKA_OAUTH_TOKEN_URL=http.*ECONNREFUSED/);
  missing.expect('ok', 'broker_answers', new RegExp(login.address));
}

async function withOldToken(t: TestContext, stage: Stage): Promise<void> {
  const one = await withOwnTokens(t, stage, (tokens) => {
    tokens.lifetimeSeconds = 14;
  });
  const { gateway, fleet, tokens } = one;
  await isReady(gateway);
  tokens.failure = { status: 503 };
  await waitFor('the log says so', () => {
    for (const device of fleet) device.send();
    return logged(gateway, 'could not be renewed').length > 0;
  });
  tokens.failure = undefined;
  await waitFor('there is a new token', () => {
    for (const device of fleet) device.send();
    return tokens.tokens.length > 1;
  });
  await sendFor(SESSION_MS, fleet);
  // A retry would be no wait on disk: see underLoad().
  assertUndisturbed(gateway, gateway.snapshot().kafka.retries);
  await allArrives(one, stage);
}
