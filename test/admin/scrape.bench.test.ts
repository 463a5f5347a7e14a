// How long a scrape takes while 10,000 devices are connected.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Device, IDENTIFY } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { runGateway } from '../support/gateway-process.ts';
import { scrape } from '../support/scrape.ts';
import { waitFor } from '../support/wait.ts';

const CONNECTIONS = 10_000;
const AT_ONCE = 500;
const SCRAPES = 15;
const MAX_MS = 50;

test(`with ${CONNECTIONS} connections, the median scrape takes less than ${MAX_MS} ms`, async (t) => {
  const directory = temporaryDirectory(t);
  // A process of its own: both ends of 10,000 connections are too many files for one.
  const gateway = await runGateway(t, directory, {
    TCP_PROCESSES: '1',
    KAFKA_BROKERS: '',
    SPOOL_DIR: join(directory, 'spool'),
    TCP_MAX_CONNECTIONS: `${CONNECTIONS}`,
    TCP_IDENTIFY_TIMEOUT: '5m',
  });
  const devices: Device[] = [];
  t.after(() => {
    for (const device of devices) device.destroy();
  });
  while (devices.length < CONNECTIONS) {
    const more = Array.from({ length: AT_ONCE }, () => Device.connect(gateway.port, { reads: false }));
    for (const device of await Promise.all(more)) {
      device.send(IDENTIFY);
      devices.push(device);
    }
  }
  await waitFor('all have identified', () => gateway.stats.connections.identified === CONNECTIONS);
  const tookMs: number[] = [];
  let samples = new Map<string, number>();
  for (let n = 0; n < SCRAPES; n++) {
    const startMs = performance.now();
    samples = await scrape(gateway.httpPort);
    tookMs.push(performance.now() - startMs);
  }
  assert.equal(samples.get('sluice_connections_in_stage{stage="identified"}'), CONNECTIONS);
  tookMs.sort((a, b) => a - b);
  const median = tookMs[SCRAPES >> 1] ?? 0;
  t.diagnostic(
    `median ${median.toFixed(1)} ms, slowest ${tookMs.at(-1)?.toFixed(1)} ms, ${samples.size} series`,
  );
  assert.ok(median < MAX_MS, `${median} ms`);
});
