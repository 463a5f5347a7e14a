// The lines of level debug about connections and refused lines, at a real port.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Device, IDENTIFY } from '../support/device.ts';
import { gatewayFor } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';

test('a connection is logged from its start to its end, with what it sent and why it ended', async (t) => {
  const gateway = await gatewayFor(t);
  const device = await Device.connect(gateway.port);
  const lines = `${IDENTIFY.replace('{', '{"device_id":"roof-7",')}{"type":"keepalive"}\n`;
  device.send(lines);
  assert.equal((await device.read()).status, 'identified');
  device.halfClose();
  await waitFor('the end is logged', () => gateway.log.some(({ event }) => event === 'connection_closed'));
  const of = (name: string) => gateway.log.filter(({ event, level }) => event === name && level === 20);
  const [opened] = of('connection_opened');
  const [identified] = of('connection_identified');
  const [closed] = of('connection_closed');
  assert.equal(identified?.zipcode, '90210');
  assert.match(identified?.msg ?? '', /identified with zipcode 90210$/);
  assert.deepEqual(
    [closed?.deviceId, closed?.reason, closed?.receivedLines, closed?.receivedBytes],
    ['roof-7', 'device_end', 2, lines.length],
  );
  for (const line of [opened, identified, closed]) {
    assert.equal(line?.remoteAddress, '127.0.0.1');
    assert.equal(line.connectionId, opened?.connectionId);
  }
});

test('a connection that is never served has a line too', async (t) => {
  const gateway = await gatewayFor(t, { TCP_MAX_CONNECTIONS_PER_IP: '1' });
  await Device.identified(gateway.port);
  const second = await Device.connect(gateway.port);
  assert.equal((await second.read()).code, 'server_full');
  const [unserved] = gateway.log.filter(({ event }) => event === 'connection_unserved');
  assert.deepEqual([unserved?.level, unserved?.remoteAddress], [20, '127.0.0.1']);
  assert.match(String(unserved?.reason), /this address/);
});

test('a refused line is logged with its code and its start, and never with a token', async (t) => {
  const gateway = await gatewayFor(t);
  const device = await Device.connect(gateway.port);
  device.send(`{"type":"identify","zipcode":7,"token":"very secret"}\n${IDENTIFY}`);
  device.send(`{"a":"${'x'.repeat(1000)}","token":"very secret"}\n`);
  device.send(`{"token":"${'very secret'.repeat(100)}"}\n`);
  for (let n = 0; n < 4; n++) await device.read();
  const refused = gateway.log.filter(({ event }) => event === 'line_refused');
  assert.equal(refused.length, 3);
  assert.match(String(refused[0]?.sample), /^\{"type":"identify","zipcode":7,/);
  assert.equal(refused[0]?.bytes, 53);
  for (const { sample, code } of refused) {
    assert.ok(String(sample).length < 220, String(sample));
    assert.equal(typeof code, 'string');
  }
  assert.doesNotMatch(JSON.stringify(gateway.log), /very secret/);
});

test('of very many refused lines some are logged, and the others are counted', async (t) => {
  const gateway = await gatewayFor(t);
  const devices = await Promise.all(Array.from({ length: 12 }, () => Device.identified(gateway.port)));
  for (const device of devices) device.send('x\n'.repeat(15));
  await waitFor('all are refused', () => gateway.snapshot().lines.refused.invalid_json === 12 * 15);
  const logged = gateway.log.filter(({ event }) => event === 'line_refused');
  assert.ok(logged.length >= 50 && logged.length <= 100, `${logged.length}`);
});
