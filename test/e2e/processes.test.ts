// Several real server processes behind one port: how connections are spread, caps over all of them, crashes, and fewer
// processes that take over the spool of more.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { Device, IDENTIFY } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Env, GatewayProcess, runGateway } from '../support/gateway-process.ts';
import { troublesOf } from '../support/health.ts';
import { createTopic, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { allStored, connectFleet, ledgerSize } from './fleet.ts';
import { assertDelivered, test } from './stage.ts';

function start(t: TestContext, env: Env = {}, directory = temporaryDirectory(t)): Promise<GatewayProcess> {
  const own = { TCP_PROCESSES: '2', KAFKA_BROKERS: '', SPOOL_DIR: join(directory, 'spool') };
  return runGateway(t, directory, { ...own, ...env });
}

/** A second gateway on the spool of the first. The test starts it. */
async function rivalOf({ env }: GatewayProcess, t: TestContext, more: Env): Promise<GatewayProcess> {
  const shared = { KAFKA_BROKERS: '', SPOOL_DIR: env.SPOOL_DIR ?? '' };
  const rival = await GatewayProcess.reserve(temporaryDirectory(t), { ...shared, ...more });
  t.after(() => rival.close());
  return rival;
}

const alive = (pid: number): boolean => existsSync(`/proc/${pid}`);
const stored = async (device: Device, seq: number, data: object = { t: seq }): Promise<void> => {
  device.sendMessages({ type: 'metrics', seq, data });
  assert.deepEqual(await device.read(), { type: 'ack', status: 'stored', seq });
};

it('caps hold over all processes together', async (t) => {
  const gateway = await start(t, {
    TCP_MAX_CONNECTIONS: '7',
    TCP_MAX_CONNECTIONS_PER_IP: '4',
    TCP_PROCESSES: '3',
  });
  assert.equal(gateway.children.length, 3);
  const from = (localAddress: string) => Device.identified(gateway.port, { localAddress });
  const devices: Device[] = [];
  for (let n = 0; n < 4; n++) devices.push(await from('127.0.0.2'));
  const fifth = await Device.connect(gateway.port, { localAddress: '127.0.0.2' });
  assert.equal((await fifth.read()).code, 'server_full');
  for (let n = 0; n < 3; n++) devices.push(await from('127.0.0.3'));
  const eighth = await Device.connect(gateway.port, { localAddress: '127.0.0.4' });
  assert.equal((await eighth.read()).code, 'server_full');
  // Processes send their figures one after the other, so the last refusal may not be in them yet.
  const figures = await waitFor('figures with both refusals', () => {
    const { stats } = gateway;
    return stats.connections.active === 7 && stats.lines.refused.server_full === 2 && stats;
  });
  assert.deepEqual([figures.connections.maximum, figures.connections.accepted], [7, 7]);
  const { connections, address } = figures.connections.refused;
  assert.deepEqual({ connections, address }, { connections: 1, address: 1 });
  assert.deepEqual(figures.processes, {
    configured: 3,
    running: 3,
    degraded: 0,
    hung: [],
    restarts: 0,
    unseen: 0,
  });
  assert.equal(figures.connections.uniqueZipcodes, 1);
  // A connection that ends makes room for any address, whichever process had it.
  devices[5]?.destroy();
  await waitFor('a free place', () => gateway.stats.connections.active === 6);
  devices.push(await from('127.0.0.4'));
  for (const device of devices) device.destroy();
});

for (const processes of ['1', '2']) {
  it(`on a port for both families, a mapped IPv4 address is counted as IPv4 (TCP_PROCESSES=${processes})`, async (t) => {
    const gateway = await start(t, {
      TCP_HOST: '::',
      TCP_PROCESSES: processes,
      TCP_MAX_CONNECTIONS_PER_IP: '2',
    });
    // All clients of IPv4 are in ::ffff:0:0/96, so they would share one /64.
    for (const [host, localAddress] of [
      ['127.0.0.1', '127.0.0.1'],
      ['127.0.0.1', '127.0.0.2'],
      ['::1', '::1'],
    ] as const) {
      for (const answer of ['identified', 'identified', 'server_full']) {
        const device = await Device.connect(gateway.port, { host, localAddress });
        t.after(() => device.destroy());
        device.send(IDENTIFY);
        const { code, status } = await device.read();
        assert.equal(code ?? status, answer, `${localAddress}: ${code ?? status}`);
      }
    }
  });
}

it('of two gateways that bind one port at the same time, one serves and the other says that the port is in use', async (t) => {
  const first = await GatewayProcess.reserve(temporaryDirectory(t), {
    TCP_PROCESSES: '2',
    KAFKA_BROKERS: '',
  });
  const env = { ...first.env, TCP_PORT: String(first.port) };
  const second = await GatewayProcess.reserve(temporaryDirectory(t), env);
  t.after(() => Promise.all([first.close(), second.close()]));
  const [one, other] = await Promise.allSettled([first.start(), second.start()]);
  assert.deepEqual([one.status, other.status].sort(), ['fulfilled', 'rejected']);
  const loser = one.status === 'rejected' ? first : second;
  assert.equal(await loser.exited(), 1);
  const cannot = new RegExp(`cannot start: .*TCP_PORT=${first.port}: the port is in use`);
  assert.ok(loser.said(cannot), loser.logTail());
});

it('half-close, identify and confirmations work through every process; an older connection is replaced across them', async (t) => {
  const gateway = await start(t);
  for (let n = 0; n < 4; n++) {
    const device = await Device.connect(gateway.port);
    device.send('{"type":"identify","zipcode":"1","city":"x"}\n{"type":"metrics","seq":3,"data":{"t":1}}');
    device.socket.end();
    assert.equal((await device.read()).status, 'identified');
    assert.equal((await device.read()).status, 'stored');
    device.destroy();
  }
  const [older, newer] = [await Device.connect(gateway.port), await Device.connect(gateway.port)];
  for (const device of [older, newer]) {
    device.send('{"type":"identify","zipcode":"1","city":"x","device_id":"one"}\n');
    assert.equal((await device.read()).status, 'identified');
  }
  assert.equal((await older.read()).code, 'replaced');
  await stored(newer, 1);
  newer.destroy();
});

it('a killed process is started again and gives its places back, the others go on, and nothing that was stored is lost', async (t) => {
  const devices = 16;
  const gateway = await start(t, { TCP_MAX_CONNECTIONS: String(devices) });
  const connect = () => Device.identified(gateway.port);
  // Whichever process is awake accepts, so each gets half of the devices while the other is stopped.
  const before: Device[] = [];
  for (const other of gateway.children.toReversed()) {
    process.kill(other, 'SIGSTOP');
    for (let n = 0; n < devices / 2; n++) before.push(await connect());
    process.kill(other, 'SIGCONT');
  }
  for (const device of before) await stored(device, 1);
  // Wait until the first process has asked for the figures: a killed process cannot give them.
  await waitFor('the figures are known', () => gateway.stats.records.accepted === devices);
  const [victim] = gateway.children;
  process.kill(victim as number, 'SIGKILL');
  const back = await waitFor('it is back', () => gateway.stats.processes.restarts === 1 && gateway.stats);
  await waitFor('both run', () => gateway.stats.processes.running === 2);
  assert.ok(back.records.accepted >= devices, 'the totals fell');
  const survivors = before.filter(({ ended }) => !ended);
  assert.equal(survivors.length, devices / 2);
  for (const device of survivors) await stored(device, 2);
  assert.equal(gateway.stats.connections.active, survivors.length);
  const again = await Promise.all(Array.from({ length: devices - survivors.length }, connect));
  for (const device of again) await stored(device, 1);
  const tooMany = await Device.connect(gateway.port);
  assert.equal((await tooMany.read()).code, 'server_full');
  await waitFor('all is on disk', () => gateway.stats.records.spooled === 2 * devices);
  for (const device of [...survivors, ...again]) device.destroy();
});

it('SIGTERM ends every process in order; a second one ends them at once', async (t) => {
  const gateway = await start(t);
  const device = await Device.identified(gateway.port);
  await stored(device, 1);
  const pids = gateway.children;
  gateway.signal('SIGTERM');
  assert.equal((await device.read()).status, 'closing');
  assert.equal(await gateway.exited(), 0);
  assert.deepEqual(pids.filter(alive), []);

  await gateway.start();
  const idle = await Device.identified(gateway.port, { reads: false });
  const next = gateway.children;
  for (const pid of next) process.kill(pid, 'SIGSTOP');
  gateway.signal('SIGTERM');
  await waitFor('it is stopping', () => gateway.said(/^stopping: no new connections/));
  gateway.signal('SIGTERM');
  assert.equal(await gateway.exited(), 1);
  await waitFor('no process is left', () => next.filter(alive).length === 0);
  idle.destroy();
});

it('server processes whose first process is killed end in order, and the next start takes over', async (t) => {
  const gateway = await start(t);
  const device = await Device.identified(gateway.port);
  await stored(device, 1);
  const pids = gateway.children;
  await gateway.kill();
  await waitFor('they end', () => pids.filter(alive).length === 0);
  await gateway.start();
  // The figures are of all processes, and the last of them may still be starting.
  await waitFor('the record is found', () => gateway.stats.records.recovered === 1);
});

it('a process that does not stop in time is killed, and what it held is reported as unknown', async (t) => {
  const gateway = await start(t, { SHUTDOWN_TIMEOUT: '500ms' });
  const device = await Device.identified(gateway.port);
  await stored(device, 1);
  const stopped = gateway.children[1] as number;
  process.kill(stopped, 'SIGSTOP');
  await waitFor('it is said that one does not answer', () =>
    /server process 1 \(pid \d+\) does not answer/.test(troublesOf(gateway.stats)),
  );
  gateway.signal('SIGTERM');
  assert.equal(await gateway.exited(), 1);
  assert.ok(!alive(stopped));
  const said = (pattern: RegExp) => gateway.log.find(({ msg }) => pattern.test(msg));
  assert.deepEqual(said(/was killed; how many records it still held is not known/)?.process, 1);
  assert.ok(said(/^stopped hard: a server process ended without telling/), gateway.logTail());
  device.destroy();
});

it('a process that is started again has the settings of the others, although .env was edited meanwhile', async (t) => {
  const directory = temporaryDirectory(t);
  const secret = 'open-sesame';
  const login = `KAFKA_SASL_MECHANISM=plain\nKAFKA_SASL_USERNAME=u\nKAFKA_SASL_PASSWORD=${secret}\n`;
  writeFileSync(join(directory, '.env'), `TCP_MAX_LINE_BYTES=4KiB\n${login}`);
  const gateway = await start(t, {}, directory);
  writeFileSync(join(directory, '.env'), 'TCP_MAX_LINE_BYTES=128\nTCP_PORT=nonsense\n');
  const before = gateway.children;
  for (const pid of before) process.kill(pid, 'SIGKILL');
  await waitFor('both are back', () => {
    const { restarts, running } = gateway.stats.processes;
    return restarts === 2 && running === 2;
  });
  for (let n = 0; n < 2; n++) {
    const device = await Device.identified(gateway.port);
    t.after(() => device.destroy());
    await stored(device, 1, { pad: 'x'.repeat(1000) });
  }
  for (const pid of gateway.children)
    assert.ok(!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(secret), 'a password in the arguments');
  assert.ok(!JSON.stringify(gateway.log).includes(secret), 'the password is in the log');
});

it('if the buffer is too small for all processes that were asked for, fewer are started, and each of them works', async (t) => {
  const gateway = await start(t, { TCP_PROCESSES: '4', KAFKA_BUFFER_BYTES: '5MiB' });
  assert.equal(gateway.children.length, 2);
  const warning = gateway.log.find(({ msg }) => /^KAFKA_BUFFER_BYTES=5MiB is enough for 2 of 4/.test(msg));
  assert.deepEqual([warning?.level, warning?.asked, warning?.started], ['warn', 4, 2]);
  assert.deepEqual([gateway.stats.processes.configured, gateway.stats.processes.running], [2, 2]);
  const devices = [await Device.identified(gateway.port), await Device.identified(gateway.port)];
  for (const device of devices) await stored(device, 1);
  assert.deepEqual(gateway.stats.readiness, { ready: true, reasons: [] });
  for (const device of devices) device.destroy();
});

for (const processes of ['1', '2']) {
  it(`a start that waits for the spool of another gateway ends at once on SIGTERM (TCP_PROCESSES=${processes})`, async (t) => {
    const gateway = await start(t);
    const second = await rivalOf(gateway, t, { TCP_PROCESSES: processes, SHUTDOWN_TIMEOUT: '1m' });
    const started = assert.rejects(second.start(), /ended at its start/);
    await waitFor('it waits', () =>
      second.said(/^SPOOL_DIR=\S+ is in use by another gateway or command of Sluice, pid \d+/),
    );
    second.signal('SIGTERM');
    assert.equal(await second.exited(), 0, second.logTail());
    await started;
  });
}

it('if no process can start with the settings, the gateway ends with their exit code', async (t) => {
  const gateway = await start(t);
  // Short, because a start waits this long for the lock.
  const second = await rivalOf(gateway, t, { TCP_PROCESSES: '2', SHUTDOWN_TIMEOUT: '100ms' });
  await assert.rejects(second.start(), /ended at its start[\s\S]*in use by another gateway/);
  assert.equal(await second.exited(), 78);
  assert.ok(second.said(/^SPOOL_DIR=\S+ is in use by .*, pid \d+: waiting up to 2s/), second.logTail());
});

test('fewer processes send what more processes left on disk, each reading once and in order', async (t, bootstrap) => {
  const topic = uniqueTopic('processes');
  await createTopic(bootstrap, topic, { partitions: 4 });
  const directory = temporaryDirectory(t);
  const env = { KAFKA_TOPIC_METRICS: topic, KAFKA_NUM_PARTITIONS: '4', KAFKA_COMPRESSION: 'none' };
  const many = await start(t, { ...env, TCP_PROCESSES: '4' }, directory);
  const fleet = await connectFleet(t, many, { devices: 24, zipcodes: 7 });
  for (let round = 0; round < 5; round++) for (const device of fleet) device.sendShaped([1, 2]);
  await allStored(fleet);
  many.signal('SIGTERM');
  assert.equal(await many.exited(), 0);
  const parts = () => readdirSync(join(directory, 'spool')).filter((name) => /^process-/.test(name));
  assert.deepEqual(parts().sort(), ['process-1', 'process-2', 'process-3']);

  const few = await start(t, { ...env, TCP_PROCESSES: '2', KAFKA_BROKERS: bootstrap }, directory);
  await waitFor('all is in Kafka', () => few.stats.records.confirmed === ledgerSize(fleet));
  assert.deepEqual([few.stats.records.recovered, few.stats.records.spooled], [ledgerSize(fleet), 0]);
  await waitFor('parts without a process are gone', () => parts().join() === 'process-1');
  await assertDelivered(bootstrap, topic, { fleet, partitions: 4 });
});
