// The load's reader when its broker is killed: it reads on once the broker is back, and without one loss is unknown.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { clusterTest, type KafkaBroker, SHORT_SESSION, startCluster } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { type Place, place } from './place.ts';
import { measuredLoad } from './sluice-load.ts';

const LOAD = '-c 5 --rate 500 --duration 3s --settle 3s';
/** The reader's kafkajs client gives up after about a second (RETRY in topic-reader.ts). */
const DOWN_MS = [200, 3_000];

/** Starts the load and kills the broker during it. */
async function loadWithoutBroker({ gateway, args }: Place, broker: KafkaBroker, options = LOAD) {
  const before = gateway.snapshot().records.accepted;
  const running = measuredLoad(args, options);
  await waitFor('some messages', () => gateway.snapshot().records.accepted > before + 300, 30_000);
  await broker.stop('SIGKILL');
  return { running };
}

clusterTest('the load, after its broker was killed', async (t) => {
  const cluster = await startCluster({ properties: SHORT_SESSION });
  t.after(() => cluster.stop());
  const [broker] = cluster.brokers as [KafkaBroker];
  const there = await place(t, cluster.bootstrap);
  for (const downMs of DOWN_MS) {
    await t.test(`finds everything once the broker is back after ${downMs} ms`, async () => {
      const { running } = await loadWithoutBroker(there, broker);
      await sleep(downMs);
      await broker.start();
      const { code, out, err, result } = await running;
      assert.equal(code, 0, err + out);
      assert.equal(result.readBack?.delivered, result.counts.messages);
    });
  }

  await t.test('calls loss unknown if the broker stays away, with exit code 2', async () => {
    const { running } = await loadWithoutBroker(there, broker, `${LOAD} --reconnect 2s`);
    const { code, out, result } = await running;
    assert.equal(code, 2, out);
    assert.match(out, /LOSS UNKNOWN: Kafka could not be read: ./);
    assert.ok(result.readBack?.unread);
  });
});
