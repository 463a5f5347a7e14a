// The health of the components as an operator sees it, with a real Kafka: each is broken and put right, and /health says
// so both times, for two server processes together.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { BrokerProxy } from '../../scripts/kafka/broker-proxy.ts';
import { alterConfig } from '../../scripts/kafka/java-tools.ts';
import type { Snapshot } from '../../src/admin/snapshot.ts';
import { FakeClock } from '../chaos/faketime.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type GatewayProcess, runGateway } from '../support/gateway-process.ts';
import { componentOf, stateOf } from '../support/health.ts';
import { createTopic, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { connectFleet, type FleetDevice } from './fleet.ts';
import { test } from './stage.ts';

const DEADLINE_MS = 30_000;
/** Far more than the quota, a second. */
const PAD = 'x'.repeat(1_000);

test('a wrong clock, a quota, an outage and a full spool are told on /health, and so is their end', async (t, bootstrap) => {
  const topic = uniqueTopic('health');
  await createTopic(bootstrap, topic, {
    partitions: 4,
    config: { 'message.timestamp.type': 'LogAppendTime' },
  });
  const proxies = await BrokerProxy.before([bootstrap]);
  t.after(() => proxies.forEach((proxy) => void proxy.close()));
  const directory = temporaryDirectory(t);
  const clock = clockOf(directory);
  const client = { type: 'clients', name: topic } as const;
  const gateway = await runGateway(t, directory, {
    ...clock?.env,
    TCP_PROCESSES: '2',
    KAFKA_BROKERS: proxies.map(({ address }) => address).join(),
    KAFKA_CLIENT_ID: client.name,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_TOPIC_DEAD_LETTERS: '',
    KAFKA_COMPRESSION: 'none',
    KAFKA_BUFFER_BYTES: '5MiB',
    SPOOL_MAX_BYTES: '2MiB',
    SPOOL_SEGMENT_BYTES: '256KiB',
    SPOOL_DIR: join(directory, 'spool'),
  });
  const fleet = await connectFleet(t, gateway, { devices: 8, zipcodes: 8 });
  const load = keepSending(t, fleet);
  const states = (wanted: Readonly<Record<string, string>>) =>
    waitFor(
      JSON.stringify(wanted),
      () => Object.entries(wanted).every(([id, state]) => stateOf(gateway.stats, id) === state),
      DEADLINE_MS,
    );
  const all = { kafka: 'ok ok', [`topic ${topic}`]: 'ok ok', spool: 'ok ok', buffer: 'ok ok' };

  await states(all);
  if (clock !== undefined) {
    await states({ clock: 'degraded differs' });
    assert.match(componentOf(gateway.stats, 'clock')?.reason ?? '', /it is (59|60)\.\d s ahead of/);
    clock.putRight();
  }
  await states({ clock: 'ok ok' });

  await alterConfig(bootstrap, client, { set: { producer_byte_rate: '2000' } });
  await states({ kafka: 'degraded throttled' });
  assert.equal(await statusOf(gateway, '/readyz'), 200);
  // Its end is seen below: that takes 10 s without a wait.
  await alterConfig(bootstrap, client, { remove: ['producer_byte_rate'] });

  for (const proxy of proxies) proxy.refuse();
  await states({
    kafka: 'failed unreachable',
    [`topic ${topic}`]: 'unknown unknown',
    spool: 'degraded growing',
  });
  assert.match(componentOf(gateway.stats, 'spool')?.reason ?? '', /records wait for Kafka/);
  // An outage is no reason to send devices elsewhere: the spool has room.
  assert.deepEqual([await statusOf(gateway, '/readyz'), await statusOf(gateway, '/health')], [200, 200]);
  load.pad = PAD;
  const told = new Set<string | undefined>();
  await waitFor('the spool is full', () => told.add(stateOf(gateway.stats, 'spool')).has('failed full'));
  assert.ok(!told.has('degraded unreadable'), 'a disk that takes no records passes for one that gives none');
  await states({ spool: 'failed full', buffer: 'failed full' });
  assert.deepEqual([await statusOf(gateway, '/readyz'), await statusOf(gateway, '/health')], [503, 503]);
  const words = await gateway.ask('/readyz?verbose');
  assert.match(words, /^not ready, .*\n- the spool takes no records .*SPOOL_MAX_BYTES is reached/);
  assert.match(words, /\nbuffer +failed \(full\): unconfirmed records fill KAFKA_BUFFER_BYTES/);
  const { bufferBytes, bufferCapacityBytes, buffersFull } = gateway.stats.kafka;
  // One of the two processes may still have room.
  const most = (bufferCapacityBytes * buffersFull) / 2;
  assert.ok(
    bufferBytes > 0.9 * most,
    `${bufferBytes} of ${bufferCapacityBytes} are used, ${buffersFull} full`,
  );

  load.stop();
  for (const proxy of proxies) await proxy.accept();
  // Until the state ends, the words fit the figures.
  const isEmpty = ({ kafka, spool }: Snapshot) =>
    kafka.bufferBytes < 0.2 * bufferCapacityBytes && spool.bytes === 0;
  await waitFor('memory and disk are empty', () => isEmpty(gateway.stats), DEADLINE_MS);
  for (const id of ['spool', 'buffer'] as const) {
    const { finding, reason } = componentOf(gateway.stats, id) ?? {};
    assert.ok(finding !== 'full' || /until a moment ago/.test(reason ?? ''), reason);
  }
  await states(all);
  assert.equal(await statusOf(gateway, '/health'), 200);
});

/** Undefined where faketime is not installed. */
function clockOf(directory: string): FakeClock | undefined {
  try {
    return new FakeClock(directory, '+60s');
  } catch {
    return undefined;
  }
}

/** Each device sends a message, ten times a second. */
function keepSending(t: TestContext, fleet: readonly FleetDevice[]): { pad: string; stop(): void } {
  const load = { pad: '', stop: () => clearInterval(timer) };
  let seq = 0;
  const timer = setInterval(() => {
    seq++;
    const message = { type: 'metrics', seq, data: { seq, pad: load.pad } };
    for (const { socket } of fleet) {
      // As much as the gateway reads, once it is to fill up.
      const times = load.pad === '' ? 1 : 100;
      for (let n = 0; n < times; n++) socket.write(`${JSON.stringify({ ...message, seq: seq * 100 + n })}\n`);
    }
  }, 100);
  t.after(load.stop);
  return load;
}

async function statusOf({ httpPort }: GatewayProcess, path: string): Promise<number> {
  return (await fetch(`http://127.0.0.1:${httpPort}${path}`)).status;
}
