// The log of a night: Kafka is killed under load, the small spool fills, devices are paused, Kafka comes back, the gateway
// is stopped. Each thing is told once for all processes and partitions, and nothing is told after all is well.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { temporaryDirectory } from '../support/directory.ts';
import { GatewayProcess, type LogLine } from '../support/gateway-process.ts';
import { SHORT_SESSION, startCluster, clusterTest as test, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { allStored, connectFleet, type FleetDevice, ledgerSize } from './fleet.ts';

const LONG_MS = 60_000;
/** About 20 KiB in one write. */
const MESSAGES = 100;

/** Writes whenever the socket takes bytes. */
function writing(t: TestContext, fleet: readonly FleetDevice[]): () => void {
  const timer = setInterval(() => {
    for (const device of fleet) if (device.socket.writableLength === 0) device.send(MESSAGES);
  }, 20);
  t.after(() => clearInterval(timer));
  return () => clearInterval(timer);
}

test('the log of a night tells each thing once, from the outage to the balance of the stop', async (t) => {
  const directory = temporaryDirectory(t);
  const topic = uniqueTopic('night');
  const [cluster, gateway] = await Promise.all([
    startCluster({ properties: SHORT_SESSION }),
    GatewayProcess.reserve(directory, {
      TCP_PROCESSES: '2',
      KAFKA_TOPIC_METRICS: topic,
      KAFKA_TOPIC_DEAD_LETTERS: '',
      KAFKA_COMPRESSION: 'none',
      KAFKA_BUFFER_BYTES: '4MiB',
      SPOOL_MAX_BYTES: '4MiB',
    }),
  ]);
  t.after(() => cluster.stop());
  t.after(() => gateway.close());
  const [broker] = cluster.brokers;
  assert.ok(broker);
  await gateway.start({ KAFKA_BROKERS: cluster.bootstrap });
  const fleet = await connectFleet(t, gateway, { devices: 12, zipcodes: 12 });
  const said = (event: string) => gateway.log.filter((line) => line.event === event);
  const says = (event: string) =>
    waitFor(`the log says ${event}`, () => said(event)[0], LONG_MS).catch((error: Error) => {
      throw new Error(`${error.message}\n${gateway.logTail()}`);
    });
  await says('kafka_usable');
  const start = gateway.log.length;
  const sinceStart = (level: (line: LogLine) => boolean) =>
    gateway.log
      .slice(start)
      .filter(level)
      .map(({ event }) => event);

  const stopWriting = writing(t, fleet);
  await broker.stop('SIGKILL');
  const began = await says('kafka_outage_began');
  assert.match(
    began.msg,
    /^Kafka cannot be used: .*ECONNREFUSED.*go to the spool on disk.*nothing is dropped/,
  );
  const paused = await says('devices_paused');
  assert.match(
    paused.msg,
    /^Devices are paused \(\d+ of 12\), because .*Nothing is dropped, devices wait\. To do: /,
  );
  assert.ok(Number(paused.pausedConnections) > 0);
  const full = await says('component_failed');
  assert.deepEqual([full.component, full.finding], ['spool', 'full']);
  stopWriting();

  await broker.start();
  const over = await says('kafka_outage_over');
  assert.ok(Number(over.waited) > 1000 && Number(over.durationMs) > 1000, JSON.stringify(over));
  await says('devices_resumed');
  await says('component_recovered');
  await allStored(fleet, LONG_MS);
  await waitFor('all is in Kafka', () => gateway.stats.records.confirmed === ledgerSize(fleet), LONG_MS);

  gateway.signal('SIGINT');
  assert.equal(await gateway.exited(), 0, gateway.logTail());
  const last = gateway.log.at(-1);
  const all = ledgerSize(fleet).toLocaleString('en-US');
  assert.equal(
    last?.msg,
    `stopped: ${all} readings accepted, ${all} confirmed by Kafka, 0 in the spool. Nothing waits`,
  );
  // Not one for each partition and process.
  const loud = sinceStart(({ level }) => ['warn', 'error', 'fatal'].includes(String(level)));
  assert.deepEqual(
    loud.filter((event) => event !== 'component_degraded').toSorted(),
    ['component_failed', 'devices_paused', 'kafka_outage_began'],
    gateway.logTail(),
  );
  assert.ok(sinceStart(() => true).length <= 12, gateway.logTail());
});
