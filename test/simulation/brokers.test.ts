// The simulated brokers are held to a real Kafka: the same scripts, byte for byte, run against both, and each has to
// answer with the same facts.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { withAdmin } from '../../scripts/kafka/client.ts';
import type { Brokers } from '../../simulation/brokers/brokers.ts';
import { kafkaTest, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { CLIENT_CASES, clientOf } from './brokers/client-cases.ts';
import { bootstrapOf, brokersOnTcp } from './brokers/on-tcp.ts';
import { OTHER_CASES } from './brokers/other-cases.ts';
import { type Case, PRODUCE_CASES } from './brokers/produce-cases.ts';
import { RawClient } from './brokers/raw-client.ts';
import { Script, type Target } from './brokers/script.ts';

const CASES = [...PRODUCE_CASES, ...OTHER_CASES];
const AT_ONCE = 6;

async function realTarget(bootstrap: string): Promise<Target> {
  const [first = ''] = bootstrap.split(',');
  const port = Number(first.slice(first.lastIndexOf(':') + 1));
  const cluster = await withAdmin(bootstrap, (admin) => admin.describeCluster());
  const nodeId = cluster.brokers.find((broker) => broker.port === port)?.nodeId ?? -1;
  return {
    port,
    nodeId,
    deleteTopic: (name) => withAdmin(bootstrap, (admin) => admin.deleteTopics({ topics: [name] })),
    addPartitions: async (topic, count) => {
      await withAdmin(bootstrap, (admin) => admin.createPartitions({ topicPartitions: [{ topic, count }] }));
    },
  };
}

function simulatedTarget(brokers: Brokers): Target {
  return {
    port: brokers.node(1).address.port,
    nodeId: 1,
    deleteTopic: async (name) => {
      brokers.deleteTopic(name);
      await waitFor('the broker hears of it', () => !brokers.node(1).image.topics.has(name));
    },
    addPartitions: async (name, count) => brokers.addPartitions(name, count),
  };
}

/** Subtests of a test run one after the other, so the scripts run before, several at once, and each tells its end. */
async function play(t: TestContext, target: Target): Promise<void> {
  const waiting = [...CASES];
  const ends = new Map<Case, Promise<void>>();
  const works = async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const end = playOne(one, target);
      ends.set(one, end);
      await end.catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, works));
  for (const one of CASES) await t.test(one.says, () => ends.get(one));
}

async function playOne({ run, facts }: Case, target: Target): Promise<void> {
  const script = new Script(target, await RawClient.connect(target.port));
  try {
    await script.create();
    assert.deepEqual(await run(script), facts);
  } finally {
    script.client.close();
  }
}

async function playClient(t: TestContext, bootstrap: string): Promise<void> {
  for (const { says, run, facts } of CLIENT_CASES) {
    await t.test(`the gateway's client ${says}`, async () => {
      const client = clientOf(bootstrap);
      try {
        assert.deepEqual(await run(client, uniqueTopic('script')), facts);
      } finally {
        client.close();
      }
    });
  }
}

kafkaTest('a real broker', async ({ bootstrap }, t) => {
  await play(t, await realTarget(bootstrap));
  await playClient(t, bootstrap);
});

test('the simulated broker', async (t) => {
  const brokers = await brokersOnTcp(t);
  await play(t, simulatedTarget(brokers));
  await playClient(t, bootstrapOf(brokers));
});

test('the simulated broker takes the logins of the gateway, and refuses others', async (t) => {
  const brokers = await brokersOnTcp(t);
  brokers.createTopic({ name: 'readings', partitions: 1 });
  brokers.logins({ isRequired: true, users: new Map([['sluice', 'right']]), lifetimeMs: 60_000 });
  const seen: unknown[] = [];
  for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
    for (const password of ['right', 'wrong']) {
      const client = clientOf(bootstrapOf(brokers), { mechanism, username: 'sluice', password });
      const answer = client.topicMetadata('readings').then(({ errorCode }) => errorCode);
      seen.push(await answer.catch((error: { code?: string }) => error.code));
      client.close();
    }
  }
  assert.deepEqual(seen, Array.from({ length: 3 }, () => [0, 'AUTHENTICATION']).flat());
  assert.equal(brokers.counts.refusedLoginsAtMs.length, 3);
});

test('the scripts are many', () => {
  assert.ok(CASES.length >= 40, `${CASES.length} cases`);
  assert.equal(new Set(CASES.map(({ says }) => says)).size, CASES.length);
});
