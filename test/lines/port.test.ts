// The port for plain lines with real sockets: which lines become records, how little a sender sees, and which limits hold.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { assertAlive, assertBalance } from '../server/stage.ts';
import { Authority } from '../support/authority.ts';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Env, testSettings } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';
import { handled, leaves, linesGateway, sender } from './stage.ts';

describe('the port for plain lines', () => {
  it('makes a record of each line, byte for byte, and says nothing', async (t) => {
    const gateway = await linesGateway(t);
    const one = await sender(gateway);
    const lines = ['{"a":1}', '{ "b" : "\\u00e4ä", "b":2.50 }', '{}'];
    one.send(`${lines[0]}\n${lines[1]}\r\n \n\n ${lines[2]}\t`);
    await leaves(one);
    const { lines: figures, connections } = gateway.snapshot();
    assert.deepEqual(figures.plain, { accepted: 5, refused: 0 });
    assert.equal(connections.closed.device_end, 1);
    assert.equal(connections.sentBytes, 0);
    const records = await gateway.records();
    assert.deepEqual(
      records.map(({ value }) => value),
      lines,
    );
    const [id] = new Set(records.map(({ key }) => key));
    assert.match(id ?? '', /^[0-9a-f-]{36}$/);
    assert.equal(new Set(records.map(({ key }) => key)).size, 1);
  });

  it('wraps lines with the time and the address', async (t) => {
    const gateway = await linesGateway(t, { TCP_LINES_WRAP: 'true' });
    const one = await sender(gateway, { localAddress: '127.0.0.7' });
    one.send('{"a": [1, {}]}\n');
    await leaves(one);
    const [record] = await gateway.records();
    const { received_at: at } = JSON.parse(record?.value ?? '') as { received_at: string };
    assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000);
    assert.equal(record?.value, `{"received_at":"${at}","remote_address":"127.0.0.7","data":{"a": [1, {}]}}`);
  });

  it('takes keys from a field, and counts the lines without', async (t) => {
    const gateway = await linesGateway(t, { TCP_LINES_KEY: 'host' });
    const one = await sender(gateway);
    one.send('{"host":"a"}\n{"host":null}\n{"host":7}\n{"host":"a","n":2}\n');
    await leaves(one);
    const keys = (await gateway.records()).map(
      ({ key, value }) => `${key.length > 20 ? 'id' : key} ${value}`,
    );
    assert.deepEqual(keys.sort(), [
      '7 {"host":7}',
      'a {"host":"a","n":2}',
      'a {"host":"a"}',
      'id {"host":null}',
    ]);
  });

  it('refuses what is no JSON object, counts it and goes on', async (t) => {
    const gateway = await linesGateway(t);
    const one = await sender(gateway);
    one.send(
      Buffer.concat([
        Buffer.from('[1]\n{"a":\n'),
        Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d, 0x0a]),
      ]),
    );
    one.send('{"type":"keepalive"}\n');
    await handled(gateway, { accepted: 1, refused: 3 });
    const { refused } = gateway.snapshot().lines;
    assert.deepEqual([refused.invalid_json, refused.invalid_utf8], [2, 1]);
    await waitFor('the dead letters', () => gateway.snapshot().deadLetters.waiting === 3);
    await leaves(one);
    assertBalance(gateway.snapshot());
  });

  it('skips a line that is too long, keeps its beginning as a dead letter, and goes on', async (t) => {
    const gateway = await linesGateway(t, { TCP_MAX_LINE_BYTES: '1KiB' });
    const one = await sender(gateway);
    const line = (bytes: number) => `{"a":"${'x'.repeat(bytes - 8)}"}`;
    one.send(`${line(1024)}\n${line(1025)}\n`);
    await handled(gateway, { accepted: 1, refused: 1 });
    one.send(line(5000));
    await handled(gateway, { accepted: 1, refused: 2 });
    one.send(`${line(100_000)}\n{"b":1}\n`);
    await handled(gateway, { accepted: 2, refused: 2 });
    assert.equal(gateway.snapshot().lines.refused.line_too_long, 2);
    await waitFor('the dead letters', () => gateway.snapshot().deadLetters.waiting === 2);
    await leaves(one);
  });

  it('closes a connection whose line does not end, also one that is skipped', async (t) => {
    const gateway = await linesGateway(t, { TCP_LINE_TIMEOUT: '300ms', TCP_MAX_LINE_BYTES: '1KiB' });
    const short = await sender(gateway);
    const long = await sender(gateway);
    short.send('{"a":');
    long.send('x'.repeat(3000));
    for (const one of [short, long]) {
      assert.deepEqual(await one.rest(), []);
      one.halfClose();
    }
    await waitFor('both to be closed', () => gateway.snapshot().connections.closed.line_timeout === 2);
  });

  it('needs no identify, and leaves a silent sender connected', async (t) => {
    const gateway = await linesGateway(t, { TCP_IDENTIFY_TIMEOUT: '100ms', TCP_INACTIVITY_TIMEOUT: '200ms' });
    const [one, device] = [await sender(gateway), await Device.identified(gateway.port)];
    // The device came later, and is closed for its silence.
    assert.deepEqual(await device.restCodes(), ['inactive']);
    device.destroy();
    await waitFor('its end', () => gateway.snapshot().connections.closed.inactive === 1);
    one.send('{"a":1}\n');
    await waitFor('its line', () => gateway.snapshot().lines.accepted === 2);
    assert.equal(one.ended, false);
    assert.equal(gateway.snapshot().connections.closed.identify_timeout, 0);
    await leaves(one);
  });

  for (const [protocol, bytes] of [
    ['http', 'POST / HTTP/1.1\r\nHost: a\r\n\r\n{"a":1}\n'],
    ['ssh', 'SSH-2.0-OpenSSH_9.7\r\n'],
    ['tls', '\x16\x03\x01\x02\x00\x01'],
  ] as const)
    it(`closes a connection that speaks ${protocol}, without a reply or a record`, async (t) => {
      const gateway = await linesGateway(t);
      const one = await sender(gateway);
      one.send(Buffer.from(bytes, 'latin1'));
      assert.deepEqual(await one.rest(), []);
      const { connections, records, lines } = gateway.snapshot();
      assert.deepEqual([connections.wrongProtocol[protocol], records.accepted, lines.received], [1, 0, 0]);
    });

  it('can be the only port, and stands beside the others', async (t) => {
    const only = await linesGateway(t, { TCP_PORT: '' });
    assert.deepEqual([only.addresses.tcp, only.linesPort > 0], [null, true]);
    const both = await linesGateway(t);
    const device = await Device.identified(both.port);
    const one = await sender(both);
    one.send('{"a":1}\n');
    await handled(both, { accepted: 1 });
    await assertAlive(device);
    const { stages, identified, active } = both.snapshot().connections;
    assert.deepEqual([stages.lines, stages.identified, stages.identify, identified, active], [1, 1, 0, 1, 2]);
    await leaves(one);
    await waitFor('the sender to be gone', () => both.snapshot().connections.stages.lines === 0);
    device.destroy();
  });

  it('shares the caps, and turns away without a word', async (t) => {
    const gateway = await linesGateway(t, { TCP_MAX_CONNECTIONS_PER_IP: '1' });
    await sender(gateway);
    await waitFor('the first', () => gateway.snapshot().connections.active === 1);
    assert.deepEqual(await (await sender(gateway)).rest(), []);
    assert.equal(gateway.snapshot().connections.refused.address, 1);
  });

  it('serves one message at a time without the worker pool', async (t) => {
    const gateway = await linesGateway(t, { TCP_USE_WORKER_POOL: 'false', KAFKA_ASYNC: 'false' });
    const one = await sender(gateway);
    one.send('{"a":1}\n[\n{"a":2}\n');
    await leaves(one);
    assert.deepEqual(
      (await gateway.records()).map(({ value }) => value),
      ['{"a":1}', '{"a":2}'],
    );
  });
});

describe('octet-counted framing', () => {
  const env = { TCP_LINES_FRAMING: 'octet-counted' };

  it('takes frames, which may hold line feeds', async (t) => {
    const gateway = await linesGateway(t, env);
    const one = await sender(gateway);
    one.send('7 {"a":1}9 {\n"b":2\n}10 {"c":"3"}\n');
    await handled(gateway, { accepted: 3 });
    one.send('12 {"d":"');
    await leaves(one);
    assert.equal(gateway.snapshot().lines.plain.refused, 1);
    const values = (await gateway.records()).map(({ value }) => value);
    assert.deepEqual(values, ['{"a":1}', '{\n"b":2\n}', '{"c":"3"}']);
  });

  it('ends the connection at a count that is none, with a dead letter and a line of the log', async (t) => {
    const gateway = await linesGateway(t, env);
    const one = await sender(gateway);
    one.send('2 {}');
    await handled(gateway, { accepted: 1 });
    one.send('2 {}{"a":1}\n2 {}');
    assert.deepEqual(await one.rest(), []);
    one.halfClose();
    await handled(gateway, { accepted: 2, refused: 1 });
    await waitFor('its end', () => gateway.snapshot().connections.active === 0);
    const { connections, deadLetters } = gateway.snapshot();
    assert.deepEqual([connections.closed.wrong_protocol, deadLetters.waiting], [1, 1]);
    assert.equal(gateway.log.filter(({ event }) => event === 'octet_count_missing').length, 1);
    assertBalance(gateway.snapshot());
  });
});

describe('who may send plain lines', () => {
  it('is everybody in the networks of TCP_LINES_TRUSTED', async (t) => {
    const gateway = await linesGateway(t, { TCP_LINES_TRUSTED: '127.0.0.8/30' });
    const inside = await sender(gateway, { localAddress: '127.0.0.11' });
    inside.send('{"a":1}\n');
    await handled(gateway, { accepted: 1 });
    const outside = await sender(gateway, { localAddress: '127.0.0.12' });
    outside.send('{"a":2}\n');
    await waitFor('the other to be closed', () => outside.ended);
    const { unauthorized, closed } = gateway.snapshot().connections;
    assert.deepEqual([unauthorized.network, closed.unauthorized], [1, 1]);
    assert.equal(gateway.log.filter(({ event }) => event === 'sender_untrusted').length, 1);
    const device = await Device.identified(gateway.port, { localAddress: '127.0.0.12' });
    device.destroy();
    assert.equal(gateway.snapshot().lines.plain.accepted, 1);
  });

  it('is judged by the address that a trusted proxy names', async (t) => {
    const gateway = await linesGateway(t, {
      TCP_PROXY_PROTOCOL: 'true',
      TCP_PROXY_TRUSTED: '127.0.0.1',
      TCP_LINES_TRUSTED: '10.0.0.7',
      TCP_LINES_WRAP: 'true',
    });
    for (const [address, isServed] of [
      ['10.0.0.7', true],
      ['10.0.0.8', false],
    ] as const) {
      const one = await sender(gateway);
      one.send(`PROXY TCP4 ${address} 10.0.0.1 1000 2000\r\n{"from":"${address}"}\n`);
      if (isServed) await leaves(one);
      else await waitFor('the other to be closed', () => one.ended);
    }
    const records = await gateway.records();
    assert.deepEqual(
      records.map(({ value }) => JSON.parse(value).remote_address),
      ['10.0.0.7'],
    );
  });

  it('is whoever has a certificate, with TLS and TCP_TLS_CA', async (t) => {
    const authority = new Authority(temporaryDirectory(t), 'authority');
    const server = authority.sign('gateway');
    const client = authority.sign('sender');
    const gateway = await linesGateway(t, {
      TCP_TLS_CERT: server.cert,
      TCP_TLS_KEY: server.key,
      TCP_TLS_CA: authority.ca,
      TCP_LINES_TLS: 'true',
    });
    assert.equal(gateway.addresses.tls, null);
    const one = await sender(gateway, {
      tls: { cert: readFileSync(client.cert), key: readFileSync(client.key) },
    });
    one.send('{"a":1}\n');
    await leaves(one);
    const stranger = await Device.connect(gateway.linesPort, { tls: {} }).catch(() => undefined);
    t.after(() => stranger?.destroy());
    await waitFor('the stranger to fail', () => gateway.snapshot().tls.failures.certificate === 1);
    const plain = await Device.connect(gateway.linesPort, { tls: undefined });
    plain.send('{"a":2}\n');
    assert.deepEqual(await plain.rest(), []);
    const { tls, lines } = gateway.snapshot();
    assert.deepEqual([tls.failures.certificate, tls.failures.plain, lines.plain.accepted], [1, 1, 1]);
  });
});

describe('the settings of plain lines', () => {
  const lines = { TCP_LINES_PORT: '0' };
  const refused = (env: Env, problem: RegExp) => assert.throws(() => testSettings(env), problem);

  it('are refused with tokens, unless senders need a certificate or a network', (t) => {
    const directory = temporaryDirectory(t);
    const authority = new Authority(directory, 'authority');
    const { cert, key } = authority.sign('gateway');
    const tokens = { ...lines, TCP_TOKENS_FILE: '/tmp/tokens' };
    const tls = { TCP_TLS_CERT: cert, TCP_TLS_KEY: key };
    refused(tokens, /senders on TCP_LINES_PORT say no token/);
    refused({ ...tokens, ...tls, TCP_LINES_TLS: 'true' }, /senders on TCP_LINES_PORT say no token/);
    // Certificates on the port of devices are none on this one.
    refused({ ...tokens, ...tls, TCP_TLS_PORT: '0', TCP_TLS_CA: authority.ca }, /say no token/);
    testSettings({ ...tokens, TCP_LINES_TRUSTED: '10.0.0.0/8' });
    testSettings({ ...tokens, ...tls, TCP_LINES_TLS: 'true', TCP_TLS_CA: authority.ca });
    testSettings({ ...tokens, TCP_LINES_PORT: '' });
  });

  it('are refused without what they need', () => {
    refused({ TCP_PORT: '' }, /are all empty/);
    refused({ TCP_LINES_TLS: 'true' }, /TCP_LINES_PORT is not set/);
    refused({ TCP_LINES_TRUSTED: '10.0.0.1' }, /TCP_LINES_PORT is not set/);
    refused({ ...lines, TCP_LINES_TLS: 'true' }, /TCP_TLS_CERT is not set, but TCP_LINES_TLS=true needs it/);
    refused({ ...lines, TCP_LINES_TOPIC_FIELD: 'topic' }, /TCP_LINES_TOPICS is not set/);
    refused({ ...lines, TCP_LINES_TOPICS: 'a,b' }, /TCP_LINES_TOPIC_FIELD is not set/);
    refused({ TCP_LINES_PORT: '8080', TCP_PORT: '8080' }, /TCP_LINES_PORT=8080 is TCP_PORT too/);
  });
});

describe('a stop', () => {
  it('sends FIN to a sender first, and takes what it still writes', async (t) => {
    const gateway = await linesGateway(t, { SHUTDOWN_TIMEOUT: '5s' });
    const one = await sender(gateway);
    one.send('{"n":1}\n');
    await handled(gateway, { accepted: 1 });
    const stopped = gateway.stop();
    await once(one.socket, 'end');
    one.send('{"n":2}\n{"n":3}');
    one.halfClose();
    assert.equal((await stopped).complete, true);
    assert.deepEqual(
      (await gateway.records()).map(({ value }) => value),
      ['{"n":1}', '{"n":2}', '{"n":3}'],
    );
  });

  it('does not wait for ever for a sender that does not look for FIN', async (t) => {
    const gateway = await linesGateway(t, { SHUTDOWN_TIMEOUT: '2s' });
    const one = await sender(gateway);
    const device = await Device.identified(gateway.port);
    const timer = setInterval(() => one.send('{"n":1}\n'), 20);
    t.after(() => clearInterval(timer));
    await waitFor('lines', () => gateway.snapshot().lines.plain.accepted > 3);
    const startMs = performance.now();
    const { complete } = await gateway.stop();
    assert.equal(complete, true);
    assert.ok(performance.now() - startMs < 2500);
    assert.deepEqual(await device.restCodes(), ['shutdown']);
  });

  it('an operator who kicks a sender, and a greatest age, send FIN as well', async (t) => {
    const gateway = await linesGateway(t, { TCP_MAX_CONNECTION_AGE: '1s' });
    const one = await sender(gateway);
    one.send('{"n":1}\n');
    await once(one.socket, 'end');
    one.send('{"n":2}\n');
    await handled(gateway, { accepted: 2 });
    one.halfClose();
    await waitFor('its end', () => gateway.snapshot().connections.closed.max_age === 1);
  });
});
