// The last state of a device that resumed has the seq that is stored for it, also if the device sent nothing more.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Device } from '../support/device.ts';
import { startGateway } from '../support/gateway.ts';
import { spoolRecords } from '../support/spool-records.ts';

const IDENTIFY = '{"type":"identify","device_id":"truck-7","resume":true}\n';

test('a device that resumed and sent nothing is told with the seq that is stored for it', async () => {
  const spool = mkdtempSync(join(tmpdir(), 'sluice-presence-'));
  try {
    const gateway = await startGateway({
      TCP_IDENTIFY: 'device_id',
      KAFKA_TOPIC_PRESENCE: 'presence',
      SPOOL_DIR: spool,
    });
    for (const lines of [`${IDENTIFY}{"type":"metrics","seq":41,"data":{"a":1}}\n`, IDENTIFY]) {
      const device = await Device.connect(gateway.port);
      device.send(lines);
      device.halfClose();
      while ((await device.readLine().catch(() => undefined)) !== undefined);
    }
    await gateway.stop();
    const states = await spoolRecords(join(spool, 'presence'));
    const closed = states
      .filter(({ key, value }) => String(key) === 'truck-7' && String(value).includes('closed'))
      .map(({ value }) => (JSON.parse(String(value)) as { stored_seq?: number }).stored_seq);
    assert.deepEqual(closed, [41, 41]);
  } finally {
    rmSync(spool, { recursive: true, force: true });
  }
});
