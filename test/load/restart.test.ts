// The load's reader when its broker is killed: it reads on once the broker is back, and without one loss is unknown.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { clusterTest, type KafkaBroker, startCluster, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { measuredLoad } from './sluice-load.ts';

const LOAD = '-c 5 --rate 500 --duration 3s --settle 3s';
/** The reader's kafkajs client gives up after about a second (RETRY in topic-reader.ts). */
const DOWN_MS = [200, 3_000];

interface Place {
  readonly gateway: Gateway;
  readonly broker: KafkaBroker;
  /** Options for this gateway and topic. */
  readonly args: readonly string[];
}

async function place(t: TestContext): Promise<Place> {
  const cluster = await startCluster();
  t.after(() => cluster.stop());
  const { bootstrap, brokers } = cluster;
  const topic = uniqueTopic('load');
  const settings = { KAFKA_BROKERS: bootstrap, KAFKA_TOPIC_METRICS: topic, KAFKA_TOPIC_DEAD_LETTERS: '' };
  const gateway = await startGateway(settings);
  t.after(() => gateway.stop());
  await waitFor('the topic', () => gateway.log.some(({ msg }) => msg.includes('Kafka is reachable')));
  const args = ['--target', `127.0.0.1:${gateway.port}`, '--brokers', bootstrap, '--topic', topic];
  return { gateway, broker: brokers[0] as KafkaBroker, args };
}

/** Starts the load and kills the broker during it. */
async function loadWithoutBroker({ gateway, broker, args }: Place, options = LOAD) {
  const before = gateway.snapshot().records.accepted;
  const running = measuredLoad(args, options);
  await waitFor('some messages', () => gateway.snapshot().records.accepted > before + 300, 30_000);
  await broker.stop('SIGKILL');
  return { running };
}

clusterTest('the load, after its broker was killed', async (t) => {
  const there = await place(t);
  for (const downMs of DOWN_MS) {
    await t.test(`finds everything once the broker is back after ${downMs} ms`, async () => {
      const { running } = await loadWithoutBroker(there);
      await sleep(downMs);
      await there.broker.start();
      const { code, out, err, result } = await running;
      assert.equal(code, 0, err + out);
      assert.equal(result.readBack?.delivered, result.counts.messages);
    });
  }

  await t.test('calls loss unknown if the broker stays away, with exit code 2', async () => {
    const { running } = await loadWithoutBroker(there, `${LOAD} --reconnect 2s`);
    const { code, out, result } = await running;
    assert.equal(code, 2, out);
    assert.match(out, /LOSS UNKNOWN: Kafka could not be read: .*ECONNREFUSED/);
    assert.match(result.readBack?.unread ?? '', /ECONNREFUSED/);
  });
});
