// A Kafka with TLS: an authority of its own, certificates of clients, logins over TLS. Passwords and certificates are
// replaced in their files while records flow, and nothing is lost.
import assert from 'node:assert/strict';
import { copyFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { tlsProperties } from '../../scripts/kafka/config.ts';
import { freePort } from '../../scripts/kafka/ports.ts';
import { Authority, type Identity, pemOf } from '../support/authority.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Env, type Gateway, gatewayFor } from '../support/gateway.ts';
import { alterConfig, startCluster, clusterTest as test, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { allStored, connectFleet, type FleetDevice } from './fleet.ts';
import { allConfirmed, assertDelivered, isReady, logged, readyz } from './stage.ts';
import { TcpProxy } from './tcp-proxy.ts';

const PARTITIONS = 4;
const ROUND_MS = 10;
const USER = { name: 'sluice', password: 'Kx7-first=one', next: 'Zt4-second=one' };
const ENTITY = { type: 'users', name: USER.name } as const;

interface Stage {
  readonly directory: string;
  /** The listener without login or TLS. */
  readonly bootstrap: string;
  /** Before the listener with logins over TLS. */
  readonly login: TcpProxy;
  /** Before the listener that wants certificates. */
  readonly certificates: TcpProxy;
  readonly authority: Authority;
}

test('a Kafka with TLS', async (t) => {
  const directory = temporaryDirectory(t);
  const authority = new Authority(directory, 'kafka-ca');
  const server = pemOf(authority.sign('broker'));
  const clientCa = pemOf({ cert: authority.ca, key: authority.ca }).cert;
  const [login, certificates] = [
    await proxyBefore(t, await freePort()),
    await proxyBefore(t, await freePort()),
  ];
  const cluster = await startCluster({
    sasl: [
      {
        port: login.target,
        advertised: login.proxy.address,
        plainUsers: { [USER.name]: USER.password },
        tls: server,
      },
    ],
    tls: [
      {
        port: certificates.target,
        advertised: certificates.proxy.address,
        tls: { ...server, clientCa },
      },
    ],
    // Each thread takes over new certificates for itself, a moment after the other.
    properties: { 'num.network.threads': '1' },
  });
  t.after(() => cluster.stop());
  const { bootstrap } = cluster;
  const stage = { directory, bootstrap, login: login.proxy, certificates: certificates.proxy, authority };
  await setPassword(stage, USER.password);

  for (const mechanism of ['scram-sha-256', 'plain'] as const) {
    await t.test(`the gateway logs in over TLS with ${mechanism}, and trusts an authority of its own`, (t) =>
      deliver(t, stage, {
        ...trusting(stage.login, authority.ca),
        KAFKA_SASL_MECHANISM: mechanism,
        KAFKA_SASL_USERNAME: USER.name,
        KAFKA_SASL_PASSWORD: USER.password,
      }),
    );
  }
  await t.test('the gateway shows its certificate to a Kafka that wants one', (t) =>
    deliver(t, stage, { ...trusting(stage.certificates, authority.ca), ...shows(authority.sign('gateway')) }),
  );
  await t.test(
    'with a wrong authority or without a certificate records wait in the spool, the gateway says why, and they arrive once the files are right',
    (t) => correctFiles(t, stage),
  );
  await t.test(
    'a password that changes in Kafka and in its file is used by new connections, and nothing is lost',
    (t) => changePassword(t, stage),
  );
  await t.test(
    'an authority and certificates that are replaced on both sides are used by new connections, and nothing is lost',
    (t) => replaceCertificates(t, stage),
  );
});

async function proxyBefore(t: TestContext, target: number): Promise<{ proxy: TcpProxy; target: number }> {
  const proxy = await TcpProxy.reserve(`127.0.0.1:${target}`);
  t.after(() => proxy.close());
  await proxy.listen();
  return { proxy, target };
}

const trusting = ({ address }: TcpProxy, ca: string): Env => ({
  KAFKA_BROKERS: address,
  KAFKA_SSL: 'true',
  KAFKA_SSL_CA: ca,
});

const shows = ({ cert, key }: Identity): Env => ({ KAFKA_SSL_CERT: cert, KAFKA_SSL_KEY: key });

const setPassword = ({ bootstrap }: Stage, password: string) =>
  alterConfig(bootstrap, ENTITY, { set: { 'SCRAM-SHA-256': `iterations=4096,password=${password}` } });

async function start(t: TestContext, topic: string, env: Env): Promise<[Gateway, FleetDevice[]]> {
  const gateway = await gatewayFor(t, {
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_NUM_PARTITIONS: String(PARTITIONS),
    KAFKA_COMPRESSION: 'none',
    KAFKA_BATCH_TIMEOUT: '5ms',
    HTTP_PORT: '0',
    ...env,
  });
  return [gateway, await connectFleet(t, gateway, { devices: 12, zipcodes: 12 })];
}

async function deliver(t: TestContext, { bootstrap }: Stage, env: Env): Promise<void> {
  const topic = uniqueTopic('tls');
  const [gateway, fleet] = await start(t, topic, env);
  for (const device of fleet) device.send(3);
  await allConfirmed(gateway, fleet);
  await isReady(gateway);
  await assertDelivered(bootstrap, topic, { fleet, partitions: PARTITIONS });
}

async function correctFiles(t: TestContext, stage: Stage): Promise<void> {
  const { directory, bootstrap, authority } = stage;
  const topic = uniqueTopic('tls-wrong');
  const stranger = new Authority(directory, 'stranger');
  const ca = join(directory, 'used-ca.pem');
  const used = { cert: join(directory, 'used.pem'), key: join(directory, 'used.key') };
  copyFileSync(stranger.ca, ca);
  copy(stranger.sign('gateway'), used);
  const [gateway, fleet] = await start(t, topic, { ...trusting(stage.certificates, ca), ...shows(used) });
  const saysWhy = (why: RegExp) =>
    waitFor(`readiness says ${why}`, async () => why.test((await readyz(gateway)).text));
  for (const device of fleet) device.send(3);
  await allStored(fleet);
  await saysWhy(/kafka +failed.*the broker's certificate is signed by.*KAFKA_SSL_CA/);

  replace(authority.ca, ca);
  gateway.app.reloadFiles();
  await saysWhy(/kafka +failed.*refuses the certificate of the gateway.*KAFKA_SSL_CERT/);
  assert.equal(gateway.snapshot().records.confirmed, 0);

  const [withoutOne] = await start(t, topic, trusting(stage.certificates, ca));
  await waitFor(
    'the log says why',
    () => logged(withoutOne, 'refuses the certificate of the gateway, or wants one and got none').length > 0,
  );

  copy(authority.sign('gateway'), used);
  gateway.app.reloadFiles();
  await allConfirmed(gateway, fleet);
  await isReady(gateway);
  await assertDelivered(bootstrap, topic, { fleet, partitions: PARTITIONS });
}

async function changePassword(t: TestContext, stage: Stage): Promise<void> {
  const { directory, bootstrap, login, authority } = stage;
  const topic = uniqueTopic('tls-password');
  const file = join(directory, 'password');
  writeFileSync(file, `${USER.password}\n`);
  const [gateway, fleet] = await start(t, topic, {
    ...trusting(login, authority.ca),
    KAFKA_SASL_MECHANISM: 'scram-sha-256',
    KAFKA_SASL_USERNAME: USER.name,
    KAFKA_SASL_PASSWORD_FILE: file,
  });
  await isReady(gateway);
  const load = sendAlways(t, fleet);

  // A broken file: the old password stays in use, also for a new connection.
  writeFileSync(file, '');
  gateway.app.reloadFiles();
  await waitFor('the log says so', () => logged(gateway, 'KAFKA_SASL_PASSWORD_FILE').length > 0);
  await reconnect(login);
  await flows(gateway);
  assert.equal(logged(gateway, 'the file cannot be used').length, 1);

  await setPassword(stage, USER.next);
  writeFileSync(`${file}.new`, `${USER.next}\n`);
  renameSync(`${file}.new`, file);
  // Without a signal.
  await waitFor('the file is read', () => logged(gateway, 'the new content is in use').length > 0);
  await flows(gateway);
  assert.equal(gateway.snapshot().records.spooled, 0, 'open connections go on');
  await reconnect(login);
  await flows(gateway);

  await load.stop();
  await assertNothingLost(gateway, fleet);
  await assertDelivered(bootstrap, topic, { fleet, partitions: PARTITIONS });
  const log = JSON.stringify(gateway.log);
  for (const secret of [USER.password, USER.next]) assert.ok(!log.includes(secret), 'no log line holds it');
}

async function replaceCertificates(t: TestContext, stage: Stage): Promise<void> {
  const { directory, bootstrap, certificates, authority } = stage;
  const topic = uniqueTopic('tls-replaced');
  const ca = join(directory, 'replaced-ca.pem');
  const used = { cert: join(directory, 'replaced.pem'), key: join(directory, 'replaced.key') };
  copyFileSync(authority.ca, ca);
  copy(authority.sign('gateway'), used);
  const [gateway, fleet] = await start(t, topic, { ...trusting(certificates, ca), ...shows(used) });
  await isReady(gateway);
  const load = sendAlways(t, fleet);

  // A certificate with the key of another one, and a file that is gone: the old ones stay in use.
  const next = new Authority(directory, 'next-ca');
  copyFileSync(next.sign('gateway').cert, used.cert);
  rmSync(ca);
  gateway.app.reloadFiles();
  await waitFor('the log says so', () => logged(gateway, 'the file cannot be used').length > 0);
  await reconnect(certificates);
  await flows(gateway);

  await alterConfig(
    bootstrap,
    { type: 'brokers', name: '1' },
    {
      set: tlsProperties('tls', {
        ...pemOf(next.sign('broker')),
        clientCa: pemOf({ cert: next.ca, key: next.ca }).cert,
      }),
    },
  );
  // The broker takes its new settings over a moment after it has confirmed them.
  await waitFor(
    'the broker has its new certificate',
    async () => (await issuerOf(certificates)) === 'next-ca',
  );
  copyFileSync(next.ca, ca);
  copy(next.sign('gateway'), used);
  gateway.app.reloadFiles();
  await waitFor('the files are read', () => logged(gateway, 'the new content is in use').length > 0);
  await flows(gateway);
  assert.equal(gateway.snapshot().records.spooled, 0, 'open connections go on');
  await reconnect(certificates);
  await flows(gateway);

  await load.stop();
  await assertNothingLost(gateway, fleet);
  await assertDelivered(bootstrap, topic, { fleet, partitions: PARTITIONS });
}

/** The common name of the authority that signed the certificate of the broker. */
function issuerOf({ port }: TcpProxy): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().issuer.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

function copy(from: Identity, to: Identity): void {
  copyFileSync(from.cert, to.cert);
  copyFileSync(from.key, to.key);
}

/** As a careful person does it: the file is never half written. */
function replace(from: string, to: string): void {
  copyFileSync(from, `${to}.new`);
  renameSync(`${to}.new`, to);
}

/** All connections of the gateway end, and it may connect again at once. */
async function reconnect(proxy: TcpProxy): Promise<void> {
  proxy.close();
  await proxy.listen();
}

/** Resolves when more records are in Kafka than now, and none on the disk. */
async function flows(gateway: Gateway): Promise<void> {
  const { confirmed } = gateway.snapshot().records;
  await waitFor('records flow', () => {
    const { records, kafka } = gateway.snapshot();
    return kafka.connected && records.confirmed > confirmed + 100 && records.spooled === 0;
  });
}

/** Each device sends a message every few milliseconds until stop() resolves. */
function sendAlways(t: TestContext, fleet: readonly FleetDevice[]): { stop: () => Promise<void> } {
  let stopped = false;
  t.after(() => {
    stopped = true;
  });
  const sending = (async () => {
    while (!stopped) {
      for (const device of fleet) device.send();
      await sleep(ROUND_MS);
    }
  })();
  return {
    stop: () => {
      stopped = true;
      return sending;
    },
  };
}

async function assertNothingLost(gateway: Gateway, fleet: readonly FleetDevice[]): Promise<void> {
  await allStored(fleet);
  await allConfirmed(gateway, fleet);
  for (const { ended, errors } of fleet) {
    assert.ok(!ended, 'no device is closed');
    assert.deepEqual(errors, []);
  }
}
