// Every device client through rare faults: frozen connections, devices that stand still, a gateway that drops messages, has no
// room on its disk, forgets all, or loses a server process. No reading is lost. DEVICE_HARDSHIPS=freeze chooses by name.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from '../../e2e/stage.ts';
import { TcpProxy } from '../../e2e/tcp-proxy.ts';
import { readTopic } from '../../support/kafka.ts';
import { waitFor } from '../../support/wait.ts';
import { judge } from './judge.ts';
import { startTrial, TOKEN, type Trial, type TrialOptions } from './trial.ts';

const COUNT = 150;

interface Hardship extends Partial<TrialOptions> {
  readonly isOnce?: boolean;
  /** Readings are dropped at first, and sent again behind later ones. */
  readonly isDropping?: boolean;
  /** Of others in the topic. */
  readonly otherRecords?: number;
  readonly act: (trial: Trial, kafka: TcpProxy) => Promise<void>;
}

const areRunning = ({ devices }: Trial) => devices.some(({ device }) => device.isRunning);

/** Does it while the devices run, `times` at most. */
async function again(
  trial: Trial,
  times: number,
  pauseMs: number,
  work: () => Promise<void> | void,
): Promise<void> {
  for (let time = 0; time < times && areRunning(trial); time++) {
    await sleep(pauseMs);
    await work();
  }
}

async function haveStored({ devices }: Trial, least: number): Promise<void> {
  await waitFor(`${least} readings of each device are stored`, () =>
    devices.every(({ device, keepsLines }) => !keepsLines || !device.isRunning || device.stored >= least),
  );
}

const FILL_LINES = 60;
const READINGS_PER_LINE = 40;

/** 2.4 MB in the gateway, which has room for 1 MiB on its disk and for the rest in memory. */
function fill({ gateway }: Trial): void {
  const data = Array.from({ length: READINGS_PER_LINE }, (_, n) => ({ n, text: 'x'.repeat(1000) }));
  const identify = {
    type: 'identify',
    zipcode: 'filler',
    city: 'Trial City',
    device_id: 'filler',
    token: TOKEN,
  };
  const socket = connect(gateway.port, '127.0.0.1')
    .on('error', () => {})
    .resume();
  socket.write(`${JSON.stringify(identify)}\n`);
  socket.end(`${JSON.stringify({ type: 'metrics', data })}\n`.repeat(FILL_LINES));
}

const HARDSHIPS: Readonly<Record<string, Hardship>> = {
  'their connections freeze': {
    isOnce: true,
    act: (trial) =>
      again(trial, 3, 500, () => {
        for (const { proxy } of trial.devices) proxy.freeze();
      }),
  },
  'they stand still for longer than the gateway waits': {
    isOnce: true,
    gatewayEnv: { TCP_INACTIVITY_TIMEOUT: '1s' },
    act: (trial) =>
      again(trial, 3, 400, async () => {
        for (const { device } of trial.devices) device.signal('SIGSTOP');
        await sleep(2_500);
        for (const { device } of trial.devices) device.signal('SIGCONT');
      }),
  },
  'a server process of the gateway is killed': {
    gatewayEnv: { TCP_PROCESSES: '2' },
    act: (trial) =>
      again(trial, 4, 700, () => {
        const [, child = 0] = trial.gateway.children;
        if (child > 0) process.kill(child, 'SIGKILL');
      }),
  },
  'the gateway starts again and has forgotten all': {
    act: async (trial) => {
      await haveStored(trial, 40);
      trial.gateway.signal('SIGTERM');
      await trial.gateway.exited();
      rmSync(trial.gateway.env.SPOOL_DIR ?? '', { recursive: true });
      await trial.gateway.start();
    },
  },
  'the gateway drops messages when its queue is full': {
    gatewayEnv: { TCP_JOB_QUEUE_FULL: 'drop', TCP_JOB_QUEUE_SIZE: '2' },
    env: { INTERVAL_MS: '3' },
    isOnce: true,
    isDropping: true,
    act: async () => {},
  },
  'the gateway has no room on its disk while Kafka is away': {
    isOnce: true,
    otherRecords: FILL_LINES * READINGS_PER_LINE,
    gatewayEnv: { SPOOL_MAX_BYTES: '1MiB', KAFKA_BUFFER_BYTES: '8MiB' },
    env: { INTERVAL_MS: '200', COUNT: `${COUNT}` },
    act: async (trial, kafka) => {
      await haveStored(trial, 5);
      kafka.close();
      fill(trial);
      // Longer than a device waits for a sign of life.
      await sleep(10_000);
      await kafka.listen();
    },
  },
  'there is no place for all of them': {
    gatewayEnv: { TCP_MAX_CONNECTIONS: '4' },
    env: { INTERVAL_MS: '5' },
    isOnce: true,
    act: async () => {},
  },
};

const chosen = process.env.DEVICE_HARDSHIPS;

for (const [name, hardship] of Object.entries(HARDSHIPS))
  if (name.includes(chosen ?? ''))
    test(`device clients lose no reading if ${name}`, async (t, bootstrap) => {
      const kafka = await TcpProxy.reserve(bootstrap);
      await kafka.listen();
      t.after(() => kafka.close());
      const trial = await startTrial(t, bootstrap, {
        seed: 1,
        ways: hardship.ways ?? ['plain', 'tls'],
        maxBytes: Number.POSITIVE_INFINITY,
        env: { COUNT: `${COUNT}`, INTERVAL_MS: '20', ...hardship.env },
        gatewayEnv: { KAFKA_BROKERS: kafka.address, ...hardship.gatewayEnv },
      });
      for (const { device } of trial.devices) device.start();
      await hardship.act(trial, kafka);
      const codes = await Promise.all(trial.devices.map(({ device }) => device.ended(90_000)));
      assert.deepEqual(new Set(codes), new Set([0]));
      const { isOnce = false, isDropping = false, otherRecords = 0 } = hardship;
      const expected = isDropping ? 0 : COUNT * trial.devices.length + otherRecords;
      // If some are missing, judge says which.
      const records = await readTopic(bootstrap, trial.topic, expected, 10_000).catch(() =>
        readTopic(bootstrap, trial.topic, 0),
      );
      for (const { id, device } of trial.devices) {
        assert.deepEqual(device.faults, [], id);
        const copies = judge(records, {
          deviceId: id,
          count: isDropping ? undefined : COUNT,
          taken: device.taken,
          isOnce,
        });
        const told = device.log.split('\n').length - 1;
        t.diagnostic(
          `${id}: ${device.taken.size} seen in its file, ${copies} copies, ${told} lines on stderr`,
        );
      }
    });
