// Every device client against a gateway that lives, with tokens, plain and over TLS: its connections are cut at random
// bytes, it is killed at random moments, and the gateway stops once and starts again. Each reading is in the topic once. DEVICE_KILLS sets how often it is killed.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../../load/random.ts';
import { test } from '../../e2e/stage.ts';
import { readTopic } from '../../support/kafka.ts';
import { waitFor } from '../../support/wait.ts';
import { judge } from './judge.ts';
import { startTrial, type Trial, type TrialDevice } from './trial.ts';

const KILLS = Number(process.env.DEVICE_KILLS ?? 4);
const COUNT = 200;
/** A connection sends some hundred bytes before it is cut, so each device has dozens of cuts. */
const MAX_BYTES = 600;
const MAX_LIFE_MS = 400;

/** An orderly stop tells each device when to come back, and keeps what the gateway knows of it. */
async function restart({ gateway, devices }: Trial): Promise<void> {
  await waitFor('each device was cut', () =>
    devices.every(({ device, proxy }) => proxy.cuts > 1 || !device.isRunning),
  );
  gateway.signal('SIGTERM');
  assert.equal(await gateway.exited(), 0, gateway.logTail());
  await gateway.start();
}

/** Kills it again and again, each time after it did something. */
async function killAgain({ device }: TrialDevice, random: () => number): Promise<void> {
  for (let kill = 0; kill < KILLS && device.isRunning; kill++) {
    const before = device.text;
    await waitFor('the device does something', () => device.text !== before || !device.isRunning);
    await sleep(random() * MAX_LIFE_MS);
    if (!device.isRunning) break;
    await device.kill();
    device.start();
  }
}

async function cutAndKill(t: TestContext, bootstrap: string): Promise<void> {
  const seed = Number(process.env.SLUICE_TEST_SEED ?? Date.now() % 1e9);
  t.diagnostic(`SLUICE_TEST_SEED=${seed}`);
  const trial: Trial = await startTrial(t, bootstrap, {
    seed,
    ways: ['plain', 'tls'],
    maxBytes: MAX_BYTES,
    env: { COUNT: `${COUNT}`, INTERVAL_MS: '15' },
  });
  for (const { device } of trial.devices) device.start();
  await Promise.all([
    restart(trial),
    ...trial.devices.map((one, index) => killAgain(one, seededRandom(seed + 1000 + index))),
  ]);
  const codes = await Promise.all(trial.devices.map(({ device }) => device.ended(60_000)));
  assert.deepEqual(
    codes.map((code, index) => `${trial.devices[index]?.id} ends with ${code}`),
    trial.devices.map(({ id }) => `${id} ends with 0`),
  );
  const records = await readTopic(bootstrap, trial.topic, COUNT * trial.devices.length);
  for (const { id, device, proxy } of trial.devices) {
    t.diagnostic(
      `${id}: ${proxy.cuts} cuts, ${device.kills} kills, ${device.taken.size} readings seen in its file`,
    );
    assert.deepEqual(device.faults, [], id);
    judge(records, { deviceId: id, count: COUNT, taken: device.taken, isOnce: true });
  }
  // Of all together: a hundred messages have one reply if the gateway is slow, so a device may be done after one cut.
  const cuts = trial.devices.reduce((sum, { proxy }) => sum + proxy.cuts, 0);
  assert.ok(cuts >= 3 * trial.devices.length, `${cuts} cuts`);
}

test('device clients that are cut and killed lose no reading and write none twice', cutAndKill);
