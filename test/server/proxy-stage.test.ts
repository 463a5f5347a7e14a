// The PROXY stage: the duties of a trusted proxy, the limits of everybody else, and whose address counts.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it, type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { Authority } from '../support/authority.ts';
import { clientHello } from '../support/client-hello.ts';
import { Device, IDENTIFY } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Env, type Gateway, gatewayFor, warningsOf } from '../support/gateway.ts';
import { block4, block6, LOCAL, TCP4, TCP6, v1, v2 } from '../support/proxy-headers.ts';
import { waitFor } from '../support/wait.ts';
import { assertAlive, assertBalance, listen, sinkOf, testClock } from './stage.ts';

const TRUSTED = '127.0.0.2';
const OTHER = '127.0.0.3';
const CLIENT = '203.0.113.7';
const READING = '{"type":"metrics","data":{"a":1}}\n';
const from4 = (address: string) => v2({ family: TCP4, body: block4(address) });

function gatewayBehindProxy(t: TestContext, env: Env = {}): Promise<Gateway> {
  return gatewayFor(t, { TCP_PROXY_PROTOCOL: 'on', TCP_PROXY_TRUSTED: TRUSTED, ...env });
}

/** A connection of the proxy. */
async function proxied(t: TestContext, port: number, first?: Uint8Array | string): Promise<Device> {
  const device = await Device.connect(port, { localAddress: TRUSTED });
  t.after(() => device.destroy());
  if (first !== undefined) device.send(first);
  return device;
}

function results({ snapshot }: Pick<Gateway, 'snapshot'>): Record<string, number> {
  const counts = Object.entries(snapshot().connections.proxyHeaders);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

const refusals = ({ snapshot }: Gateway) => Object.values(snapshot().lines.refused).reduce((a, b) => a + b);

describe('a trusted proxy', () => {
  for (const [name, header] of [
    ['v1', v1(CLIENT)],
    ['v2', from4(CLIENT)],
  ] as const) {
    it(`brings a device with ${name}, in one packet with its first lines and its end`, async (t) => {
      const gateway = await gatewayBehindProxy(t);
      const device = await proxied(t, gateway.port, Buffer.concat([header, Buffer.from(IDENTIFY + READING)]));
      device.halfClose();
      await waitFor('the end', () => device.ended);
      assert.equal((await device.read()).status, 'identified');
      assert.equal(gateway.snapshot().records.accepted, 1);
      assert.deepEqual(results(gateway), { client: 1 });
      assert.deepEqual([refusals(gateway), warningsOf(gateway)], [0, []]);
      assertBalance(gateway.snapshot());
    });

    it(`brings a device with ${name}, byte by byte`, async (t) => {
      const gateway = await gatewayBehindProxy(t);
      const device = await proxied(t, gateway.port);
      for (const byte of header) {
        device.send(Buffer.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      device.send(IDENTIFY);
      assert.equal((await device.read()).status, 'identified');
      await assertAlive(device);
    });
  }

  it('is known by its IPv4 address on a port for IPv6 and IPv4', async (t) => {
    const gateway = await gatewayBehindProxy(t, { TCP_HOST: '::' });
    const device = await proxied(t, gateway.port, Buffer.concat([from4(CLIENT), Buffer.from(IDENTIFY)]));
    assert.equal((await device.read()).status, 'identified');
    const bare = await proxied(t, gateway.port, IDENTIFY);
    assert.deepEqual(await bare.restCodes(), ['wrong_protocol']);
    assert.deepEqual(results(gateway), { client: 1, missing: 1 });
  });

  it('that only looks whether the gateway is there makes no error: LOCAL, or no byte at all', async (t) => {
    const gateway = await gatewayBehindProxy(t);
    const checks: ((device: Device) => void)[] = [(one) => one.halfClose(), (one) => one.reset()];
    for (const end of checks) {
      end(await proxied(t, gateway.port));
      const local = await proxied(t, gateway.port, v2({ command: LOCAL }));
      await waitFor('its place', () => gateway.snapshot().connections.active === 1);
      end(local);
      await waitFor('its end', () => gateway.snapshot().connections.active === 0);
    }
    await waitFor('nobody waits', () => gateway.snapshot().connections.waiting === 0);
    assert.deepEqual(results(gateway), { own: 2 });
    assert.deepEqual([refusals(gateway), warningsOf(gateway)], [0, []]);
  });

  it('may send lines of its own behind LOCAL, UNKNOWN and AF_UNIX', async (t) => {
    const gateway = await gatewayBehindProxy(t, { TCP_MAX_CONNECTIONS_PER_IP: '1' });
    const headers = [
      v2({ command: LOCAL }),
      Buffer.from('PROXY UNKNOWN\r\n'),
      v2({ family: 0x31, body: Buffer.alloc(216) }),
    ];
    for (const header of headers) {
      const device = await proxied(t, gateway.port, Buffer.concat([header, Buffer.from(IDENTIFY)]));
      assert.equal((await device.read()).status, 'identified');
      // They have the address of the proxy.
      const second = await proxied(t, gateway.port, header);
      assert.deepEqual(await second.restCodes(), ['server_full']);
      device.destroy();
      await waitFor('its end', () => gateway.snapshot().connections.active === 0);
    }
  });

  for (const [name, bytes, fault] of [
    ['sends a line instead', IDENTIFY + READING, 'missing'],
    ['sends an HTTP request instead', 'GET / HTTP/1.1\r\n\r\n', 'missing'],
    ['sends a broken header', `PROXY TCP4 1.2.3 4.5.6.7 1 2\r\n${IDENTIFY}`, 'malformed'],
    ['says a length that is too long', v2({ length: 9000 }), 'too_long'],
  ] as const)
    it(`that ${name} is closed, counted and logged, and no line counts`, async (t) => {
      const gateway = await gatewayBehindProxy(t);
      const bad = await proxied(t, gateway.port, bytes);
      assert.deepEqual(await bad.restCodes(), ['wrong_protocol']);
      assert.deepEqual(results(gateway), { [fault]: 1 });
      const { lines, connections } = gateway.snapshot();
      assert.deepEqual([lines.received, lines.refused.wrong_protocol, connections.accepted], [0, 1, 0]);
      const [warning] = warningsOf(gateway);
      assert.match(warning?.msg ?? '', /PROXY header/);
      assert.equal(warning?.remoteAddress, TRUSTED);
    });

  it('that sends a second header is refused as anybody else', async (t) => {
    const gateway = await gatewayBehindProxy(t);
    const bad = await proxied(t, gateway.port, Buffer.concat([v1(CLIENT), from4('198.51.100.1')]));
    assert.deepEqual(await bad.restCodes(), ['wrong_protocol']);
    const [warning] = warningsOf(gateway);
    assert.deepEqual([warning?.protocol, warning?.remoteAddress], ['proxy', CLIENT]);
  });

  it('that leaves within its header is counted', async (t) => {
    const gateway = await gatewayBehindProxy(t);
    (await proxied(t, gateway.port, from4(CLIENT).subarray(0, 20))).halfClose();
    await waitFor('it counts', () => results(gateway).incomplete === 1);
    assert.equal(gateway.snapshot().connections.waiting, 0);
  });
});

describe('anybody else', () => {
  it('is served under its own address, without a header', async (t) => {
    const gateway = await gatewayBehindProxy(t, { TCP_MAX_CONNECTIONS_PER_IP: '1' });
    const device = await Device.identified(gateway.port, { localAddress: OTHER });
    const second = await Device.connect(gateway.port, { localAddress: OTHER });
    assert.deepEqual(await second.restCodes(), ['server_full']);
    await assertAlive(device);
    for (const one of [device, second]) one.destroy();
    assert.deepEqual(results(gateway), {});
  });

  for (const [name, header] of [
    ['v1', v1(CLIENT)],
    ['v2', from4(CLIENT)],
    ['LOCAL', v2({ command: LOCAL })],
  ] as const)
    for (const isOn of [true, false])
      it(`is closed for a header (${name}), with TCP_PROXY_PROTOCOL=${isOn}`, async (t) => {
        const gateway = await (isOn ? gatewayBehindProxy(t) : gatewayFor(t));
        const bad = await Device.connect(gateway.port, { localAddress: OTHER });
        for (const byte of header) bad.send(Buffer.of(byte));
        bad.send(IDENTIFY);
        assert.deepEqual(await bad.restCodes(), ['wrong_protocol']);
        bad.destroy();
        const { connections, lines } = gateway.snapshot();
        assert.deepEqual([connections.wrongProtocol.proxy, lines.received], [1, 0]);
        assert.equal(warningsOf(gateway)[0]?.remoteAddress, OTHER);
      });
});

describe('the address that a trusted proxy names', () => {
  it('counts for the cap by address, a /64 as one', async (t) => {
    const gateway = await gatewayBehindProxy(t, { TCP_MAX_CONNECTIONS_PER_IP: '1' });
    const from6 = (host: string) => v2({ family: TCP6, body: block6(`20010db8000000010000${host}`) });
    const mapped = v2({ family: TCP6, body: block6(`${'0'.repeat(20)}ffffcb007107`) });
    for (const [first, same, other] of [
      [from4(CLIENT), v1(CLIENT), from4('203.0.113.8')],
      [from4(CLIENT), mapped, from4('203.0.113.9')],
      [from6('000000000001'), from6('aaaabbbbcccc'), v1('2001:db8:0:2::1', '::1')],
    ] as const) {
      const device = await proxied(t, gateway.port, Buffer.concat([first, Buffer.from(IDENTIFY)]));
      assert.equal((await device.read()).status, 'identified');
      assert.deepEqual(await (await proxied(t, gateway.port, same)).restCodes(), ['server_full']);
      const neighbour = await proxied(t, gateway.port, Buffer.concat([other, Buffer.from(IDENTIFY)]));
      assert.equal((await neighbour.read()).status, 'identified');
      for (const one of [device, neighbour]) one.destroy();
      await waitFor('they end', () => gateway.snapshot().connections.active === 0);
    }
  });

  it('counts for the rate of accepts', async (t) => {
    const gateway = await gatewayBehindProxy(t, { TCP_MAX_ACCEPTS_PER_SECOND: '1' });
    const identify = async (address: string) => {
      const device = await proxied(t, gateway.port, Buffer.concat([from4(address), Buffer.from(IDENTIFY)]));
      await device.read();
    };
    const since = performance.now();
    for (let n = 0; n < 20; n++) await identify(`203.0.113.${n}`);
    assert.ok(performance.now() - since < 900, 'twenty addresses are not slowed down');
    await identify('203.0.113.1');
    assert.ok(performance.now() - since > 900, 'one address is');
  });

  it('is in the log of takeovers', async (t) => {
    const gateway = await gatewayBehindProxy(t);
    const identify = '{"type":"identify","zipcode":"1","city":"a","device_id":"d"}\n';
    for (const address of [CLIENT, '198.51.100.9']) {
      const device = await proxied(t, gateway.port, Buffer.concat([from4(address), Buffer.from(identify)]));
      await device.read();
    }
    const taken = gateway.log.find(({ msg }) => msg.includes('one device_id'));
    assert.deepEqual([taken?.from, taken?.to], [CLIENT, '198.51.100.9']);
  });
});

function gatewayWithTls(t: TestContext, env: Env = {}): Promise<Gateway> {
  const { cert, key } = new Authority(temporaryDirectory(t), 'authority').sign('gateway');
  return gatewayBehindProxy(t, { TCP_TLS_PORT: '0', TCP_TLS_CERT: cert, TCP_TLS_KEY: key, ...env });
}

describe('before TLS', () => {
  it('the address of the header holds for caps, without a handshake, and for the device', async (t) => {
    const gateway = await gatewayWithTls(t, { TCP_MAX_CONNECTIONS_PER_IP: '1' });
    const handshake = async (header: Buffer) => {
      const { socket } = await proxied(t, gateway.tlsPort, header);
      const secure = connectTls({ socket, rejectUnauthorized: false });
      secure.on('error', () => {});
      return secure;
    };
    const secure = await handshake(from4(CLIENT));
    secure.write(`{"type":"identify","zipcode":"1","city":"a"}\n`);
    assert.match(String(await once(secure, 'data')), /identified/);
    const second = await handshake(from4(CLIENT));
    await assert.rejects(once(second, 'secureConnect'));
    assert.equal(gateway.snapshot().tls.handshakes, 1);
    assert.equal(gateway.snapshot().connections.refused.address, 1);
    await once(await handshake(v1('203.0.113.8')), 'secureConnect');
  });

  it('a header and a ClientHello may come in one packet, and a LOCAL peer may leave within its handshake', async (t) => {
    const gateway = await gatewayWithTls(t);
    const hello = await clientHello();
    for (const header of [from4(CLIENT), v2({ command: LOCAL })]) {
      const device = await proxied(t, gateway.tlsPort);
      const answer = once(device.socket, 'data') as Promise<[Buffer]>;
      device.send(Buffer.concat([header, hello]));
      assert.equal((await answer)[0][0], 0x16, 'the record of a handshake');
      device.reset();
      await waitFor(
        'its end',
        () => gateway.snapshot().connections.accepted > 0 && gateway.snapshot().tls.underWay === 0,
      );
    }
    await waitFor('the first one counts', () => gateway.snapshot().tls.failures.gone === 1);
    assert.deepEqual(results(gateway), { client: 1, own: 1 });
  });

  it('a trusted proxy without a header is closed, and a header of anybody else is refused', async (t) => {
    const gateway = await gatewayWithTls(t);
    const bare = await proxied(t, gateway.tlsPort, await clientHello());
    assert.deepEqual(await bare.rest(), []);
    assert.deepEqual(results(gateway), { missing: 1 });
    const other = await Device.connect(gateway.tlsPort, { localAddress: OTHER });
    for (const byte of from4(CLIENT)) other.send(Buffer.of(byte));
    assert.deepEqual(await other.restCodes(), ['wrong_protocol']);
    other.destroy();
    const { connections, tls } = gateway.snapshot();
    assert.deepEqual([connections.wrongProtocol.proxy, tls.failures.wrong_protocol], [1, 1]);
    const device = await Device.identified(gateway.tlsPort, { localAddress: OTHER, tls: {} });
    await assertAlive(device);
    device.destroy();
  });
});

const sink = sinkOf(() => true);

test('a header has 5 s to come, whatever of it comes, and others are served meanwhile', async (t) => {
  const clock = testClock(t);
  const { server, port } = await listen(t, sink, { wheel: clock.wheel, trusted: [TRUSTED] });
  const header = from4(CLIENT);
  const [late, inTime] = [await proxied(t, port, header.subarray(0, 1)), await proxied(t, port)];
  await clock.pass(2500);
  late.send(header.subarray(1, 27));
  await clock.pass(2400);
  inTime.send(Buffer.concat([header, Buffer.from(IDENTIFY)]));
  assert.equal((await inTime.read()).status, 'identified');
  const good = await Device.identified(port);
  assert.ok(!late.ended);
  await clock.pass(300);
  assert.deepEqual(await late.restCodes(), ['wrong_protocol']);
  assert.deepEqual([server.counters.proxyHeaders.timeout, server.counters.proxyHeaders.client], [1, 1]);
  await clock.pass(5000);
  assert.ok(!inTime.ended);
  good.destroy();
});

test('only so many silent connections wait, and they keep no proxy out', async (t) => {
  // No time passes, so that no deadline ends them.
  const { server, port } = await listen(t, sink, {
    wheel: testClock(t).wheel,
    trusted: [TRUSTED],
    maxWaiting: 100,
  });
  const silent: Device[] = [];
  for (let n = 0; n < 106; n++) silent.push(await proxied(t, port));
  await waitFor('six give way', () => silent.filter(({ ended }) => ended).length === 6);
  assert.ok(
    silent.slice(0, 6).every(({ ended }) => ended),
    'the oldest',
  );
  const device = await proxied(t, port, Buffer.concat([v1(CLIENT), Buffer.from(IDENTIFY)]));
  assert.equal((await device.read()).status, 'identified');
  assert.equal(server.counters.proxyHeaders.overload, 7);
});

test('headers in pieces hold 1 MiB at most, and one that comes at once is taken all the same', async (t) => {
  const { server, port } = await listen(t, sink, { trusted: [TRUSTED] });
  const long = v2({ family: TCP4, body: Buffer.concat([block4(CLIENT), Buffer.alloc(4068)]) });
  for (let n = 0; n < 280; n++) await proxied(t, port, long.subarray(0, -1));
  await waitFor('some have no room', () => server.counters.proxyHeaders.overload > 10);
  const device = await proxied(t, port, Buffer.concat([from4(CLIENT), Buffer.from(IDENTIFY)]));
  assert.equal((await device.read()).status, 'identified');
});

for (const port of ['port', 'tlsPort'] as const)
  test(`bytes behind headers hold 16 MiB at most while connections wait for their place (${port})`, async (t) => {
    const gateway = await gatewayWithTls(t, { TCP_MAX_ACCEPTS_PER_SECOND: '5' });
    const flood = Buffer.concat([from4(CLIENT), Buffer.alloc(60_000, 'x')]);
    const floods: Device[] = [];
    // A rate of 5 lets 300 connections wait, for a minute.
    for (let n = 0; n < 300; n++) floods.push(await proxied(t, gateway[port], flood));
    const other = Buffer.concat([from4('203.0.113.9'), flood.subarray(28)]);
    for (let n = 0; n < 300; n++) floods.push(await proxied(t, gateway[port], other));
    await waitFor('some have no room', () => (results(gateway).overload ?? 0) > 50);
    const device = await proxied(
      t,
      gateway.port,
      Buffer.concat([from4('203.0.113.8'), Buffer.from(IDENTIFY)]),
    );
    assert.equal((await device.read()).status, 'identified');
  });

test('a stop does not wait for headers', async (t) => {
  const gateway = await gatewayBehindProxy(t);
  const device = await proxied(t, gateway.port);
  await waitFor('it waits', () => gateway.snapshot().connections.waiting === 1);
  const since = performance.now();
  await gateway.stop();
  assert.ok(performance.now() - since < 1000);
  await waitFor('its end', () => device.ended);
});
