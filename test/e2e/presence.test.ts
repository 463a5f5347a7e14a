// Presence with a real Kafka: each state of a connection under its key, the last one of each device true through
// takeovers, an outage, a stop and the crash of a server process; and a storm of connections.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { withAdmin } from '../../scripts/kafka/client.ts';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Env, type GatewayProcess, runGateway } from '../support/gateway-process.ts';
import { componentOf } from '../support/health.ts';
import { readTopic, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, kafkaGateway, test } from './stage.ts';
import { TcpProxy } from './tcp-proxy.ts';

interface Told {
  readonly key: string;
  /** Undefined for a tombstone. */
  readonly state: Readonly<Record<string, unknown>> | undefined;
}

async function toldIn(bootstrap: string, topic: string, count: number): Promise<Told[]> {
  const records = await readTopic(bootstrap, topic, count);
  return records.map(({ key, value }) => ({
    key: `${key}`,
    state: value === null ? undefined : (JSON.parse(`${value}`) as Told['state']),
  }));
}

const topics = (presence: string, partitions = 1): Env => ({
  KAFKA_TOPIC_PRESENCE: presence,
  KAFKA_TOPIC_ALARMS: uniqueTopic('alarms'),
  KAFKA_TOPIC_DEAD_LETTERS: '',
  KAFKA_NUM_PARTITIONS: String(partitions),
  TCP_IDENTIFY: '',
});

async function connect(port: number, deviceId?: string): Promise<Device> {
  const device = await Device.connect(port);
  device.sendMessages({ type: 'identify', ...(deviceId !== undefined && { device_id: deviceId }) });
  assert.equal((await device.read()).status, 'identified');
  return device;
}

test('each state of a connection is a record, the topic is compacted, and a takeover leaves the device connected', async (t, bootstrap) => {
  const topic = uniqueTopic('presence');
  const gateway = await kafkaGateway(t, bootstrap, uniqueTopic('metrics'), topics(topic));
  await isReady(gateway);
  const seen = () => gateway.snapshot().presence;
  const one = await connect(gateway.port, 'truck-7');
  one.sendMessages({ type: 'metrics', seq: 4712, data: { speed: 1 } });
  assert.equal((await one.read()).status, 'stored');
  const two = await connect(gateway.port, 'truck-7');
  assert.equal((await one.read()).code, 'replaced');
  await waitFor('its end is told', () => seen().noted === 8);
  two.destroy();
  await waitFor('the end is told', () => seen().noted === 9);
  const unnamed = await connect(gateway.port);
  unnamed.destroy();
  await waitFor('all are written', () => seen().noted === 13 && seen().written === 13);
  const told = await toldIn(bootstrap, topic, 13);
  const connections = told.flatMap(({ state }) =>
    state?.event === 'connected' ? [`${state.connection_id}`] : [],
  );
  const nameOf = (key: string) => (connections.includes(key) ? `#${connections.indexOf(key)}` : key);
  assert.deepEqual(
    told.map(({ key, state }) => `${nameOf(key)} ${state?.event ?? '-'} ${state?.reason ?? ''}`.trim()),
    [
      '#0 connected',
      'truck-7 identified',
      '#0 -',
      '#1 connected',
      'truck-7 identified',
      '#1 -',
      '#0 closed replaced',
      '#0 -',
      'truck-7 closed device_end',
      '#2 connected',
      '#2 identified',
      '#2 closed device_end',
      '#2 -',
    ],
  );
  const { state: replaced = {} } = told[6] ?? {};
  assert.deepEqual([replaced.device_id, replaced.lines, replaced.stored_seq], ['truck-7', 2, 4712]);
  assert.equal(componentOf(gateway.snapshot(), 'presence')?.state, 'ok');
  const [config] = await withAdmin(bootstrap, async (admin) => {
    const resources = [{ type: 2, name: topic, configNames: ['cleanup.policy'] }];
    const { resources: found } = await admin.describeConfigs({ resources, includeSynonyms: false });
    return found[0]?.configEntries.map(({ configValue }) => configValue) ?? [];
  });
  assert.equal(config, 'compact');
});

test('through an outage and a stop the last state of each device arrives, before those of the next start', async (t, bootstrap) => {
  const [topic, metrics] = [uniqueTopic('presence'), uniqueTopic('metrics')];
  const proxy = await TcpProxy.reserve(bootstrap);
  t.after(() => proxy.close());
  const env = { ...topics(topic), SPOOL_DIR: temporaryDirectory(t), KAFKA_BROKERS: proxy.address };
  const first = await kafkaGateway(t, bootstrap, metrics, env);
  const devices = await Promise.all(Array.from({ length: 20 }, (_, n) => connect(first.port, `truck-${n}`)));
  await waitFor('they wait', () => first.snapshot().presence.waiting === 60);
  await waitFor('health tells it', () => componentOf(first.snapshot(), 'presence')?.finding === 'waiting');
  for (const device of devices.slice(0, 10)) device.destroy();
  await waitFor('their ends are told', () => first.snapshot().presence.noted === 70);
  await first.stop();
  const second = await kafkaGateway(t, bootstrap, metrics, env);
  assert.equal(second.snapshot().presence.recovered, 80);
  const back = await connect(second.port, 'truck-3');
  t.after(() => back.destroy());
  await proxy.listen();
  await waitFor('all are written', () => second.snapshot().presence.written === 83, 30_000);
  const last = new Map((await toldIn(bootstrap, topic, 83)).map(({ key, state }) => [key, state]));
  for (let n = 0; n < 20; n++) {
    const { event, reason } = last.get(`truck-${n}`) ?? {};
    const expected = n === 3 ? 'identified undefined' : n < 10 ? 'closed device_end' : 'closed shutdown';
    assert.equal(`${event} ${reason}`, expected, `truck-${n}`);
  }
});

/** A gateway of two processes. */
async function pair(t: TestContext, env: Env): Promise<GatewayProcess> {
  const directory = temporaryDirectory(t);
  const own = { SPOOL_DIR: join(directory, 'spool'), TCP_PROCESSES: '2', KAFKA_COMPRESSION: 'none' };
  return runGateway(t, directory, { ...own, ...env });
}

test('the devices of a killed server process are told as closed, and a device that moves to another process as connected', async (t, bootstrap) => {
  const topic = uniqueTopic('presence');
  const env = { ...topics(topic, 3), KAFKA_BROKERS: bootstrap, KAFKA_TOPIC_METRICS: uniqueTopic('metrics') };
  const gateway = await pair(t, env);
  const [one = 0, two = 0] = gateway.children;
  /** Whichever process is awake accepts. */
  const connectTo = async (other: number, ids: readonly string[]) => {
    process.kill(other, 'SIGSTOP');
    const devices: Device[] = [];
    try {
      for (const id of ids) devices.push(await connect(gateway.port, id));
    } finally {
      process.kill(other, 'SIGCONT');
    }
    return devices;
  };
  const ids = Array.from({ length: 8 }, (_, n) => `truck-${n}`);
  const older = await connectTo(one, ids);
  // The first half moves to the other process. The ends of the older connections come after that.
  const newer = await connectTo(two, ids.slice(0, 4));
  for (const device of older.slice(0, 4)) assert.equal((await device.read()).code, 'replaced');
  process.kill(two, 'SIGKILL');
  await waitFor('all is told', () => {
    const { noted, written, dropped, merged } = gateway.stats.presence;
    return gateway.stats.processes.restarts === 1 && noted >= 48 && written + merged + dropped === noted;
  });
  const { written } = gateway.stats.presence;
  const last = new Map((await toldIn(bootstrap, topic, written)).map(({ key, state }) => [key, state]));
  for (const [n, id] of ids.entries()) {
    const { event, reason } = last.get(id) ?? {};
    assert.equal(`${event} ${reason}`, n < 4 ? 'identified undefined' : 'closed gateway_crashed', id);
  }
  // Of connections nothing stays.
  for (const [key, state] of last) if (!key.startsWith('truck-')) assert.equal(state, undefined, key);
  for (const device of newer) device.destroy();
});
