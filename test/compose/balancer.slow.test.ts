// deploy/haproxy/haproxy.cfg, judged by HAProxy itself and in front of two gateways: addresses of devices, TLS, half-closed
// and silent connections, a gateway that dies, and a soft stop.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse as parseDotenv } from 'dotenv';
import { ENV_FILES } from '../../scripts/deploy-check/compose-files.ts';
import { composeModel } from '../../scripts/deploy-check/compose-model.ts';
import { PROFILE_NAMES, parseSetting } from '../../src/config/settings.ts';
import { accepted } from '../config/loading.ts';
import { Authority } from '../support/authority.ts';
import { Device, IDENTIFY } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { hasHaproxy } from '../support/haproxy.ts';
import { waitFor } from '../support/wait.ts';
import { CONFIG, checkConfig } from './balancer.ts';
import { type Pair, startPair } from './pair.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const config = readFileSync(CONFIG, 'utf8');
/** Names that nobody knows here would be warned of. */
const KNOWN = { SLUICE_1: '127.0.0.2', SLUICE_2: '127.0.0.3' };
const NO_KAFKA = { KAFKA_BROKERS: '' };

/** The first value of a directive in the file, in milliseconds. */
function milliseconds(directive: string): number {
  const found = new RegExp(`(?:^| )${directive} (\\d+)(ms|s|m|h|d)\\b`, 'm').exec(config);
  assert.ok(found, directive);
  const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  return Number(found[1]) * units[found[2] as keyof typeof units];
}

test('haproxy -c accepts the file without a word, with each choice of ports, and refuses a wrong one', (t) => {
  if (!hasHaproxy(t)) return;
  for (const ports of [
    {},
    { TCP_PORT: '8080' },
    { TCP_PORT: '', TCP_TLS_PORT: '8443' },
    { TCP_PORT: '8080', TCP_TLS_PORT: '8443', TCP_LINES_PORT: '8081' },
  ]) {
    const { valid, said } = checkConfig({ ...KNOWN, ...ports });
    assert.equal(valid, true, said);
    assert.doesNotMatch(said, /WARNING|ALERT/);
  }
  assert.equal(checkConfig({ ...KNOWN, TCP_PORT: '80800' }).valid, false);
  // In Compose the gateways may start later than HAProxy.
  assert.equal(checkConfig({ TCP_PORT: '8080' }).valid, true);
});

test('the times of HAProxy fit those of the gateways, with each .env file and profile', () => {
  const fall = Number(/ fall (\d+) /.exec(config)?.[1]);
  // The first bad answer comes after `inter`, the next ones come after `fastinter`. An answer may take `timeout check`.
  const notices = milliseconds('inter') + (fall - 1) * milliseconds('fastinter');
  const situations = [
    {},
    ...ENV_FILES.map((file) => parseDotenv(readFileSync(join(ROOT, file)))),
    ...PROFILE_NAMES.map((PROFILE) => ({ PROFILE })),
  ];
  for (const variables of situations) {
    const { services } = composeModel(join(ROOT, 'docker-compose.yml'), variables);
    const { settings } = accepted({ ...services['sluice-1']?.environment });
    assert.ok(settings.SHUTDOWN_DRAIN > notices, `${settings.SHUTDOWN_DRAIN} ms, HAProxy needs ${notices}`);
    assert.ok(milliseconds('timeout tunnel') > settings.TCP_INACTIVITY_TIMEOUT);
    // Kafka is silent, the batch goes to the disk, and then the device hears `stored`.
    for (const side of ['client', 'server'])
      assert.ok(milliseconds(`timeout ${side}-fin`) > settings.KAFKA_REQUEST_TIMEOUT);
    // HAProxy understands one number with a unit, and the same text has to be a setting of the gateway.
    const { DEVICES_KEEPALIVE = '' } = services.haproxy?.environment ?? {};
    const keepalive = parseSetting('TCP_KEEPALIVE', DEVICES_KEEPALIVE) ?? Number.NaN;
    assert.equal(keepalive, settings.TCP_KEEPALIVE);
  }
});

/** Addresses of the devices that the gateways see. */
async function addressesAt({ gateways }: Pair): Promise<string[]> {
  const pages = await Promise.all(gateways.map((one) => one.ask('/connections')));
  return pages.flatMap((page) =>
    (JSON.parse(page) as { connections: { address: string }[] }).connections.map(({ address }) => address),
  );
}

async function identified(t: TestContext, port: number, options: Parameters<typeof Device.connect>[1] = {}) {
  const device = await Device.connect(port, options);
  t.after(() => device.destroy());
  device.send(IDENTIFY);
  assert.equal((await device.read()).status, 'identified');
  return device;
}

/** Resolves when the peer has closed the connection, in order or not. */
async function end({ socket }: Device): Promise<void> {
  await Promise.race([once(socket, 'end'), once(socket, 'close')]).catch(() => {});
}

/** Until both get devices. */
async function bothUp({ balancer }: Pair): Promise<void> {
  await waitFor('HAProxy has both gateways', async () => {
    const servers = await balancer.servers();
    return ['ready/sluice-1', 'ready/sluice-2'].every((name) => servers.get(name)?.check === 'L7OK');
  });
}

test('devices come to both gateways with their own addresses, with and without TLS, and senders of plain lines too', async (t) => {
  if (!hasHaproxy(t)) return;
  const authority = new Authority(temporaryDirectory(t), 'authority');
  const { cert, key } = authority.sign('gateway');
  const pair = await startPair(t, { ...NO_KAFKA, TCP_TLS_CERT: cert, TCP_TLS_KEY: key });
  await bothUp(pair);
  const tls = { ca: readFileSync(authority.ca), rejectUnauthorized: true };
  for (const address of ['127.0.0.11', '127.0.0.12'])
    await identified(t, pair.port, { localAddress: address, tls: undefined });
  for (const address of ['127.0.0.13', '127.0.0.14'])
    await identified(t, pair.tlsPort, { localAddress: address, tls });
  const sender = await Device.connect(pair.linesPort, { localAddress: '127.0.0.15', tls: undefined });
  t.after(() => sender.destroy());
  sender.send('{"a":1}\n');
  await waitFor('all are connected', async () => (await addressesAt(pair)).length === 5);
  assert.deepEqual((await addressesAt(pair)).sort(), [
    '127.0.0.11',
    '127.0.0.12',
    '127.0.0.13',
    '127.0.0.14',
    '127.0.0.15',
  ]);
  // Two devices on each gateway: leastconn counts for each port on its own.
  const headers = () => pair.gateways.map(({ stats }) => stats.connections.proxyHeaders.client).sort();
  await waitFor('each connection has had a header', () => headers().join() === '2,3');
  const metrics = await (await pair.balancer.ask('/metrics')).text();
  assert.match(metrics, /^haproxy_server_status\{proxy="devices-tls",server="sluice-2",state="UP"\} 1$/m);
});

test('a device that has half-closed gets its answers, and a silent one is left to the gateway', async (t) => {
  if (!hasHaproxy(t)) return;
  // The timeouts before a connection stands, shortened: none of them may count afterwards.
  const file = join(temporaryDirectory(t), 'haproxy.cfg');
  const short = config
    .replace('timeout client 1m', 'timeout client 300')
    .replace('timeout server 1m', 'timeout server 300');
  assert.notEqual(short, config);
  writeFileSync(file, short);
  const pair = await startPair(t, { ...NO_KAFKA, TCP_INACTIVITY_TIMEOUT: '2s' }, file);
  await bothUp(pair);
  const silent = await identified(t, pair.port);
  const closing = await identified(t, pair.port);
  closing.send('{"type":"metrics","seq":1,"data":{"a":1}}\n');
  closing.socket.end();
  const { status, seq } = await closing.read();
  assert.deepEqual([status, seq], ['stored', 1]);
  const { code } = await silent.read();
  assert.equal(code, 'inactive');
});

test('HAProxy tells its figures when a port is full, and a device that waits is served once there is room', async (t) => {
  if (!hasHaproxy(t)) return;
  const file = join(temporaryDirectory(t), 'haproxy.cfg');
  const small = config.replace(/maxconn ".*"/, 'maxconn 2');
  assert.notEqual(small, config);
  writeFileSync(file, small);
  const pair = await startPair(t, NO_KAFKA, file);
  await bothUp(pair);
  const first = await identified(t, pair.port);
  await identified(t, pair.port);
  const waiting = identified(t, pair.port);
  assert.equal((await pair.balancer.ask('/healthz')).status, 200);
  assert.match(await (await pair.balancer.ask('/metrics')).text(), /^haproxy_server_status/m);
  first.destroy();
  await waiting;
});

test('a gateway that dies cuts its devices at once, and with none left HAProxy refuses devices', async (t) => {
  if (!hasHaproxy(t)) return;
  const pair = await startPair(t, NO_KAFKA);
  await bothUp(pair);
  const devices = [await identified(t, pair.port), await identified(t, pair.port)];
  const [first, second] = pair.gateways;
  await waitFor('each gateway has one', () =>
    pair.gateways.every((one) => one.stats.connections.identified === 1),
  );
  const ends = devices.map(end);
  await first.kill();
  await Promise.race(ends);
  // HAProxy may not have noticed yet: it tries the other one.
  await identified(t, pair.port);
  await second.kill();
  await Promise.all(ends);
  await waitFor(
    'HAProxy has noticed',
    async () => (await pair.balancer.server('devices/sluice-2')).status === 'DOWN',
  );
  const refused = await Device.connect(pair.port);
  await end(refused);
});

test('HAProxy that is stopped softly waits for the goodbyes of the gateways', async (t) => {
  if (!hasHaproxy(t)) return;
  const pair = await startPair(t, { ...NO_KAFKA, SHUTDOWN_DRAIN: '500ms', SHUTDOWN_SPREAD: '500ms' });
  await bothUp(pair);
  const device = await identified(t, pair.port);
  // As `docker compose stop` does it: all get their signal at once.
  const ended = pair.balancer.stopSoftly();
  for (const gateway of pair.gateways) gateway.signal('SIGTERM');
  assert.deepEqual(
    [(await device.read()).status, await Promise.all(pair.gateways.map((one) => one.exited()))],
    ['closing', [0, 0]],
  );
  device.destroy();
  await ended;
});
