// KAFKA_TOPIC_METRICS is changed while readings are in the spool. They are sent to the former topic, the log, `/stats`
// and `/readyz` name them, and they count against the spool's limit.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { lockSpool } from '../../src/spool/lock.ts';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Env, type Gateway, startGateway } from '../support/gateway.ts';
import { type GatewayProcess, runGateway } from '../support/gateway-process.ts';
import { createTopic, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { allStored, connectFleet, disconnect, type FleetDevice, ledgerSize } from './fleet.ts';
import { allConfirmed, assertDelivered, logged, readyz, test } from './stage.ts';
import { TcpProxy } from './tcp-proxy.ts';

/** 5,000 bytes in several fields, because a single text may not be so long. */
const PADDING = Object.fromEntries(Array.from({ length: 5 }, (_, n) => [`pad${n}`, 'x'.repeat(1_000)]));

/** A gateway whose balance is checked all the time. */
async function start(t: TestContext, env: Env): Promise<Gateway> {
  const gateway = await startGateway({
    HTTP_PORT: '0',
    KAFKA_TOPIC_ALARMS: '',
    KAFKA_TOPIC_DEAD_LETTERS: '',
    KAFKA_NUM_PARTITIONS: '3',
    KAFKA_COMPRESSION: 'none',
    ...env,
  });
  const imbalances: string[] = [];
  const timer = setInterval(() => {
    const { records } = gateway.snapshot();
    const { accepted, recovered, ...rest } = records;
    const sum = Object.values(rest).reduce((total, count) => total + count, 0);
    if (sum !== accepted + recovered) imbalances.push(JSON.stringify(records));
  }, 1);
  t.after(async () => {
    clearInterval(timer);
    await gateway.stop();
    assert.deepEqual(imbalances, []);
  });
  return gateway;
}

/** A gateway without Kafka accepts readings for the topic and ends. */
async function leaveInSpool(
  t: TestContext,
  env: Env & { SPOOL_DIR: string; KAFKA_TOPIC_METRICS: string },
  { devices = 12, rounds = 4 } = {},
): Promise<FleetDevice[]> {
  const gateway = await start(t, env);
  const fleet = await connectFleet(t, gateway, { devices, zipcodes: devices });
  for (let round = 0; round < rounds; round++) for (const device of fleet) device.sendShaped([1, 3]);
  await allStored(fleet);
  disconnect(fleet);
  await gateway.stop();
  return fleet;
}

/** Everything in the directory with this in its path. */
const foundIn = (directory: string, text: string) =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes(text));

test('while Kafka is away the gateway names waiting readings of the former topic, then sends them there once and in order', async (t, bootstrap) => {
  const [former, current] = [uniqueTopic('former'), uniqueTopic('current')];
  const spool = temporaryDirectory(t);
  const before = await leaveInSpool(t, { SPOOL_DIR: spool, KAFKA_TOPIC_METRICS: former });
  const count = ledgerSize(before);

  const proxy = await TcpProxy.reserve(bootstrap);
  t.after(() => proxy.close());
  const env = { SPOOL_DIR: spool, KAFKA_TOPIC_METRICS: current, KAFKA_BROKERS: proxy.address };
  const gateway = await start(t, env);
  const [line] = logged(gateway, `${count} records of ${former} `);
  assert.deepEqual([line?.topic, line?.records], [former, count]);
  assert.match(line?.msg ?? '', /KAFKA_TOPIC_METRICS no longer names it.*SPOOL_MAX_BYTES/);
  const [other] = await waitFor('the figures say why', () => {
    const { otherTopics } = gateway.snapshot().spool;
    return /ECONNREFUSED/.test(otherTopics[0]?.problem ?? '') && otherTopics;
  });
  assert.deepEqual([other?.topic, other?.records], [former, count]);
  const { records, spool: figures } = gateway.snapshot();
  assert.deepEqual([records.recovered, records.spooled, figures.otherRecords], [count, count, count]);
  assert.equal(figures.bytes, other?.bytes);
  const answer = await readyz(gateway);
  assert.equal(answer.status, 200);
  assert.match(answer.text, new RegExp(`${count} records of ${former}, .*ECONNREFUSED`));

  const fleet = await connectFleet(t, gateway, { devices: 8, zipcodes: 8 });
  for (const device of fleet) device.send(3);
  await allStored(fleet);
  await proxy.listen();
  for (const device of fleet) device.send(3);
  await allStored(fleet);
  await allConfirmed(gateway, [...before, ...fleet]);
  await assertDelivered(bootstrap, former, { fleet: before, partitions: 3 });
  await assertDelivered(bootstrap, current, { fleet, partitions: 3 });

  await waitFor('its end is logged', () => logged(gateway, `nothing of ${former}`).length === 1);
  await waitFor('its folders are gone', () => foundIn(spool, former).length === 0);
  const after = gateway.snapshot();
  assert.deepEqual([after.spool.otherTopics, after.spool.otherRecords], [[], 0]);
  assert.ok(!(await readyz(gateway)).text.includes(former));
  await gateway.stop();

  const next = await start(t, { ...env, KAFKA_BROKERS: bootstrap });
  assert.equal(next.snapshot().records.recovered, 0);
  assert.deepEqual(logged(next, former), []);
});

test('if a former topic may not be created, the gateway names it with the remedy, and readings of the current one flow', async (t, bootstrap) => {
  const [former, current] = [uniqueTopic('former'), uniqueTopic('current')];
  const spool = temporaryDirectory(t);
  const before = await leaveInSpool(t, { SPOOL_DIR: spool, KAFKA_TOPIC_METRICS: former });
  await createTopic(bootstrap, current, { partitions: 3 });
  // A single broker cannot hold fifty replicas, so Kafka refuses to create the topic.
  const gateway = await start(t, {
    SPOOL_DIR: spool,
    KAFKA_TOPIC_METRICS: current,
    KAFKA_BROKERS: bootstrap,
    KAFKA_REPLICATION_FACTOR: '50',
  });
  const fleet = await connectFleet(t, gateway, { devices: 4, zipcodes: 4 });
  for (const device of fleet) device.send(3);
  await allStored(fleet);
  const line = () => logged(gateway, `records of ${former} wait`).at(-1)?.msg;
  const said = await waitFor('the log says why', line);
  assert.match(said, new RegExp(`^Spool: ${ledgerSize(before)} .*INVALID_REPLICATION_FACTOR.*create it`));
  const answer = await readyz(gateway);
  assert.equal(answer.status, 200);
  const remedy = new RegExp(`${former}, which KAFKA_TOPIC_METRICS no longer names, .*create it with 3`);
  assert.match(answer.text, remedy);
  assert.match(gateway.snapshot().kafka.problems.join(), new RegExp(`${former} does not exist`));

  await createTopic(bootstrap, former, { partitions: 5 });
  await waitFor('it is sent', () => gateway.snapshot().spool.otherRecords === 0);
  await assertDelivered(bootstrap, former, { fleet: before, partitions: 5 });
  await waitFor('nobody misses anything', () => gateway.snapshot().kafka.problems.length === 0);
});

test('all former topics are sent, also if there are more than are begun at a time', async (t, bootstrap) => {
  const spool = temporaryDirectory(t);
  const left: [string, FleetDevice[]][] = [];
  for (let n = 0; n < 11; n++) {
    const topic = uniqueTopic(`former-${n}`);
    const env = { SPOOL_DIR: spool, KAFKA_TOPIC_METRICS: topic };
    left.push([topic, await leaveInSpool(t, env, { devices: 2, rounds: 1 })]);
  }
  const current = uniqueTopic('current');
  const gateway = await start(t, {
    SPOOL_DIR: spool,
    KAFKA_TOPIC_METRICS: current,
    KAFKA_BROKERS: bootstrap,
  });
  assert.equal(gateway.snapshot().spool.otherTopics.length, 11);
  await waitFor('all are sent', () => gateway.snapshot().spool.otherRecords === 0);
  for (const [topic, fleet] of left) await assertDelivered(bootstrap, topic, { fleet, partitions: 3 });
  await waitFor('their folders are gone', () => foundIn(spool, 'former').length === 0);
});

test('former topics that may not be created do not hold up one that exists', async (t, bootstrap) => {
  const spool = temporaryDirectory(t);
  const prefix = uniqueTopic('former');
  const topics = Array.from({ length: 10 }, (_, n) => `${prefix}.${n}`);
  const last = `${prefix}.9`;
  let fleet: FleetDevice[] = [];
  for (const topic of topics) {
    const env = { SPOOL_DIR: spool, KAFKA_TOPIC_METRICS: topic };
    fleet = await leaveInSpool(t, env, { devices: 2, rounds: 1 });
  }
  const current = uniqueTopic('current');
  for (const topic of [current, last]) await createTopic(bootstrap, topic, { partitions: 2 });
  const gateway = await start(t, {
    SPOOL_DIR: spool,
    KAFKA_TOPIC_METRICS: current,
    KAFKA_BROKERS: bootstrap,
    KAFKA_REPLICATION_FACTOR: '50',
  });
  const waiting = () => gateway.snapshot().spool.otherTopics.map(({ topic }) => topic);
  await waitFor('the one that is there is sent', () => !waiting().includes(last));
  assert.deepEqual(waiting().sort(), topics.slice(0, -1));
  await assertDelivered(bootstrap, last, { fleet, partitions: 2 });
  await waitFor('each of the others has its reason', () =>
    gateway.snapshot().spool.otherTopics.every(({ problem }) => problem?.includes('create it with 3')),
  );
});

it('readings of a former topic count against SPOOL_MAX_BYTES, and the topic may become the current one again', async (t) => {
  const spool = temporaryDirectory(t);
  const env = { SPOOL_DIR: spool, SPOOL_MAX_BYTES: '1MiB', KAFKA_BUFFER_BYTES: '4MiB' };
  const fill = async (gateway: Gateway, bytes: number) => {
    const device = await Device.identified(gateway.port, { reads: false });
    t.after(() => device.destroy());
    for (let sent = 0, seq = 1; sent < bytes; sent += 5_000, seq++)
      device.sendMessages({ type: 'metrics', seq, data: PADDING });
  };
  const first = await start(t, { ...env, KAFKA_TOPIC_METRICS: 'former' });
  await fill(first, 600_000);
  await waitFor('all of it is on disk', () => first.snapshot().records.spooled === 120);
  assert.equal(first.snapshot().spool.trouble, null);
  await first.stop();

  const second = await start(t, { ...env, KAFKA_TOPIC_METRICS: 'current', SHUTDOWN_TIMEOUT: '200ms' });
  const { bytes, capacityBytes } = second.snapshot().spool;
  assert.ok(bytes > 600_000, `${bytes} bytes`);
  assert.equal(capacityBytes, 2 ** 20);
  assert.equal(second.snapshot().spool.otherTopics[0]?.problem, 'KAFKA_BROKERS is empty');
  await fill(second, 100_000);
  await waitFor('they are on disk', () => second.snapshot().records.spooled === 140);
  await fill(second, 500_000);
  await waitFor('the spool is full', () => /SPOOL_MAX_BYTES/.test(second.snapshot().spool.trouble ?? ''));
  assert.ok(second.snapshot().spool.bytes <= capacityBytes);
  assert.ok(second.snapshot().records.spooled < 240);
  await second.stop();

  const third = await start(t, { ...env, KAFKA_TOPIC_METRICS: 'former' });
  assert.equal(third.snapshot().spool.otherTopics[0]?.topic, 'current');
  const found = third.snapshot().records.recovered;
  assert.equal(found, second.snapshot().records.spooled);
  assert.equal(found - third.snapshot().spool.otherRecords, 120);
});

it('the gateway names a part of a former process that is still in use, and counts it once it can be opened', async (t) => {
  const spool = temporaryDirectory(t);
  const part = join(spool, 'process-1');
  const fleet = await leaveInSpool(t, { SPOOL_DIR: part, KAFKA_TOPIC_METRICS: 'former' });
  const lock = lockSpool(part);
  t.after(() => lock.release());
  const gateway = await start(t, { SPOOL_DIR: spool, KAFKA_TOPIC_METRICS: 'current' });
  assert.match(gateway.snapshot().kafka.problems.join(), /process-1 is in use by another gateway/);
  assert.equal(gateway.snapshot().records.recovered, 0);
  assert.equal(logged(gateway, 'cannot be opened yet').length, 1);
  lock.release();
  await waitFor('it is opened', () => gateway.snapshot().spool.otherTopics[0]?.topic === 'former');
  assert.equal(gateway.snapshot().records.recovered, ledgerSize(fleet));
  assert.deepEqual(gateway.snapshot().kafka.problems, []);
});

test('after several processes leave a former topic, fewer of them send all of it and remove the parts of the others', async (t, bootstrap) => {
  const [former, current] = [uniqueTopic('former'), uniqueTopic('current')];
  const directory = temporaryDirectory(t);
  const env = {
    SPOOL_DIR: join(directory, 'spool'),
    KAFKA_TOPIC_ALARMS: '',
    KAFKA_NUM_PARTITIONS: '4',
    KAFKA_COMPRESSION: 'none',
  };
  const run = (more: Env) => runGateway(t, directory, { ...env, ...more });
  const end = async (gateway: GatewayProcess) => {
    gateway.signal('SIGTERM');
    assert.equal(await gateway.exited(), 0);
  };
  const many = await run({ TCP_PROCESSES: '4', KAFKA_BROKERS: '', KAFKA_TOPIC_METRICS: former });
  const before = await connectFleet(t, many, { devices: 24, zipcodes: 7 });
  for (let round = 0; round < 4; round++) for (const device of before) device.sendShaped([1, 2]);
  await allStored(before);
  disconnect(before);
  await end(many);

  const settings = { TCP_PROCESSES: '2', KAFKA_TOPIC_METRICS: current };
  const away = await run({ ...settings, KAFKA_BROKERS: '' });
  const count = ledgerSize(before);
  const known = () => away.stats.spool.otherRecords === count && away.stats;
  const { spool, records } = await waitFor('every process has given its figures', known);
  const [other, ...more] = spool.otherTopics;
  assert.deepEqual([other?.topic, other?.records, more], [former, count, []]);
  assert.equal(records.recovered, count);
  // Readings in the parts of former processes count as well.
  assert.equal(spool.bytes, other?.bytes);
  const fleet = await connectFleet(t, away, { devices: 8, zipcodes: 5 });
  for (const device of fleet) device.send(3);
  await allStored(fleet);
  disconnect(fleet);
  await end(away);

  const few = await run({ ...settings, KAFKA_BROKERS: bootstrap });
  const total = count + ledgerSize(fleet);
  await waitFor('all is in Kafka', () => few.stats.records.confirmed === total);
  assert.deepEqual([few.stats.records.recovered, few.stats.records.spooled], [total, 0]);
  await assertDelivered(bootstrap, former, { fleet: before, partitions: 4 });
  await assertDelivered(bootstrap, current, { fleet, partitions: 4 });
  const parts = () => readdirSync(env.SPOOL_DIR).filter((name) => name.startsWith('process-'));
  await waitFor('parts without a process are gone', () => parts().join() === 'process-1');
  await waitFor('no folder of the former topic is left', () => foundIn(env.SPOOL_DIR, former).length === 0);
  await end(few);
  assert.deepEqual(foundIn(env.SPOOL_DIR, '.log'), []);
});
