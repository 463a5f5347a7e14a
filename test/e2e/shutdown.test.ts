// The built program under load, told to stop: what it accepted is in Kafka, what it confirmed is exactly that.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { consoleConsumer, kafkaTest, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { assertHonestStored, assertLedger, connectFleet, type FleetDevice } from './fleet.ts';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const SHUTDOWN_TIMEOUT_MS = 10_000;
/** Unconfirmed messages of a device at most. */
const WINDOW = 300;

kafkaTest(
  'SIGTERM under load: exit 0 in time, every accepted reading in Kafka, every device told how far and when to return',
  async ({ bootstrap }, t) => {
    const topic = uniqueTopic('shutdown');
    const directory = mkdtempSync(join(tmpdir(), 'sluice-shutdown-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const child = spawn(process.execPath, [MAIN], {
      cwd: directory,
      env: {
        PATH: process.env.PATH ?? '',
        TCP_HOST: '127.0.0.1',
        TCP_PORT: '0',
        HTTP_PORT: '',
        KAFKA_BROKERS: bootstrap,
        KAFKA_TOPIC_METRICS: topic,
        SHUTDOWN_TIMEOUT: `${SHUTDOWN_TIMEOUT_MS}ms`,
        LOG_FORMAT: 'json',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    const ended = new Promise<{ code: number | null; atMs: number }>((resolve) =>
      child.once('close', (code) => resolve({ code, atMs: performance.now() })),
    );
    const port = await waitFor('the gateway listens', () => {
      const found = /TCP server listening on 127\.0\.0\.1:(\d+)/.exec(out);
      return found !== null && Number(found[1]);
    });
    const fleet = await connectFleet(port, { devices: 50, zipcodes: 31 });
    for (const device of fleet) keepSending(device);
    await waitFor('all are under way', () => fleet.every(({ lastStored }) => lastStored > WINDOW));
    const signalledMs = performance.now();
    child.kill('SIGTERM');
    const { code, atMs } = await ended;
    assert.equal(code, 0, out);
    assert.ok(atMs - signalledMs < SHUTDOWN_TIMEOUT_MS, `${atMs - signalledMs} ms`);
    assert.match(out, /"msg":"stopped"/);
    assert.ok(
      fleet.some(({ lastSeq, lastStored }) => lastSeq > lastStored),
      'it was under load to the end',
    );

    const delays = fleet.map(({ closing }) => closing?.reconnect_after_ms ?? Number.NaN);
    for (const [i, device] of fleet.entries()) {
      assertHonestStored(device);
      assert.deepEqual(device.errors, []);
      assert.equal(device.closing?.code, 'shutdown', `device ${i} got no goodbye`);
      assert.ok(Number(delays[i]) >= 500 && Number(delays[i]) <= 5000, `${delays[i]} ms`);
    }
    assert.ok(new Set(delays).size > 25, 'the delays are spread');

    // One reading a message and seq from 1: the last `stored` is the number of the device's records.
    const told = fleet.reduce((sum, { lastStored }) => sum + lastStored, 0);
    const records = await consoleConsumer(bootstrap, topic, { maxMessages: told + 1, idleMs: 4000 });
    assertLedger(fleet, records, { partitions: 10, upTo: ({ lastStored }) => lastStored });
    t.diagnostic(`${told} records, stopped in ${Math.round(atMs - signalledMs)} ms`);
  },
);

/** Writes as fast as the gateway reads, until it says goodbye. */
function keepSending(device: FleetDevice): void {
  const more = () => {
    while (device.closing === undefined && !device.ended && device.lastSeq - device.lastStored < WINDOW) {
      if (!device.send(20)) return;
    }
    if (device.closing === undefined && !device.ended) setTimeout(more, 5);
    else device.socket.end();
  };
  device.socket.on('drain', more);
  more();
}
