// Device tokens in a running gateway: who may identify, how refusals are answered and counted, and how revoking ends connections.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DeviceAccess } from '../../src/server/device-access.ts';
import { TokenTable } from '../../src/tokens/token-table.ts';
import { Authority, pemOf } from '../support/authority.ts';
import { Device, type DeviceOptions } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Env, type Gateway, gatewayFor, startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';
import { assertAlive, assertBalance } from './stage.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const line = (token: string, ids: string, name = token) => `sha256:${sha256(token)}  ${ids}  ${name}\n`;

interface Stage extends Gateway {
  readonly file: string;
  /** Writes the file, or removes it, and has it read. */
  become(content: string | undefined): Promise<void>;
}

async function start(t: TestContext, content: string, env: Env = {}): Promise<Stage> {
  const file = join(temporaryDirectory(t), 'tokens');
  writeFileSync(file, content);
  const gateway = await gatewayFor(t, { TCP_TOKENS_FILE: file, ...env });
  const said = () => gateway.log.filter(({ setting }) => setting === 'TCP_TOKENS_FILE').length;
  const become = async (next: string | undefined) => {
    const before = said();
    if (next === undefined) rmSync(file);
    else writeFileSync(file, next);
    gateway.app.reloadFiles();
    await waitFor('the file was read', () => said() > before);
  };
  return { ...gateway, file, become };
}

/** Everything on the disk of the dead letters. */
function lettersIn(spool: string): string {
  return readdirSync(spool, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.includes('dead-letters') && path.endsWith('.log'))
    .map((path) => readFileSync(join(spool, path), 'latin1'))
    .join('');
}

async function identify(port: number, fields: object, options: DeviceOptions = {}): Promise<Device> {
  const device = await Device.connect(port, options);
  device.sendMessages({ type: 'identify', zipcode: '90210', city: 'Beverly Hills', ...fields });
  return device;
}

async function identified(port: number, fields: object): Promise<Device> {
  const device = await identify(port, fields);
  assert.equal((await device.read()).status, 'identified');
  return device;
}

test('a device identifies with a token that covers its id; any other hears unauthorized after a second', async (t) => {
  const gateway = await start(t, line('good', 'roof-*') + line('any', '*'));
  const { port } = gateway;
  await identified(port, { token: 'good', device_id: 'roof-7' });
  await identified(port, { token: 'any' });
  const sinceMs = performance.now();
  const cases = [
    [{}, "field 'token': missing"],
    [{ token: 'bad', device_id: 'roof-7' }, "field 'token': not known"],
    [{ token: '' }, "field 'token': not known"],
    [{ token: 'good', device_id: 'gate' }, "field 'token': does not cover this device_id"],
    [{ token: 'good' }, "field 'token': does not cover this device_id"],
  ] as const;
  await Promise.all(
    cases.map(async ([fields, message]) => {
      const device = await identify(port, fields);
      assert.deepEqual(await device.read(), { type: 'ack', status: 'error', code: 'unauthorized', message });
      const ms = performance.now() - sinceMs;
      assert.ok(ms > 900 && ms < 2500, `${ms} ms`);
      assert.deepEqual(await device.rest(), []);
    }),
  );
  const { connections, lines } = gateway.snapshot();
  assert.deepEqual(connections.unauthorized, {
    missing: 1,
    unknown: 2,
    device_id: 2,
    certificate: 0,
    revoked: 0,
    network: 0,
  });
  assert.deepEqual([lines.refused.unauthorized, connections.identified], [5, 2]);
  assertBalance(gateway.snapshot());
  // Each reason once, however many there are.
  const warnings = gateway.log.filter(
    ({ reason }) => typeof reason === 'string' && reason in connections.unauthorized,
  );
  assert.deepEqual(warnings.map(({ reason, name }) => [reason, name]).toSorted(), [
    ['device_id', 'good'],
    ['missing', undefined],
    ['unknown', undefined],
  ]);
  assert.doesNotMatch(JSON.stringify(gateway.log), /"bad"/);
});

test('without a file of tokens, a token means nothing', async (t) => {
  const gateway = await gatewayFor(t);
  await identified(gateway.port, { token: 'x', device_id: 'a' });
});

test('while a refusal waits, nothing is read; a guess counts even if the guesser does not wait for the answer', async (t) => {
  const gateway = await start(t, line('good', '*'));
  const other = await identified(gateway.port, { token: 'good' });
  const device = await identify(gateway.port, { token: 'guess' });
  const guess = { type: 'identify', zipcode: '1', city: 'x', token: 'good' };
  const hasty = await identify(gateway.port, { token: 'guess' });
  await waitFor('both are counted', () => gateway.snapshot().connections.unauthorized.unknown === 2);
  hasty.reset();
  // Only now: with further lines behind it, an identify stops the reading by itself.
  device.sendMessages(guess, { type: 'metrics', data: { a: 1 } });
  device.send('x'.repeat(4_000_000));
  for (let n = 0; n < 20; n++) await assertAlive(other);
  const { receivedBytes, bufferBytes } = gateway.snapshot().connections;
  assert.ok(receivedBytes < 150_000, `${receivedBytes} bytes read`);
  assert.equal(bufferBytes, 0);
  assert.deepEqual(await device.restCodes(), ['unauthorized']);
  device.destroy();
  await waitFor('both are gone', () => gateway.snapshot().connections.active === 1);
  const { lines, records } = gateway.snapshot();
  assert.deepEqual([lines.accepted, lines.refused.unauthorized, records.accepted], [21, 2, 0]);
});

test('a stop does not wait for a refusal', async (t) => {
  const gateway = await start(t, '');
  const device = await identify(gateway.port, { token: 'guess' });
  await waitFor('it is counted', () => gateway.snapshot().connections.unauthorized.unknown === 1);
  const sinceMs = performance.now();
  const stopped = gateway.stop();
  assert.deepEqual(await device.restCodes(), ['unauthorized']);
  assert.ok(performance.now() - sinceMs < 700);
  device.destroy();
  await stopped;
});

test('a device that has sent its FIN is refused like any other, and its connection ends', async (t) => {
  const gateway = await start(t, '');
  const device = await identify(gateway.port, { token: 'guess' });
  device.halfClose();
  const sinceMs = performance.now();
  assert.deepEqual(await device.restCodes(), ['unauthorized']);
  assert.ok(performance.now() - sinceMs > 900);
  await waitFor('it is gone', () => gateway.snapshot().connections.active === 0);
  assert.equal(gateway.snapshot().connections.scheduledTimers, 0);
});

test('only a token that covers a device_id takes it over', async (t) => {
  const gateway = await start(t, line('roof', 'roof-7') + line('roof2', 'roof-*') + line('gate', 'gate'));
  const victim = await identified(gateway.port, { token: 'roof', device_id: 'roof-7' });
  const attacks = [{}, { token: 'gate' }, { token: 'guess' }].map(async (fields) => {
    const attacker = await identify(gateway.port, { ...fields, device_id: 'roof-7' });
    assert.deepEqual(await attacker.restCodes(), ['unauthorized']);
  });
  await Promise.all(attacks);
  await assertAlive(victim);
  await identified(gateway.port, { token: 'roof2', device_id: 'roof-7' });
  assert.deepEqual(await victim.restCodes(), ['replaced']);
});

test('a revoked token, or one that no longer covers the id, closes its connections and no others', async (t) => {
  const gateway = await start(t, line('one', 'a') + line('two', 'b,c') + line('three', '*'));
  const [a, b, c, all, none] = await Promise.all([
    identified(gateway.port, { token: 'one', device_id: 'a' }),
    identified(gateway.port, { token: 'two', device_id: 'b' }),
    identified(gateway.port, { token: 'two', device_id: 'c' }),
    identified(gateway.port, { token: 'three', device_id: 'd' }),
    identified(gateway.port, { token: 'three' }),
  ]);
  c.sendMessages({ type: 'metrics', seq: 1, data: { t: 1 } });
  assert.equal((await c.read()).status, 'stored');
  // `three` has another name and list, and still covers the device that is connected, but not a device without an id.
  await gateway.become(line('two', 'b') + line('three', 'd*', 'renamed'));
  for (const device of [a, c, none]) assert.deepEqual(await device.restCodes(), ['unauthorized']);
  for (const device of [b, all]) await assertAlive(device);
  assert.equal(gateway.snapshot().connections.unauthorized.revoked, 3);
  const back = await identify(gateway.port, { token: 'one', device_id: 'a' });
  assert.deepEqual(await back.restCodes(), ['unauthorized']);
  // The last token goes: an empty file is a decision, not a mistake.
  await gateway.become('');
  for (const device of [b, all]) assert.deepEqual(await device.restCodes(), ['unauthorized']);
  assertBalance(gateway.snapshot());
});

test('revoking also closes connections that wait: slowed, over their rate, deaf, half-closed, within a line', async (t) => {
  const gateway = await start(t, line('one', '*'), { TCP_MAX_MESSAGES_PER_SECOND: '50' });
  const { port } = gateway;
  const [slowed, fast, halfClosed, within] = await Promise.all(
    [1, 2, 3, 4].map(() => identified(port, { token: 'one' })),
  );
  const deaf = await identify(port, { token: 'one' }, { reads: false });
  await waitFor('all have identified', () => gateway.snapshot().connections.identified === 5);
  const many = '{"type":"metrics","data":{"a":1}}\n'.repeat(10_000);
  slowed?.send('x\n'.repeat(5_000));
  fast?.send(many);
  halfClosed?.send(many);
  halfClosed?.halfClose();
  within?.send('{"type":"met');
  deaf.send('{"type":"keepalive"}\n'.repeat(200_000));
  await waitFor('four wait', () => gateway.snapshot().connections.paused === 4);
  await gateway.become('');
  for (const device of [slowed, fast, halfClosed, within])
    assert.equal((await device?.restCodes())?.at(-1), 'unauthorized');
  assert.equal(gateway.snapshot().connections.unauthorized.revoked, 5);
  for (const device of [slowed, fast, halfClosed, within]) device?.destroy();
  await waitFor('none is left, not even the deaf one', () => gateway.snapshot().connections.active === 0);
  assert.equal(gateway.snapshot().connections.bufferBytes, 0);
});

test('a certificate fixes the device_id: the device may leave it out, and its token has to cover it', () => {
  const table = TokenTable.parse(Buffer.from(line('roof', 'roof-7') + line('any', '*')));
  const access = new DeviceAccess(() => table);
  const check = (fields: { device_id?: string; token?: string }, certifiedId: string) => {
    const answer = access.check({ type: 'identify', zipcode: '1', city: 'x', ...fields }, certifiedId);
    return 'reason' in answer ? answer.reason : answer.deviceId;
  };
  assert.equal(check({ token: 'roof' }, 'roof-7'), 'roof-7');
  assert.equal(check({ token: 'roof', device_id: 'roof-7' }, 'roof-7'), 'roof-7');
  assert.equal(check({ token: 'any', device_id: 'roof-7' }, 'roof-8'), 'certificate');
  assert.equal(check({ token: 'roof' }, 'roof-8'), 'device_id');
  assert.equal(check({}, 'roof-7'), 'missing');
  const untold = new DeviceAccess().check({ type: 'identify', zipcode: '1', city: 'x' }, 'roof-7');
  assert.deepEqual(untold, { deviceId: 'roof-7', grant: undefined });
});

test('over TLS too: the token has to cover the device_id of the certificate, and a refused device is not read', async (t) => {
  const authority = new Authority(temporaryDirectory(t), 'authority');
  const server = authority.sign('gateway');
  const gateway = await start(t, line('roof', 'roof-7') + line('gate', 'gate'), {
    TCP_TLS_PORT: '0',
    TCP_TLS_CERT: server.cert,
    TCP_TLS_KEY: server.key,
    TCP_TLS_CA: authority.ca,
    TCP_TLS_DEVICE_ID: 'CN',
  });
  const tls = pemOf(authority.sign('roof-7'));
  const good = await identify(gateway.tlsPort, { token: 'roof' }, { tls });
  assert.equal((await good.read()).status, 'identified');
  const sinceMs = performance.now();
  const [wrongToken, wrongId] = await Promise.all([
    identify(gateway.tlsPort, { token: 'gate' }, { tls }),
    identify(gateway.tlsPort, { token: 'gate', device_id: 'gate' }, { tls }),
  ]);
  await waitFor('both are refused', () => gateway.snapshot().lines.refused.unauthorized === 2);
  const { receivedBytes } = gateway.snapshot().connections;
  wrongToken.send('x'.repeat(1_000_000));
  for (let n = 0; n < 20; n++) await assertAlive(good);
  assert.ok(gateway.snapshot().connections.receivedBytes < receivedBytes + 200_000);
  for (const device of [wrongToken, wrongId]) {
    assert.equal((await device.read()).code, 'unauthorized');
    assert.ok(performance.now() - sinceMs > 900);
    device.destroy();
  }
  assert.deepEqual(gateway.snapshot().connections.unauthorized, {
    missing: 0,
    unknown: 0,
    device_id: 1,
    certificate: 1,
    revoked: 0,
    network: 0,
  });
  await gateway.become('');
  assert.deepEqual(await good.restCodes(), ['unauthorized']);
});

test('a broken or missing file changes nothing, and the log says so without its content', async (t) => {
  const gateway = await start(t, line('one', 'a'));
  const device = await identified(gateway.port, { token: 'one', device_id: 'a' });
  await gateway.become('pasted-token  a  name\n');
  await gateway.become(undefined);
  await assertAlive(device);
  await identified(gateway.port, { token: 'one', device_id: 'a' });
  const errors = gateway.log.filter(({ level, msg }) => level === 50 && msg.includes('TCP_TOKENS_FILE'));
  assert.deepEqual(
    errors.map(({ msg }) =>
      /line 1: the hash is not/.test(msg) ? 'broken' : /no such file/.test(msg) && 'missing',
    ),
    ['broken', 'missing'],
  );
  assert.doesNotMatch(JSON.stringify(gateway.log), /pasted/);
});

test('a file that cannot be used refuses the start, with the exit code of wrong settings', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'tokens');
  for (const [content, reason] of [
    [undefined, /TCP_TOKENS_FILE.*there is no such file/],
    ['pasted-token  a  name\n', /TCP_TOKENS_FILE.*line 1: the hash is not/],
  ] as const) {
    if (content !== undefined) writeFileSync(file, content);
    await assert.rejects(startGateway({ TCP_TOKENS_FILE: file }), (error: Error & { exitCode?: number }) => {
      assert.match(error.message, reason);
      assert.doesNotMatch(error.message, /pasted/);
      return error.exitCode === 78;
    });
  }
});

test('no token gets into a dead letter', async (t) => {
  const spool = temporaryDirectory(t);
  const gateway = await start(t, line('SECRET-ok', '*'), { SPOOL_DIR: spool, KAFKA_COMPRESSION: 'none' });
  const { port } = gateway;
  const refused = [
    '{"type":"identify","zipcode":"1","city":"x","token":"SECRET-1"}',
    '{"type":"identify","zipcode":"","city":"x","token":"SECRET-2"}',
    '{"type":"identify","token":"SECRET-3',
    '{"type":"identify","\\u0074oken":"SECRET-4","zipcode":"?"}',
    '{"type":"identify","token":"SECRET-5","token":"SECRET-6"}',
    '{"type":"identify","token":["SECRET-7"]}',
  ];
  const devices = await Promise.all(refused.map(() => Device.connect(port)));
  devices.forEach((device, index) => void device.send(`${refused[index]}\n`));
  const late = await identified(port, { token: 'SECRET-ok' });
  late.sendMessages({ type: 'identify', zipcode: '1', city: 'x', token: 'SECRET-ok' });
  late.send('{"type":"metrics","data":{},"TOKEN":"SECRET-9"}\n');
  for (let n = 0; n < 2; n++) assert.equal((await late.read()).status, 'error');
  await waitFor('all are refused', () => gateway.snapshot().lines.refusedLines === refused.length + 2);
  for (const device of [...devices, late]) device.destroy();
  await gateway.stop();
  const { deadLetters } = gateway.snapshot();
  assert.deepEqual([deadLetters.waiting, deadLetters.dropped], [refused.length + 2, 0]);
  const files = lettersIn(spool);
  assert.match(files, /\[token hidden\]/);
  assert.match(files, /already_identified/);
  assert.doesNotMatch(files, /SECRET/);
  assert.doesNotMatch(JSON.stringify(gateway.log), /SECRET/);
});
