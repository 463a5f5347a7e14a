// Other protocols on the port of devices: each closes its connection at the first bytes, and nothing in it counts.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import { connect as tlsConnect } from 'node:tls';
import type { ForeignProtocol } from '../../src/protocol/foreign-protocol.ts';
import { Device, IDENTIFY } from '../support/device.ts';
import { type Gateway, gatewayFor } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';
import { assertAlive, assertBalance } from './stage.ts';

const METRICS = '{"type":"metrics","data":{"a":1}}\n';
const SMB2 = '\xfeSMB@\0\0\0';
const LINES = `\n${IDENTIFY}${METRICS}`;

/** Latin-1. The lines behind them would count if the bytes were taken for a device's. */
const BEGINNINGS: readonly (readonly [ForeignProtocol, name: string, bytes: string])[] = [
  ['http', 'POST', 'POST / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['http', 'GET of HTTP/0.9', 'GET /\r\n'],
  ['http', 'a method in small letters', 'post / HTTP/1.1\r\n\r\n'],
  ['http', 'HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['http', 'a method that nobody knows', 'FROBNICATE /x HTTP/1.1\r\n\r\n'],
  ['http', 'a request behind empty lines', '\r\n \r\n PUT /x HTTP/1.1\r\n\r\n'],
  ['http', 'a request behind a line', 'hello\nGET / HTTP/1.1\r\n\r\n'],
  ['tls', 'a ClientHello with line feeds', '\x16\x03\x01\n\n'],
  ['ssh', 'SSH', 'SSH-2.0-OpenSSH_9.6\r\n'],
  ['smb', 'SMB 1', '\xffSMBr\0\0\0'],
  ['smb', 'SMB 2 behind a NetBIOS header with a line feed', `\0\0\n\n${SMB2}`],
  ['proxy', 'PROXY v1', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n'],
  ['proxy', 'PROXY v2', '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c'],
];

async function sendOneByOne(device: Device, bytes: Buffer): Promise<void> {
  for (const byte of bytes) {
    if (device.ended) return;
    device.send(Buffer.of(byte));
    await new Promise((resolve) => device.socket.write('', resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function counted(gateway: Gateway): Partial<Record<ForeignProtocol, number>> {
  const counts = Object.entries(gateway.snapshot().connections.wrongProtocol);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

async function gatewayWithDevice(t: TestContext): Promise<{ gateway: Gateway; good: Device }> {
  const gateway = await gatewayFor(t);
  return { gateway, good: await Device.identified(gateway.port) };
}

describe('a connection that begins with', () => {
  for (const [protocol, name, text] of BEGINNINGS) {
    for (const pace of ['in one write', 'byte by byte'] as const) {
      it(`${name} is closed with wrong_protocol and counted as ${protocol}, ${pace}`, async (t) => {
        const { gateway, good } = await gatewayWithDevice(t);
        const bad = await Device.connect(gateway.port);
        const bytes = Buffer.from(text + LINES, 'latin1');
        if (pace === 'in one write') bad.send(bytes);
        else await sendOneByOne(bad, bytes);
        const codes = await bad.restCodes();
        bad.destroy();
        assert.equal(codes.at(-1), 'wrong_protocol');
        // Lines before a request are answered, as for a device. No other protocol gets an answer to its own bytes.
        const before = /^(?:\r|hello)/.test(text) && protocol === 'http' ? codes.length - 1 : 0;
        assert.deepEqual(codes.slice(0, -1), Array(before).fill('invalid_json'));
        assert.deepEqual(counted(gateway), { [protocol]: 1 });
        const { lines, records, connections } = gateway.snapshot();
        assert.equal(lines.refused.wrong_protocol, 1);
        assert.deepEqual([records.accepted, connections.identified], [0, 1]);
        assertBalance(gateway.snapshot());
        await assertAlive(good);
        good.destroy();
      });
    }
  }
});

describe('a device that begins with', () => {
  for (const [name, text, refused] of [
    ['white space', '  \t\r\n \n', 2],
    ['half of the PROXY v2 signature', '\r\n\r\n', 2],
    ['a word that begins like a method', 'getting started\nPOSTAL\n', 2],
    ['zeros', '\0\0\0\0\0\n', 1],
    ['a byte of TLS and no more of it', '\x16\n', 1],
    ['the name of a protocol in a message', '{"GET / HTTP/1.1":1}\n', 1],
  ] as const)
    it(`${name} may still identify`, async (t) => {
      const gateway = await gatewayFor(t);
      for (const pace of ['in one write', 'byte by byte'] as const) {
        const device = await Device.connect(gateway.port);
        const bytes = Buffer.from(text + IDENTIFY, 'latin1');
        if (pace === 'in one write') device.send(bytes);
        else await sendOneByOne(device, bytes);
        for (let i = 0; i < refused; i++) assert.match((await device.read()).code ?? '', /^invalid_/);
        assert.equal((await device.read()).status, 'identified');
        // After identify a line may say what it likes.
        device.send('GET / HTTP/1.1\n');
        assert.equal((await device.read()).code, 'invalid_json');
        await assertAlive(device);
        device.destroy();
      }
      assert.deepEqual(counted(gateway), {});
    });
});

it('empty lines that could begin a PROXY header are answered at FIN', async (t) => {
  const gateway = await gatewayFor(t);
  const device = await Device.connect(gateway.port);
  device.send('\r\n\r\n');
  device.halfClose();
  assert.deepEqual(await device.restCodes(), ['invalid_json', 'invalid_json']);
  assertBalance(gateway.snapshot());
});

describe('a web page', () => {
  it('cannot get a reading in with a cross-origin POST', async (t) => {
    const { gateway, good } = await gatewayWithDevice(t);
    const headers = { 'Content-Type': 'text/plain', Origin: 'http://evil.example' };
    const post = request({ port: gateway.port, host: '127.0.0.1', method: 'POST', headers });
    post.on('error', () => {});
    post.end(`${IDENTIFY}${METRICS.repeat(10)}`);
    await waitFor('the refusal', () => gateway.snapshot().lines.refused.wrong_protocol === 1);
    await waitFor('its end', () => gateway.snapshot().connections.active === 1);
    const { records, lines, connections } = gateway.snapshot();
    assert.equal(records.accepted, 0);
    assert.deepEqual([lines.received, connections.identified], [1, 1]);
    await assertAlive(good);
  });
});

describe('a real TLS client', () => {
  it('is told at once that this is not TLS', async (t) => {
    const { gateway } = await gatewayWithDevice(t);
    const client = tlsConnect({ port: gateway.port, host: '127.0.0.1', rejectUnauthorized: false });
    t.after(() => client.destroy());
    const [error] = (await once(client, 'error')) as [Error];
    assert.match(error.message, /wrong version number|packet length/i);
    assert.deepEqual(counted(gateway), { tls: 1 });
  });
});

it('many wrong connections make few log lines, which name the protocol and the address', async (t) => {
  const { gateway } = await gatewayWithDevice(t);
  for (let i = 0; i < 50; i++) {
    const bad = await Device.connect(gateway.port, { localAddress: '127.0.0.9' });
    bad.send(i % 2 === 0 ? 'GET / HTTP/1.1\r\n\r\n' : 'SSH-2.0-x\r\n');
    await bad.rest();
    bad.destroy();
  }
  assert.deepEqual(counted(gateway), { http: 25, ssh: 25 });
  const logged = gateway.log.filter(({ msg }) => msg.includes('another protocol'));
  assert.deepEqual(
    logged.map(({ protocol, remoteAddress, count }) => [protocol, remoteAddress, count]),
    [
      ['http', '127.0.0.9', 1],
      ['ssh', '127.0.0.9', 1],
    ],
  );
});
