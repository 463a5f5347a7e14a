// Every device client, with and without resume, through an outage of Kafka and through kills of the gateway while it writes
// to its disk and while it writes to Kafka. No reading is lost, and first copies are in order.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../../load/random.ts';
import { test } from '../../e2e/stage.ts';
import { TcpProxy } from '../../e2e/tcp-proxy.ts';
import { readTopic } from '../../support/kafka.ts';
import { waitFor } from '../../support/wait.ts';
import { judge } from './judge.ts';
import { startTrial, type Trial } from './trial.ts';

const COUNT = 120;
const MAX_PAUSE_MS = 300;

/** Waits until each device has had so many readings stored, and some random time. */
async function progress({ devices }: Trial, stored: number, random: () => number): Promise<void> {
  await waitFor(`each device has ${stored} readings stored`, () =>
    devices.every(({ device, keepsLines }) => !keepsLines || !device.isRunning || device.stored >= stored),
  );
  await sleep(random() * MAX_PAUSE_MS);
}

async function killGateway(t: TestContext, bootstrap: string): Promise<void> {
  const seed = Number(process.env.SLUICE_TEST_SEED ?? Date.now() % 1e9);
  t.diagnostic(`SLUICE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  const kafka = await TcpProxy.reserve(bootstrap);
  t.after(() => kafka.close());
  const trial = await startTrial(t, bootstrap, {
    seed,
    maxBytes: Number.POSITIVE_INFINITY,
    env: { COUNT: `${COUNT}`, INTERVAL_MS: '20' },
    gatewayEnv: { KAFKA_BROKERS: kafka.address },
    ways: ['plain', 'no-resume'],
  });
  const { devices, gateway, topic } = trial;
  for (const { device } of devices) device.start();
  // Nobody listens as Kafka yet, so readings are stored on the disk.
  await progress(trial, 15, random);
  await gateway.kill();
  await gateway.start();
  await progress(trial, 35, random);
  await kafka.listen();
  await progress(trial, 55, random);
  await gateway.kill();
  await gateway.start();
  await progress(trial, 80, random);
  await gateway.kill();
  await gateway.start();
  const codes = await Promise.all(devices.map(({ device }) => device.ended(60_000)));
  assert.deepEqual(new Set(codes), new Set([0]));
  const records = await readTopic(bootstrap, topic, COUNT * devices.length);
  for (const { id, device } of devices) {
    assert.deepEqual(device.faults, [], id);
    const copies = judge(records, { deviceId: id, count: COUNT, taken: device.taken, isOnce: false });
    t.diagnostic(`${id}: ${copies} copies`);
  }
}

test('device clients lose no reading if the gateway is killed', killGateway);
