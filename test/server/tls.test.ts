// The TLS port with real certificates and real handshakes: who gets in, which reply the others get, and who pays for a limit.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { after, before, describe, it, mock, type TestContext } from 'node:test';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import type { HandshakeFailure } from '../../src/protocol/handshake-failures.ts';
import { PlainSource } from '../../src/server/plain-source.ts';
import { Authority, type Identity, pemOf } from '../support/authority.ts';
import { clientHello } from '../support/client-hello.ts';
import { Device, IDENTIFY } from '../support/device.ts';
import { type Env, type Gateway, gatewayFor } from '../support/gateway.ts';
import { stateOf } from '../support/health.ts';
import { waitFor } from '../support/wait.ts';
import { assertAlive } from './stage.ts';

let directory: string;
let authority: Authority;
let server: Identity;
let hello: Buffer;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  authority = new Authority(directory, 'authority');
  server = authority.sign('gateway');
  hello = await clientHello();
});
after(() => rmSync(directory, { recursive: true }));

const tlsGateway = (t: TestContext, env: Env = {}): Promise<Gateway> =>
  gatewayFor(t, { TCP_TLS_PORT: '0', TCP_TLS_CERT: server.cert, TCP_TLS_KEY: server.key, ...env });

/** Without TLS, whatever the port. */
async function raw(t: TestContext, gateway: Gateway, localAddress = '127.0.0.1'): Promise<Device> {
  const device = await Device.connect(gateway.tlsPort, { localAddress });
  t.after(() => device.destroy());
  return device;
}

async function secure(t: TestContext, gateway: Gateway, tls: ConnectionOptions = {}): Promise<Device> {
  const device = await Device.connect(gateway.tlsPort, { tls });
  t.after(() => device.destroy());
  return device;
}

const failed = (gateway: Gateway, reason: HandshakeFailure, count = 1) =>
  waitFor(`${count} times ${reason}`, () => gateway.snapshot().tls.failures[reason] === count);

/** Nothing is left of connections that ended. */
const empty = (gateway: Gateway) =>
  waitFor('no connection is left', () => {
    const { connections, tls } = gateway.snapshot();
    const { active, waiting, bufferBytes, scheduledTimers } = connections;
    return [active, waiting, bufferBytes, scheduledTimers, tls.waiting, tls.underWay].every((n) => n === 0);
  });

describe('the TLS port', () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    it(`serves a device with ${version}, beside one on the plain port`, async (t) => {
      const gateway = await tlsGateway(t);
      const device = await secure(t, gateway, { minVersion: version, maxVersion: version });
      const plain = await Device.connect(gateway.port);
      for (const one of [device, plain]) {
        one.send(IDENTIFY);
        assert.equal((await one.read()).status, 'identified');
        one.halfClose();
        assert.deepEqual(await one.rest(), []);
      }
      await empty(gateway);
      const { handshakes, failures } = gateway.snapshot().tls;
      assert.deepEqual([handshakes, Object.values(failures).some((count) => count > 0)], [1, false]);
    });

  it('can be the only port', async (t) => {
    const gateway = await tlsGateway(t, { TCP_PORT: '' });
    assert.equal(gateway.addresses.tcp, null);
    await assertAlive(await identified(t, gateway));
  });

  it('chooses AES-128, and serves devices that have other ciphers only', async (t) => {
    const gateway = await tlsGateway(t);
    const AES_256 = 'TLS_AES_256_GCM_SHA384';
    for (const [tls, cipher] of [
      [{}, 'TLS_AES_128_GCM_SHA256'],
      [{ minVersion: 'TLSv1.3', ciphers: AES_256 }, AES_256],
      [{ maxVersion: 'TLSv1.2' }, 'ECDHE-ECDSA-AES128-GCM-SHA256'],
      [{ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }, 'ECDHE-ECDSA-AES256-GCM-SHA384'],
    ] as const) {
      const { socket } = await secure(t, gateway, tls);
      assert.equal((socket as TLSSocket).getCipher().name, cipher);
    }
  });

  it('refuses TLS 1.1, with the alert that TLS has for it', async (t) => {
    const gateway = await tlsGateway(t);
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await assert.rejects(secure(t, gateway, old), /protocol version/i);
    await failed(gateway, 'handshake');
    await empty(gateway);
  });

  it('serves a device whose bytes come one by one', async (t) => {
    const gateway = await tlsGateway(t);
    const { socket } = await raw(t, gateway);
    const device = await secure(t, gateway, { socket: byteByByte(socket) });
    device.send(IDENTIFY);
    assert.equal((await device.read()).status, 'identified');
  });

  it('begins a handshake only once its first message is whole, in however many records', async (t) => {
    const gateway = await tlsGateway(t);
    const device = await raw(t, gateway);
    const answer = once(device.socket, 'data') as Promise<[Buffer]>;
    const message = hello.subarray(5);
    const record = (part: Buffer) =>
      Buffer.concat([Buffer.from([0x16, 3, 1, part.length >> 8, part.length & 0xff]), part]);
    device.send(Buffer.concat([record(message.subarray(0, 1)), record(message.subarray(1, 60))]));
    await waitFor('they are read', () => gateway.snapshot().connections.bufferBytes === 70);
    assert.equal(gateway.snapshot().tls.underWay, 0);
    device.send(record(message.subarray(60)));
    assert.equal((await answer)[0][0], 0x16, 'the record of a handshake');
  });

  it('answers a plain device with tls_required in plain JSON', async (t) => {
    const gateway = await tlsGateway(t);
    for (const [index, line] of [IDENTIFY, ` ${IDENTIFY}`, '\n\n', 'rubbish\n'].entries()) {
      const device = await raw(t, gateway);
      device.send(line);
      assert.deepEqual(await device.restCodes(), ['tls_required']);
      device.halfClose();
      await failed(gateway, 'plain', index + 1);
    }
    assert.equal(gateway.snapshot().lines.refused.tls_required, 4);
    await empty(gateway);
  });

  it('answers other protocols with wrong_protocol, and counts them by kind', async (t) => {
    const gateway = await tlsGateway(t);
    for (const start of ['GET / HTTP/1.1\r\n', 'SSH-2.0-OpenSSH\r\n', 'PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n']) {
      const device = await raw(t, gateway);
      device.send(start);
      assert.deepEqual(await device.restCodes(), ['wrong_protocol']);
    }
    const { http, ssh, proxy } = gateway.snapshot().connections.wrongProtocol;
    assert.deepEqual([http, ssh, proxy], [1, 1, 1]);
  });

  it('closes what only looks like TLS, before any handshake', async (t) => {
    const gateway = await tlsGateway(t);
    const tooLong = Buffer.from([0x16, 3, 1, 0xff, 0xff, 1]);
    const noHello = Buffer.from([0x16, 3, 1, 0, 5, 2, 0, 0, 0, 0]);
    const emptyRecord = Buffer.from([0x16, 3, 1, 0, 0, 0x16]);
    const tooLongHello = Buffer.from([0x16, 3, 1, 0, 4, 1, 0, 0xff, 0xff]);
    const tiny = Buffer.from([0x16, 3, 1, 0, 1]);
    // A message of 4,000 bytes whose records hold one byte each.
    const endless = Buffer.concat(
      [1, 0, 0x0f, 0xa0, ...Buffer.alloc(4000)].map((byte) => Buffer.concat([tiny, Buffer.of(byte)])),
    );
    const all = [tooLong, noHello, emptyRecord, tooLongHello, endless.subarray(0, 17_000)];
    for (const [index, bytes] of all.entries()) {
      const device = await raw(t, gateway);
      device.send(bytes);
      assert.deepEqual(await device.rest(), []);
      await failed(gateway, 'handshake', index + 1);
    }
    await empty(gateway);
  });

  it('counts the bytes that TLS had taken in when a device was paused, until it ends', async (t) => {
    const gateway = await tlsGateway(t, { TCP_MAX_BYTES_PER_SECOND: '10000' });
    const device = await identified(t, gateway);
    // Each line is a record. Those that come during a pause are read at once, and the first of them brings the next pause.
    const line = `{"type":"keepalive"${' '.repeat(980)}}\n`;
    for (let n = 0; n < 40; n++) await new Promise((resolve) => device.socket.write(line, resolve));
    await waitFor('they count', () => gateway.snapshot().connections.bufferBytes > 8000);
    device.destroy();
    await gateway.stop();
    assert.equal(gateway.snapshot().connections.bufferBytes, 0);
  });

  it('closes a device that asks for a further handshake', async (t) => {
    const gateway = await tlsGateway(t);
    const device = await identified(t, gateway, { maxVersion: 'TLSv1.2' });
    (device.socket as TLSSocket).renegotiate({}, () => {});
    assert.deepEqual(await device.rest(), []);
    await empty(gateway);
    assert.equal(gateway.snapshot().tls.handshakes, 1);
  });

  it('gives a place before the handshake, so caps cost no signature', async (t) => {
    const gateway = await tlsGateway(t, { TCP_MAX_CONNECTIONS_PER_IP: '1' });
    await identified(t, gateway);
    await assert.rejects(secure(t, gateway));
    const { tls, connections } = gateway.snapshot();
    assert.deepEqual([tls.handshakes, connections.refused.address], [1, 1]);
    assert.deepEqual(Object.values(tls.failures).filter(Boolean), []);
  });

  it('ends connections in any state of the handshake when the gateway stops', async (t) => {
    const gateway = await tlsGateway(t, { TCP_TLS_MAX_HANDSHAKES: '1' });
    const devices = await Promise.all(Array.from({ length: 4 }, () => raw(t, gateway)));
    const [, partly, whole, waits] = devices;
    partly?.send(hello.subarray(0, 20));
    whole?.send(hello);
    waits?.send(hello);
    await waitFor('one waits', () => {
      const { waiting, underWay } = gateway.snapshot().tls;
      return waiting === 1 && underWay === 1;
    });
    const beganMs = performance.now();
    assert.equal((await gateway.stop()).complete, true);
    assert.ok(performance.now() - beganMs < 1000);
    for (const device of devices) await device.rest();
  });
});

describe('TCP_TLS_HANDSHAKE_TIMEOUT', () => {
  it('is told to a silent device in plain JSON, and closes one that has begun', async (t) => {
    const gateway = await tlsGateway(t, { TCP_TLS_HANDSHAKE_TIMEOUT: '300ms' });
    const [silent, partly, whole] = [await raw(t, gateway), await raw(t, gateway), await raw(t, gateway)];
    await waitFor('they count', () => gateway.snapshot().connections.waiting === 3);
    partly.send(hello.subarray(0, hello.length - 1));
    whole.send(hello);
    assert.deepEqual(await silent.restCodes(), ['handshake_timeout']);
    assert.deepEqual(await partly.rest(), []);
    await waitFor('the end of the third', () => whole.ended);
    await failed(gateway, 'timeout', 3);
    assert.equal(gateway.snapshot().lines.refused.handshake_timeout, 3);
    await empty(gateway);
    // The time does not run on after the handshake.
    const device = await identified(t, gateway);
    await new Promise((resolve) => setTimeout(resolve, 600));
    await assertAlive(device);
  });
});

describe('TCP_TLS_MAX_HANDSHAKES', () => {
  it('lets addresses take turns, and silent devices make room', async (t) => {
    const gateway = await tlsGateway(t, { TCP_TLS_MAX_HANDSHAKES: '2' });
    const silent = await Promise.all(Array.from({ length: 40 }, () => raw(t, gateway, '127.0.0.2')));
    for (const device of silent) device.send(hello);
    await waitFor('the others wait', () => gateway.snapshot().tls.waiting === 38);
    assert.equal(gateway.snapshot().tls.underWay, 2);
    const sinceMs = performance.now();
    await assertAlive(await identified(t, gateway));
    const ms = performance.now() - sinceMs;
    // The first that make room do so after 2 s, and then the other address has its turn.
    assert.ok(ms < 3500, `${ms} ms`);
    assert.ok(gateway.snapshot().tls.waiting >= 34);
  });

  it('forgets a device that leaves while it waits, and keeps little of one that goes on sending', async (t) => {
    const gateway = await tlsGateway(t, { TCP_TLS_MAX_HANDSHAKES: '1' });
    const [silent, leaves, floods] = [await raw(t, gateway), await raw(t, gateway), await raw(t, gateway)];
    silent.send(hello);
    await waitFor('it has the place', () => gateway.snapshot().tls.underWay === 1);
    leaves.send(hello);
    floods.send(hello);
    await waitFor('both wait', () => gateway.snapshot().tls.waiting === 2);
    leaves.socket.end();
    floods.send(Buffer.alloc(8 * 2 ** 20));
    await waitFor('one is gone', () => gateway.snapshot().tls.waiting === 1);
    await failed(gateway, 'gone');
    await waitFor('more than its first message is held', () => {
      return gateway.snapshot().connections.bufferBytes > hello.length + 1;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { bufferBytes } = gateway.snapshot().connections;
    assert.ok(bufferBytes <= hello.length + 65_536, `${bufferBytes} bytes are held`);
    silent.destroy();
    await failed(gateway, 'handshake');
    await empty(gateway);
  });

  it('begins no handshake with a device that has just left', async (t) => {
    const begun = mock.method(PlainSource.prototype, 'detach');
    t.after(() => begun.mock.restore());
    const gateway = await tlsGateway(t, { TCP_TLS_MAX_HANDSHAKES: '1' });
    for (let round = 1; round <= 5; round++) {
      const devices = await Promise.all(Array.from({ length: 5 }, () => raw(t, gateway)));
      for (const device of devices) device.send(hello);
      await waitFor('four wait', () => gateway.snapshot().tls.waiting === 4);
      for (const { socket } of devices) socket.resetAndDestroy();
      await failed(gateway, 'gone', 5 * round);
    }
    assert.equal(begun.mock.callCount(), 5);
    await empty(gateway);
  });

  it('are begun a few in each turn of the event loop, however many devices come at once', async (t) => {
    const gateway = await tlsGateway(t);
    const devices = await Promise.all(Array.from({ length: 80 }, () => raw(t, gateway)));
    await waitFor('all are accepted', () => gateway.snapshot().connections.waiting === 80);
    for (const device of devices) device.send(hello);
    let [begun, most] = [0, 0];
    while (begun < 80) {
      await new Promise((resolve) => setImmediate(resolve));
      const { underWay } = gateway.snapshot().tls;
      most = Math.max(most, underWay - begun);
      begun = underWay;
    }
    assert.ok(most <= 12, `${most} in one turn`);
  });

  it('makes nobody wait who is served at once', async (t) => {
    const gateway = await tlsGateway(t, { TCP_TLS_MAX_HANDSHAKES: '1' });
    const devices = await Promise.all(Array.from({ length: 20 }, () => identified(t, gateway)));
    assert.equal(gateway.snapshot().tls.handshakes, 20);
    for (const device of devices) device.destroy();
    await empty(gateway);
  });
});

describe('a device certificate', () => {
  const mutual = (t: TestContext, env: Env = {}) => tlsGateway(t, { TCP_TLS_CA: authority.ca, ...env });

  it('is required with TCP_TLS_CA, from the right authority, and valid', async (t) => {
    const gateway = await mutual(t);
    const good = await secure(t, gateway, pemOf(authority.sign('good')));
    good.send(IDENTIFY);
    assert.equal((await good.read()).status, 'identified');
    const other = new Authority(directory, 'another');
    const wrong = [{}, pemOf(other.sign('other')), pemOf(authority.sign('late', { isExpired: true }))];
    for (const [index, tls] of wrong.entries()) {
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const)
        await assertShut(t, gateway, { ...tls, maxVersion });
      await failed(gateway, 'certificate', 2 * (index + 1));
    }
    assert.equal(gateway.snapshot().tls.handshakes, 1);
  });

  it('that TCP_TLS_CRL revokes is refused, and the others are not', async (t) => {
    const by = new Authority(directory, 'revoking');
    const [good, stolen] = [by.sign('good'), by.sign('stolen')];
    const gateway = await mutual(t, { TCP_TLS_CA: by.ca, TCP_TLS_CRL: by.revocationList(stolen) });
    await identified(t, gateway, pemOf(good));
    await assertShut(t, gateway, pemOf(stolen));
    await failed(gateway, 'certificate');
  });

  it('of an authority below the root needs a list of both, which one file holds', async (t) => {
    const root = new Authority(directory, 'root');
    const middle = new Authority(directory, 'middle', root);
    const [good, stolen] = [middle.sign('good'), middle.sign('stolen')];
    const lists = join(directory, 'lists.crl');
    const both = [root.revocationList(), middle.revocationList(stolen)];
    writeFileSync(lists, both.map((path) => readFileSync(path, 'utf8')).join(''));
    const gateway = await mutual(t, { TCP_TLS_CA: root.ca, TCP_TLS_CRL: lists });
    const chained = (one: Identity) => {
      const { cert, key } = pemOf(one);
      return { cert: cert + readFileSync(middle.ca, 'utf8'), key };
    };
    await identified(t, gateway, chained(good));
    await assertShut(t, gateway, chained(stolen));
    await failed(gateway, 'certificate');
  });

  it('that is refused cannot come back with a session ticket', async (t) => {
    const gateway = await mutual(t);
    const other = new Authority(directory, 'foreign');
    for (const tls of [{}, pemOf(other.sign('other'))])
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        const session = await sessionOf(gateway, { ...tls, maxVersion });
        if (session !== undefined) await assertShut(t, gateway, { ...tls, maxVersion, session });
      }
    assert.equal(gateway.snapshot().tls.handshakes, 0);
  });

  it('that has expired since cannot come back with a session ticket', async (t) => {
    const gateway = await mutual(t);
    const tls = pemOf(authority.sign('short'));
    const versions = ['TLSv1.2', 'TLSv1.3'] as const;
    const sessions = await Promise.all(
      versions.map((maxVersion) => sessionOf(gateway, { ...tls, maxVersion })),
    );
    const comeBack = (index: number) => ({ ...tls, maxVersion: versions[index], session: sessions[index] });
    for (const index of versions.keys()) {
      const device = await identified(t, gateway, comeBack(index));
      assert.equal((device.socket as TLSSocket).isSessionReused(), true);
      device.destroy();
    }
    // For the gateway only: OpenSSL does not look at the certificate of a session.
    mock.timers.enable({ apis: ['Date'], now: Date.now() + 3 * 24 * 60 * 60 * 1000 });
    t.after(() => mock.timers.reset());
    for (const index of versions.keys()) await assertShut(t, gateway, comeBack(index));
    await failed(gateway, 'certificate', 2);
    await empty(gateway);
  });

  it('fixes the device_id: identify may leave it out, and may not name another', async (t) => {
    const gateway = await mutual(t, { TCP_TLS_DEVICE_ID: 'CN' });
    const tls = pemOf(authority.sign('meter-1'));
    const identify = (deviceId?: string) =>
      `${JSON.stringify({ type: 'identify', zipcode: '90210', city: 'x', device_id: deviceId })}\n`;
    const device = await secure(t, gateway, tls);
    device.send(identify());
    assert.equal((await device.read()).status, 'identified');
    const thief = await secure(t, gateway, tls);
    thief.send(identify('meter-2'));
    assert.deepEqual(await thief.restCodes(), ['unauthorized']);
    // The same device again, with its ticket: the id is that of the certificate, so the older connection is replaced.
    const again = await secure(t, gateway, { ...tls, session: await sessionOf(gateway, tls) });
    assert.equal((again.socket as TLSSocket).isSessionReused(), true);
    again.send(identify('meter-1'));
    assert.equal((await again.read()).status, 'identified');
    assert.deepEqual(await device.restCodes(), ['replaced']);
  });

  it('whose subject has no such part, or one that is no device_id, is refused over TLS', async (t) => {
    const gateway = await mutual(t, { TCP_TLS_DEVICE_ID: 'serialNumber' });
    const subjects = ['/CN=only', '/CN=x/serialNumber=a b', '/CN=x/serialNumber=one/serialNumber=two'];
    for (const [index, subject] of subjects.entries()) {
      const device = await secure(t, gateway, pemOf(authority.sign('x', { subject })));
      assert.deepEqual(await device.restCodes(), ['unauthorized']);
      device.halfClose();
      await failed(gateway, 'certificate', index + 1);
    }
    await identified(t, gateway, pemOf(authority.sign('x', { subject: '/CN=x/serialNumber=SN-77' })));
    assert.equal(gateway.snapshot().tls.handshakes, 1);
  });
});

describe('files that change', () => {
  it('serve new devices from then on, drop nobody, and are left alone while they are broken', async (t) => {
    const paths = { cert: join(directory, 'live.pem'), key: join(directory, 'live.key') };
    const put = ({ cert, key }: Identity) => {
      copyFileSync(cert, paths.cert);
      copyFileSync(key, paths.key);
    };
    put(server);
    const gateway = await tlsGateway(t, { TCP_TLS_CERT: paths.cert, TCP_TLS_KEY: paths.key });
    const early = await identified(t, gateway);
    const nameOf = (device: Device) => (device.socket as TLSSocket).getPeerCertificate().subject.CN;
    assert.equal(nameOf(early), 'gateway');

    writeFileSync(paths.cert, 'broken');
    gateway.app.reloadFiles();
    await waitFor('it is said', () =>
      gateway.log.some(({ msg }) =>
        /TCP_TLS_CERT.*cannot be used, and nothing changes until it is valid/.test(msg),
      ),
    );
    const meanwhile = await identified(t, gateway);
    assert.equal(nameOf(meanwhile), 'gateway');

    put(authority.sign('renewed'));
    gateway.app.reloadFiles();
    await waitFor('it is in use', () => gateway.log.some(({ msg }) => /the new content is in use/.test(msg)));
    assert.equal(nameOf(await identified(t, gateway)), 'renewed');
    for (const device of [early, meanwhile]) await assertAlive(device);
  });

  it('make session tickets void if they are the CA or the CRL', async (t) => {
    const by = new Authority(directory, 'reloaded');
    const stolen = by.sign('stolen');
    const tls = pemOf(stolen);
    const gateway = await tlsGateway(t, { TCP_TLS_CA: by.ca, TCP_TLS_CRL: by.revocationList() });
    const session = await sessionOf(gateway, tls);
    assert.ok(session);
    const resumed = await secure(t, gateway, { ...tls, session });
    assert.equal((resumed.socket as TLSSocket).isSessionReused(), true);
    by.revocationList(stolen);
    gateway.app.reloadFiles();
    await waitFor('it is in use', () => gateway.log.some(({ msg }) => /the new content is in use/.test(msg)));
    await assertShut(t, gateway, { ...tls, session });
    await failed(gateway, 'certificate');
    resumed.send(IDENTIFY);
    assert.equal((await resumed.read()).status, 'identified');
  });
});

describe('the expiry of certificates', () => {
  it('is a figure in days, and a warning when it comes near', async (t) => {
    const long = authority.sign('long', { days: 200 });
    const gateway = await tlsGateway(t, { TCP_TLS_CERT: long.cert, TCP_TLS_KEY: long.key });
    const { cert = 0 } = gateway.snapshot().tls.daysLeft;
    assert.ok(cert > 199.9 && cert <= 200, `${cert} days`);
    const warned = (of: Gateway) =>
      of.log.filter(({ msg }) => /certificate (expires soon|has expired)/.test(msg));
    assert.deepEqual(warned(gateway), []);
    assert.equal(stateOf(gateway.snapshot(), 'certificates'), 'ok ok');
    const late = authority.sign('late', { isExpired: true });
    const expired = await tlsGateway(t, { TCP_TLS_CERT: late.cert, TCP_TLS_KEY: late.key });
    assert.equal(warned(expired).length, 1);
    assert.ok((expired.snapshot().tls.daysLeft.cert ?? 0) < 0);
    assert.equal(stateOf(expired.snapshot(), 'certificates'), 'failed expired');
  });
});

async function identified(t: TestContext, gateway: Gateway, tls: ConnectionOptions = {}): Promise<Device> {
  const device = await secure(t, gateway, tls);
  device.send(IDENTIFY);
  assert.equal((await device.read()).status, 'identified');
  return device;
}

/** The gateway lets nothing of this device in, and says nothing. TLS 1.3 may let the device believe in its handshake. */
async function assertShut(t: TestContext, gateway: Gateway, tls: ConnectionOptions): Promise<void> {
  const device = await secure(t, gateway, tls).catch(() => undefined);
  device?.send(IDENTIFY);
  assert.deepEqual(await device?.rest(), device && []);
}

/** The session ticket that the device gets, if any. */
async function sessionOf(gateway: Gateway, tls: ConnectionOptions): Promise<Buffer | undefined> {
  const socket = connectTls({ port: gateway.tlsPort, host: '127.0.0.1', rejectUnauthorized: false, ...tls });
  socket.on('error', () => {});
  const session = new Promise<Buffer | undefined>((resolve) => {
    socket.once('session', resolve);
    socket.once('close', () => resolve(undefined));
  });
  await session;
  socket.destroy();
  return session;
}

/** Writes each byte in a packet of its own. */
function byteByByte(socket: Socket): Duplex {
  socket.removeAllListeners('data');
  const stream: Duplex = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => void send(chunk).then(() => done()),
  });
  socket.on('data', (bytes) => stream.push(bytes));
  async function send(chunk: Buffer): Promise<void> {
    for (const byte of chunk) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return stream;
}
