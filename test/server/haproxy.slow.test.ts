// The gateway behind a real HAProxy: PROXY headers of both versions, health checks, and the real address wherever an
// address counts, also over several processes.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '../../scripts/kafka/ports.ts';
import { Authority } from '../support/authority.ts';
import { Device, IDENTIFY } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Gateway, gatewayFor, warningsOf } from '../support/gateway.ts';
import { runGateway } from '../support/gateway-process.ts';
import { Haproxy, hasHaproxy } from '../support/haproxy.ts';
import { waitFor } from '../support/wait.ts';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));
/** HAProxy connects to the gateway from here. */
const PROXY = '127.0.0.2';
const BEHIND_PROXY = { TCP_PROXY_PROTOCOL: 'on', TCP_PROXY_TRUSTED: `${PROXY}/32` };

interface Listener {
  readonly bind?: string;
  /** Options of its server. */
  readonly server: string;
  readonly more?: readonly string[];
}

/** An HAProxy with these listeners. Resolves with their ports. */
async function haproxyFor(
  t: TestContext,
  gatewayPort: number,
  listeners: Readonly<Record<string, Listener>>,
): Promise<{ haproxy: Haproxy; ports: Record<string, number> }> {
  const ports: Record<string, number> = {};
  let sections = '';
  for (const [name, { bind = '127.0.0.1:PORT', server, more = [] }] of Object.entries(listeners)) {
    const port = await freePort();
    ports[name] = port;
    sections += `listen ${name}\n  bind ${bind.replace('PORT', String(port))}\n`;
    sections += `  server gateway 127.0.0.1:${gatewayPort} source ${PROXY} ${server}\n`;
    for (const line of more) sections += `  ${line}\n`;
  }
  return { haproxy: await Haproxy.start(t, sections), ports };
}

/** The addresses in the dead letters of a stopped gateway, by the refused line. */
async function deadLetterAddresses(spool: string): Promise<Record<string, string>> {
  const args = [MAIN, 'spool', 'cat', '--dead-letters', '--dir', spool];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { PATH: process.env.PATH ?? '' },
  });
  const letters = stdout.split('\n').filter((line) => line !== '');
  return Object.fromEntries(
    letters.map((line) => {
      const { value, headers } = JSON.parse(line) as { value: string; headers: Record<string, string> };
      return [value, headers.remote_address ?? ''];
    }),
  );
}

/** Nothing was refused or failed, but for lines that the test has made invalid. */
function assertNoErrors(gateway: Gateway): void {
  const { connections, lines, tls } = gateway.snapshot();
  const { client, own, ...faults } = connections.proxyHeaders;
  assert.ok(client + own >= connections.accepted);
  const { invalid_json: _, ...refused } = lines.refused;
  for (const counts of [faults, connections.wrongProtocol, connections.refused, refused, tls.failures])
    assert.deepEqual(new Set(Object.values(counts)), new Set([0]), JSON.stringify(counts));
  assert.deepEqual(warningsOf(gateway), []);
}

test('HAProxy names the devices behind it, with v1 and v2, over IPv4 and IPv6', async (t) => {
  if (!hasHaproxy(t)) return;
  const spool = join(temporaryDirectory(t), 'spool');
  const gateway = await gatewayFor(t, { ...BEHIND_PROXY, SPOOL_DIR: spool });
  const both = { bind: ':::PORT v4v6' };
  const { ports } = await haproxyFor(t, gateway.port, {
    v1: { server: 'send-proxy' },
    v2: { server: 'send-proxy-v2' },
    tlvs: { server: 'send-proxy-v2 proxy-v2-options unique-id,crc32c,authority,ssl,cert-cn' },
    'v1-dual': { ...both, server: 'send-proxy' },
    'v2-dual': { ...both, server: 'send-proxy-v2' },
  });
  const expected: Record<string, string> = {};
  for (const [name, host, localAddress, address = localAddress] of [
    ['v1', '127.0.0.1', '127.0.0.5'],
    ['v2', '127.0.0.1', '127.0.0.6'],
    ['tlvs', '127.0.0.1', '127.0.0.7'],
    ['v1-dual', '::1', '::1'],
    ['v2-dual', '::1', '::1'],
    ['v1-dual', '127.0.0.1', '127.0.0.8', '::ffff:127.0.0.8'],
    ['v2-dual', '127.0.0.1', '127.0.0.9', '::ffff:127.0.0.9'],
  ] as const) {
    const device = await Device.connect(ports[name] ?? 0, { host, localAddress });
    t.after(() => device.destroy());
    const line = `no JSON from ${address} by ${name}`;
    device.send(`${IDENTIFY}${line}\n`);
    assert.equal((await device.read()).status, 'identified', line);
    assert.equal((await device.read()).code, 'invalid_json');
    expected[line] = address;
  }
  assert.equal(gateway.snapshot().connections.proxyHeaders.client, 7);
  await gateway.stop();
  assert.deepEqual(await deadLetterAddresses(spool), expected);
});

test('caps and takeovers know the devices behind HAProxy, over several processes', async (t) => {
  if (!hasHaproxy(t)) return;
  const directory = temporaryDirectory(t);
  const own = { TCP_PROCESSES: '2', KAFKA_BROKERS: '', SPOOL_DIR: join(directory, 'spool') };
  const gateway = await runGateway(t, directory, {
    ...own,
    ...BEHIND_PROXY,
    TCP_MAX_CONNECTIONS_PER_IP: '6',
  });
  const { ports } = await haproxyFor(t, gateway.port, { devices: { server: 'send-proxy-v2' } });
  const connect = async (localAddress: string, id: string) => {
    const device = await Device.connect(ports.devices ?? 0, { localAddress });
    t.after(() => device.destroy());
    device.send(`{"type":"identify","zipcode":"1","city":"a","device_id":"${id}"}\n`);
    return device;
  };
  for (const address of ['127.0.0.5', '127.0.0.6']) {
    const devices = await Promise.all(
      Array.from({ length: 10 }, (_, n) => connect(address, `${address}-${n}`)),
    );
    const replies = await Promise.all(devices.map((device) => device.read()));
    assert.equal(replies.filter(({ status }) => status === 'identified').length, 6, address);
    assert.equal(replies.filter(({ code }) => code === 'server_full').length, 4, address);
  }
  await waitFor('both have their places', () => gateway.stats.connections.identified === 12);
  const [taken] = await Promise.all(['127.0.0.7', '127.0.0.8'].map((address) => connect(address, 'one')));
  assert.equal((await taken?.read())?.status, 'identified');
  const found = await waitFor('the takeover is in the log', () =>
    gateway.log.find(({ msg }) => msg.includes('one device_id')),
  );
  assert.deepEqual([found.from, found.to].sort(), ['127.0.0.7', '127.0.0.8']);
});

test('health checks of HAProxy succeed, and are no errors', async (t) => {
  if (!hasHaproxy(t)) return;
  const gateway = await gatewayFor(t, BEHIND_PROXY);
  const { haproxy } = await haproxyFor(t, gateway.port, {
    v1: { server: 'send-proxy check inter 20' },
    v2: { server: 'send-proxy-v2 check inter 20' },
    bare: { server: 'check inter 20' },
    identify: {
      server: 'send-proxy-v2 check inter 20',
      more: [
        'option tcp-check',
        'tcp-check connect send-proxy',
        String.raw`tcp-check send "{\"type\":\"identify\",\"zipcode\":\"check\",\"city\":\"check\"}\n"`,
        'tcp-check expect string identified',
      ],
    },
  });
  // HAProxy resets a connection as soon as it stands, so the gateway does not see each of them. Checks of version 1 name
  // the address of HAProxy itself, the others are LOCAL.
  await waitFor('many checks', async () => {
    const { client, own } = gateway.snapshot().connections.proxyHeaders;
    return (
      client >= 2 && own >= 10 && [...(await haproxy.checks()).values()].every((result) => result !== 'INI')
    );
  });
  const checks = Object.fromEntries(await haproxy.checks());
  assert.deepEqual(checks, { v1: 'L4OK', v2: 'L4OK', bare: 'L4OK', identify: 'L7OK' });
  assertNoErrors(gateway);
});

test('headers come before TLS, whether HAProxy passes TLS on or speaks it', async (t) => {
  if (!hasHaproxy(t)) return;
  const directory = temporaryDirectory(t);
  const authority = new Authority(directory, 'authority');
  const { cert, key } = authority.sign('gateway');
  const spool = join(directory, 'spool');
  // A start that has to create it warns.
  mkdirSync(spool);
  const tls = { TCP_TLS_PORT: '0', TCP_TLS_CERT: cert, TCP_TLS_KEY: key, TCP_PORT: '' };
  const gateway = await gatewayFor(t, { ...BEHIND_PROXY, ...tls, SPOOL_DIR: spool });
  const ssl = `ssl verify required ca-file ${authority.ca}`;
  const { haproxy, ports } = await haproxyFor(t, gateway.tlsPort, {
    passes: { server: 'send-proxy-v2 check inter 20' },
    'passes-v1': { server: 'send-proxy' },
    speaks: { server: `send-proxy-v2 ${ssl} check check-ssl inter 500 fall 20` },
    bare: { server: 'check inter 20' },
  });
  const expected: Record<string, string> = {};
  for (const [name, localAddress] of [
    ['passes', '127.0.0.5'],
    ['passes-v1', '127.0.0.6'],
    ['speaks', '127.0.0.7'],
  ] as const) {
    const encrypted =
      name === 'speaks' ? undefined : { ca: readFileSync(authority.ca), rejectUnauthorized: true };
    const device = await Device.connect(ports[name] ?? 0, { localAddress, tls: encrypted });
    t.after(() => device.destroy());
    device.send(`${IDENTIFY}${name}\n`);
    assert.equal((await device.read()).status, 'identified', name);
    assert.equal((await device.read()).code, 'invalid_json');
    expected[name] = localAddress;
  }
  await waitFor('many checks', async () => {
    const checks = await haproxy.checks();
    return gateway.snapshot().connections.proxyHeaders.own >= 10 && ![...checks.values()].includes('INI');
  });
  assert.deepEqual(Object.fromEntries(await haproxy.checks()), {
    passes: 'L4OK',
    speaks: 'L6OK',
    bare: 'L4OK',
  });
  assertNoErrors(gateway);
  await gateway.stop();
  assert.deepEqual(await deadLetterAddresses(spool), expected);
});

test('devices behind an HAProxy that sends no header hear why they are closed', async (t) => {
  if (!hasHaproxy(t)) return;
  const gateway = await gatewayFor(t, BEHIND_PROXY);
  const { ports } = await haproxyFor(t, gateway.port, { devices: { server: '' } });
  const device = await Device.connect(ports.devices ?? 0);
  device.send(IDENTIFY);
  const { code, message } = await device.read();
  assert.deepEqual([code, message], ['wrong_protocol', 'a PROXY header has to come first from this address']);
  device.destroy();
});
