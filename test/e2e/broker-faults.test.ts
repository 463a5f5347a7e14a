// Kafka starts late, and a broker is killed or stopped under load: nothing is lost, duplicated or out of order.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../scripts/kafka/ports.ts';
import { type Gateway, gatewayFor } from '../support/gateway.ts';
import { stateOf } from '../support/health.ts';
import {
  type KafkaCluster,
  SHORT_SESSION,
  startCluster,
  clusterTest as test,
  uniqueTopic,
} from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { allStored, assertLedger, connectFleet, type FleetDevice, ledgerSize } from './fleet.ts';
import { assertSequences, dumpTopics, readByJava } from './judge.ts';
import { allConfirmed, isReady, logged, readyz } from './stage.ts';

const DOWN_AND_UP_MS = 60_000;
const ROUND_MS = 40;

test('Kafka starts late, is killed and restarted, and each reading arrives once and in order', async (t) => {
  const port = await freePort();
  const topic = uniqueTopic('faults');
  const gateway = await gatewayFor(t, {
    KAFKA_BROKERS: `127.0.0.1:${port}`,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_NUM_PARTITIONS: '6',
    HTTP_PORT: '0',
    SHUTDOWN_TIMEOUT: '10s',
  });
  const fleet = await connectFleet(t, gateway, { devices: 20, zipcodes: 9 });

  await t.test(
    'without Kafka devices are served, records wait, and the gateway is ready all the same and says why they wait',
    async () => {
      for (const device of fleet) device.sendShaped([1, 5, 1]);
      await waitFor('the records wait', () => gateway.snapshot().records.accepted === ledgerSize(fleet));
      const { records, kafka } = gateway.snapshot();
      assert.equal(records.confirmed, 0);
      assert.equal(kafka.connected, false);
      const answer = await waitFor('/readyz says why', async () => {
        const response = await readyz(gateway);
        return /ECONNREFUSED.*growing/s.test(response.text) && response;
      });
      assert.equal(answer.status, 200);
      assert.match(answer.text, /kafka +failed \(unreachable\): .*127\.0\.0\.1/);
      assert.match(answer.text, /spool +degraded \(growing\)/);
      const warning = await waitFor('the log says so', () => logged(gateway, 'Kafka cannot be used')[0]);
      assert.match(
        warning?.msg ?? '',
        /go to the spool on disk \(.*\), which has room for .*; nothing is dropped.*npm run kafka/,
      );
      // The disk makes readings durable, so devices hear `stored` before Kafka was ever seen.
      await allStored(fleet);
      assert.equal(gateway.snapshot().records.spooled, ledgerSize(fleet));
    },
  );

  const cluster = await startCluster({ ports: [port], properties: SHORT_SESSION });
  t.after(() => cluster.stop());
  await t.test('once Kafka has started, all waiting readings arrive', async () => {
    await allConfirmed(gateway, fleet, DOWN_AND_UP_MS);
    await isReady(gateway);
  });

  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    await t.test(
      `a broker that gets ${signal} under load and is started again gets everything that was sent meanwhile`,
      (t) => restartUnderLoad(t, { gateway, cluster, fleet, signal }),
    );
  }

  const records = await readByJava(cluster.bootstrap, topic, ledgerSize(fleet));
  assertLedger(fleet, records, { partitions: 6 });
  for (const batches of (await dumpTopics(t, cluster.bootstrap, [topic])) ?? []) assertSequences(batches);
});

async function restartUnderLoad(
  t: TestContext,
  parts: { gateway: Gateway; cluster: KafkaCluster; fleet: FleetDevice[]; signal: 'SIGKILL' | 'SIGTERM' },
): Promise<void> {
  const { gateway, cluster, fleet, signal } = parts;
  const [broker] = cluster.brokers;
  assert.ok(broker);
  const before = gateway.snapshot();
  const load = startLoad(fleet);
  const confirmed = () => gateway.snapshot().records.confirmed;
  await waitFor('records flow', () => confirmed() > before.records.confirmed + 500);

  await broker.stop(signal);
  await waitFor('the fault bites', () => gateway.snapshot().kafka.retries > before.kafka.retries);
  await waitFor('Kafka takes nothing', () => stateOf(gateway.snapshot(), 'kafka') === 'failed unreachable');
  assert.equal(gateway.snapshot().readiness.ready, true);
  const whileDown = confirmed();
  await waitFor('records are taken meanwhile', () => gateway.snapshot().records.accepted > whileDown + 500);
  await broker.start();
  await waitFor('records flow again', () => confirmed() > whileDown + 500, DOWN_AND_UP_MS);
  await load.stop();
  await allStored(fleet);
  await allConfirmed(gateway, fleet, DOWN_AND_UP_MS);
  await isReady(gateway);
  const { records, kafka } = gateway.snapshot();
  assert.equal(records.accepted, ledgerSize(fleet));
  assert.equal(records.confirmed, ledgerSize(fleet));
  assert.equal(kafka.bufferBytes, 0);
  t.diagnostic(
    `${signal}: ${records.confirmed - before.records.confirmed} records, ${kafka.retries - before.kafka.retries} retries`,
  );
}

/** Every device repeatedly sends a few messages, until it is stopped. */
function startLoad(fleet: readonly FleetDevice[]): { stop(): Promise<void> } {
  const abort = new AbortController();
  const running = (async () => {
    while (!abort.signal.aborted) {
      for (const device of fleet) device.sendShaped([1, 2]);
      await sleep(ROUND_MS);
    }
  })();
  return {
    stop: () => {
      abort.abort();
      return running;
    },
  };
}
