// Simulated clusters are held to real ones where it takes several brokers, logins that end, or a quota.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { withAdmin } from '../../scripts/kafka/client.ts';
import { freePort } from '../../scripts/kafka/ports.ts';
import {
  alterConfig,
  clusterTest,
  createTopic,
  SHORT_SESSION,
  startCluster,
  uniqueTopic,
} from '../support/kafka.ts';
import {
  LOGIN_FACTS,
  LOGIN_LASTS_MS,
  playLogins,
  playQuota,
  QUOTA,
  QUOTA_FACTS,
  THROTTLED_CLIENT,
  USER,
} from './brokers/client-script.ts';
import { CLUSTER_FACTS, playCluster } from './brokers/cluster-script.ts';
import { brokersOnTcp } from './brokers/on-tcp.ts';

const COUNT = 3;
/** Longer than the script freezes a broker. */
const SESSION_MS = 2500;

/** At once: most of each is waiting. */
describe('clusters', { concurrency: true }, () => {
  clusterTest('three real brokers', realBrokers);
  test('simulated brokers log in', logIn);
  test('simulated brokers have a quota', haveQuota);
  test('three simulated brokers are frozen, killed and come back', comeBack);
});

async function realBrokers(t: TestContext): Promise<void> {
  const saslPort = await freePort();
  const plainUsers = { [USER.name]: USER.password };
  const cluster = await startCluster({
    brokers: COUNT,
    sasl: [{ port: saslPort, advertised: `127.0.0.1:${saslPort}`, plainUsers }],
    properties: { ...SHORT_SESSION, 'connections.max.reauth.ms': String(LOGIN_LASTS_MS) },
  });
  t.after(() => cluster.stop());
  const { bootstrap, brokers } = cluster;
  const broker = (id: number) => {
    const found = brokers.find((one) => one.id === id);
    if (found === undefined) throw new Error(`no broker ${id}`);
    return found;
  };
  const ports = new Map(brokers.map(({ id, address }) => [id, Number(address.split(':')[1])]));

  await Promise.all([
    t.test('log in', async () => assert.deepEqual(await playLogins(saslPort), LOGIN_FACTS)),
    t.test('have a quota', async (t) => {
      const topic = uniqueTopic('quota');
      const client = { type: 'clients', name: THROTTLED_CLIENT } as const;
      await createTopic(bootstrap, topic, { partitions: 1, replicationFactor: 1 });
      await alterConfig(bootstrap, client, { set: { producer_byte_rate: String(QUOTA) } });
      const leader = await leaderOf(bootstrap, topic);
      const place = { port: ports.get(leader) ?? 0, topic };
      const facts = await playQuota(place, (ms) => t.diagnostic(`throttled for ${ms} ms`));
      assert.deepEqual(facts, QUOTA_FACTS);
    }),
  ]);
  await t.test('are frozen, killed and come back', async () => {
    const target = {
      ports,
      freeze: (id: number) => broker(id).pause(),
      thaw: (id: number) => broker(id).resume(),
      kill: (id: number) => broker(id).stop('SIGKILL'),
      start: (id: number) => broker(id).start(),
    };
    assert.deepEqual(await playCluster(target), CLUSTER_FACTS);
  });
}

/** Node id of the topic's first leader. */
async function leaderOf(bootstrap: string, topic: string): Promise<number> {
  const { topics } = await withAdmin(bootstrap, (admin) => admin.fetchTopicMetadata({ topics: [topic] }));
  return topics[0]?.partitions[0]?.leader ?? -1;
}

async function logIn(t: TestContext): Promise<void> {
  const brokers = await brokersOnTcp(t);
  const users = new Map([[USER.name, USER.password]]);
  brokers.logins({ isRequired: true, users, lifetimeMs: LOGIN_LASTS_MS });
  assert.deepEqual(await playLogins(brokers.node(1).address.port), LOGIN_FACTS);
}

async function haveQuota(t: TestContext): Promise<void> {
  const brokers = await brokersOnTcp(t);
  brokers.createTopic({ name: 'quota', partitions: 1 });
  brokers.quota(QUOTA);
  const place = { port: brokers.node(1).address.port, topic: 'quota' };
  assert.deepEqual(await playQuota(place, (ms) => t.diagnostic(`throttled for ${ms} ms`)), QUOTA_FACTS);
}

async function comeBack(t: TestContext): Promise<void> {
  const brokers = await brokersOnTcp(t, { count: COUNT, sessionMs: SESSION_MS });
  const target = {
    ports: new Map(brokers.nodeIds.map((id) => [id, brokers.node(id).address.port])),
    freeze: async (id: number) => brokers.freeze(id),
    thaw: async (id: number) => brokers.thaw(id),
    kill: async (id: number) => brokers.kill(id),
    start: (id: number) => brokers.start(id),
  };
  assert.deepEqual(await playCluster(target), CLUSTER_FACTS);
}
