// Device tokens with several server processes, as devices, guessers and operators see them: real processes, real sockets.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type GatewayProcess, runGateway } from '../support/gateway-process.ts';
import { runProgram } from '../support/program.ts';
import { waitFor } from '../support/wait.ts';

const line = (token: string, ids: string, name: string) =>
  `sha256:${createHash('sha256').update(token).digest('hex')}  ${ids}  ${name}\n`;

interface Stage {
  readonly gateway: GatewayProcess;
  readonly file: string;
}

async function start(t: TestContext, content: string): Promise<Stage> {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'tokens');
  writeFileSync(file, content);
  const gateway = await runGateway(t, directory, {
    TCP_PROCESSES: '2',
    KAFKA_BROKERS: '',
    SPOOL_DIR: join(directory, 'spool'),
    TCP_TOKENS_FILE: file,
  });
  return { gateway, file };
}

async function identify(port: number, fields: object): Promise<Device> {
  const device = await Device.connect(port);
  device.sendMessages({ type: 'identify', zipcode: '90210', city: 'Beverly Hills', ...fields });
  return device;
}

/** Devices that have identified. There are enough for every process to have some. */
async function identified(t: TestContext, port: number, token: string, count = 20): Promise<Device[]> {
  const devices: Device[] = [];
  for (let n = 0; n < count; n++) {
    const device = await identify(port, { token, device_id: `${token}-${n}` });
    assert.equal((await device.read()).status, 'identified');
    devices.push(device);
  }
  t.after(() => devices.forEach((device) => void device.destroy()));
  return devices;
}

test('a token that is revoked while the gateway runs closes its connections in every process', async (t) => {
  const { gateway, file } = await start(t, line('one', '*', 'one') + line('two', '*', 'two'));
  const one = await identified(t, gateway.port, 'one');
  const two = await identified(t, gateway.port, 'two');
  const revoke = (name: string) => runProgram('src/main.js', ['token', 'revoke', name, '--file', file]);
  assert.equal((await revoke('one')).code, 0);
  const sinceMs = performance.now();
  await waitFor('its connections are closed', () => one.every(({ ended }) => ended), 12_000);
  assert.ok(performance.now() - sinceMs < 9_000);
  for (const device of one) assert.deepEqual(await device.restCodes(), ['unauthorized']);
  assert.ok(two.every(({ ended }) => !ended));
  // SIGHUP does not wait for the next look at the file.
  assert.equal((await revoke('two')).code, 0);
  const signalMs = performance.now();
  gateway.signal('SIGHUP');
  await waitFor('its connections are closed too', () => two.every(({ ended }) => ended));
  assert.ok(performance.now() - signalMs < 2_000);
  await waitFor('all are counted', () => gateway.stats.connections.unauthorized.revoked === 40);
});

test('a process that crashes while the file is broken comes back with the tokens that are in use', async (t) => {
  const { gateway, file } = await start(t, line('one', '*', 'one'));
  writeFileSync(file, 'pasted-token a name\n');
  process.kill(gateway.children[0] as number, 'SIGKILL');
  await waitFor('it is back', () => gateway.said(/The server process is back/), 20_000);
  assert.ok(gateway.said(/TCP_TOKENS_FILE: the file cannot be used.*line 1: the hash is not sha256/));
  await waitFor('both run', () => gateway.stats.processes.running === 2);
  const devices = await identified(t, gateway.port, 'one');
  const guess = await identify(gateway.port, { token: 'guess', device_id: 'one-1' });
  assert.deepEqual(await guess.restCodes(), ['unauthorized']);
  writeFileSync(file, '');
  gateway.signal('SIGHUP');
  await waitFor('the token is revoked in both', () => devices.every(({ ended }) => ended));
  assert.doesNotMatch(JSON.stringify(gateway.log), /pasted/);
});

test('guessing on hundreds of connections finds nothing, holds no memory, and harms no good device', async (t) => {
  const { gateway } = await start(t, line('good', 'good-*', 'good'));
  const good = await identified(t, gateway.port, 'good', 10);
  let until = performance.now() + 1_000;
  let guesses = 0;
  let answers = 0;
  const guess = async () => {
    while (performance.now() < until) {
      const device = await identify(gateway.port, { token: `guess ${guesses++}`, device_id: 'good-1' });
      // Further guesses in the same write, and bytes that would have to be held.
      device.send(
        `${JSON.stringify({ type: 'identify', zipcode: '1', city: 'x', token: 'good' })}\n${'x'.repeat(8_000)}`,
      );
      assert.deepEqual(await device.restCodes(), ['unauthorized']);
      answers++;
      device.destroy();
    }
  };
  let waits: number[] = [];
  let seq = 0;
  const serve = async (device: Device) => {
    while (performance.now() < until) {
      const sentMs = performance.now();
      device.sendMessages({ type: 'metrics', seq: ++seq, data: { t: 1 } });
      assert.equal((await device.read()).status, 'stored');
      waits.push(performance.now() - sentMs);
      await sleep(50);
    }
  };
  const p99 = () => waits.toSorted((a, b) => a - b)[Math.floor(waits.length * 0.99)] ?? 0;
  await Promise.all(good.map(serve));
  const restMs = p99();
  waits = [];
  until = performance.now() + 4_000;
  const held: number[] = [];
  const watch = setInterval(() => {
    held.push(gateway.stats.connections.bufferBytes);
  }, 50);
  await Promise.all([...Array.from({ length: 300 }, guess), ...good.map(serve)]);
  clearInterval(watch);
  assert.ok(guesses > 300 && answers === guesses, `${answers} answers to ${guesses} guesses`);
  // A connection has one guess a second.
  assert.ok(guesses <= 300 * 5, `${guesses} guesses`);
  await waitFor('all are counted', () => gateway.stats.connections.unauthorized.unknown === guesses);
  // Lines that wait for their worker are held, but not while their refusal waits.
  const usual = held.toSorted((a, b) => a - b)[Math.floor(held.length / 2)] ?? 0;
  assert.ok(usual < 300 * 1024, `${usual} bytes held`);
  assert.ok(good.every(({ ended }) => !ended));
  // A refusal waits for a second. Readings of others do not wait with it, however busy the machine is.
  const served = `${waits.length} readings, p99 ${p99()} ms, ${restMs} ms before`;
  assert.ok(waits.length >= 3 * good.length && p99() < Math.max(900, 5 * restMs), served);
  // Each process writes a line in 10 s.
  const warnings = gateway.log.filter(({ reason }) => reason === 'unknown');
  assert.ok(warnings.length >= 1 && warnings.length <= 4, `${warnings.length} warnings`);
  assert.doesNotMatch(JSON.stringify(gateway.log), /guess \d/);
  assert.equal(gateway.stats.connections.identified, good.length);
});

test('sluice token add lets a device in without a restart', async (t) => {
  const { gateway, file } = await start(t, '');
  const refused = await identify(gateway.port, { token: 'x', device_id: 'roof-7' });
  assert.deepEqual(await refused.restCodes(), ['unauthorized']);
  const added = await runProgram('src/main.js', ['token', 'add', 'roof-7', '--file', file]);
  gateway.signal('SIGHUP');
  await waitFor(
    'the first process and both others have read it',
    () => gateway.log.filter(({ msg }) => msg.includes('TCP_TOKENS_FILE: the new content')).length === 3,
  );
  const device = await identify(gateway.port, { token: added.out.trim(), device_id: 'roof-7' });
  assert.equal((await device.read()).status, 'identified');
  device.destroy();
  assert.ok(!JSON.stringify(gateway.log).includes(added.out.trim()));
  assert.ok(!readFileSync(file, 'utf8').includes(added.out.trim()));
});
