// The port for plain lines with several server processes: all inherit it beside the other ports, and each serves it.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from '../../scripts/kafka/ports.ts';
import { Authority } from '../support/authority.ts';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { runGateway } from '../support/gateway-process.ts';
import { spoolRecords } from '../support/spool-records.ts';
import { waitFor } from '../support/wait.ts';

test('two processes share the port, and count together', async (t) => {
  const directory = temporaryDirectory(t);
  const { cert, key } = new Authority(directory, 'authority').sign('gateway');
  const [lines, tls] = [await freePort(), await freePort()];
  const gateway = await runGateway(t, directory, {
    TCP_PROCESSES: '2',
    TCP_LINES_PORT: `${lines}`,
    TCP_TLS_PORT: `${tls}`,
    TCP_TLS_CERT: cert,
    TCP_TLS_KEY: key,
    KAFKA_BROKERS: '',
    SPOOL_DIR: join(directory, 'spool'),
  });
  // Each of the three ports is the one that it says.
  const devices = [await Device.identified(gateway.port, {}), await Device.identified(tls, { tls: {} })];
  const senders = await Promise.all(
    Array.from({ length: 20 }, () => Device.connect(lines, { tls: undefined })),
  );
  t.after(() => [...devices, ...senders].forEach((one) => void one.destroy()));
  for (const [n, one] of senders.entries()) one.send(`{"n":${n}}\n[]\n`);
  await waitFor('all lines', () => {
    const { plain } = gateway.stats.lines;
    return plain.accepted === 20 && plain.refused === 20;
  });
  const { stages } = gateway.stats.connections;
  assert.deepEqual([stages.lines, stages.identified, stages.identify], [20, 2, 0]);
  for (const one of senders) {
    one.halfClose();
    assert.deepEqual(await one.rest(), []);
  }
  gateway.signal('SIGTERM');
  assert.equal(await gateway.exited(), 0);
  assert.deepEqual(gateway.imbalances, []);
  const records = await spoolRecords(join(directory, 'spool'));
  assert.deepEqual(
    records.map(({ value }) => JSON.parse(`${value}`).n).sort((a, b) => a - b),
    senders.map((_, n) => n),
  );
});
