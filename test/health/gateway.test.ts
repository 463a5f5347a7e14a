// Health of a real gateway whose Kafka cannot be reached: what each value of HTTP_READY_REQUIRES answers, and the spool on a
// small disk.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../scripts/kafka/ports.ts';
import { mount } from '../spool/support.ts';
import { Device } from '../support/device.ts';
import { type Gateway, gatewayFor } from '../support/gateway.ts';
import { componentOf, stateOf } from '../support/health.ts';
import { waitFor } from '../support/wait.ts';

/** A gateway whose broker refuses connections, and that has a record on disk. */
async function withoutKafka(t: TestContext, requires: string): Promise<Gateway> {
  const gateway = await gatewayFor(t, {
    HTTP_PORT: '0',
    HTTP_READY_REQUIRES: requires,
    KAFKA_BROKERS: `127.0.0.1:${await freePort()}`,
  });
  await waitFor('the outage is seen', () => stateOf(gateway.snapshot(), 'kafka') === 'failed unreachable');
  const device = await Device.identified(gateway.port);
  t.after(() => device.destroy());
  device.sendMessages({ type: 'metrics', seq: 1, data: { t: 1 } });
  assert.equal((await device.read()).status, 'stored');
  return gateway;
}

async function get({ addresses }: Gateway, path: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`http://127.0.0.1:${addresses.http?.port}${path}`);
  return { status: response.status, body: await response.text() };
}

test('without Kafka a gateway with room in its spool is ready, and says what waits and why', async (t) => {
  const gateway = await withoutKafka(t, 'spool');
  for (const path of ['/readyz', '/readyz?verbose', '/health'])
    assert.equal((await get(gateway, path)).status, 200, path);
  assert.deepEqual(JSON.parse((await get(gateway, '/readyz')).body), { ready: true });
  const { components, status } = JSON.parse((await get(gateway, '/health')).body);
  assert.equal(status, 'failed');
  assert.match(components.kafka.reason, /ECONNREFUSED/);
  assert.match(components.kafka.remedy, /advertised\.listeners/);
  assert.match(components.spool.reason, /^1 record waits for Kafka/);
  assert.equal(stateOf(gateway.snapshot(), 'spool'), 'degraded growing');
  assert.match(componentOf(gateway.snapshot(), 'processes')?.reason ?? '', /1 server process/);
});

test('with HTTP_READY_REQUIRES=kafka it is not ready, and says that it is Kafka', async (t) => {
  const gateway = await withoutKafka(t, 'kafka');
  for (const path of ['/readyz', '/readyz?verbose', '/health'])
    assert.equal((await get(gateway, path)).status, 503, path);
  const { ready, reasons } = JSON.parse((await get(gateway, '/readyz')).body);
  assert.equal(ready, false);
  assert.match(reasons.join(), /^kafka: .*ECONNREFUSED/);
});

test('on a small disk the spool is nearly full before it is full', async (t) => {
  const disk = mount(t, ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs']);
  if (disk === undefined) return;
  const gateway = await gatewayFor(t, {
    KAFKA_BROKERS: `127.0.0.1:${await freePort()}`,
    KAFKA_COMPRESSION: 'none',
    SPOOL_DIR: `${disk}/spool`,
  });
  await waitFor('the disk was asked', () => gateway.snapshot().spool.diskFreeBytes);
  const device = await Device.identified(gateway.port);
  t.after(() => device.destroy());
  // Records of 5.3 MB in all.
  const data = Array.from({ length: 200 }, () => ({ text: 'x'.repeat(200) }));
  for (let seq = 1; seq <= 70; seq++) device.sendMessages({ type: 'metrics', seq, data });
  // Well before the disk would be asked by the clock.
  await waitFor('a warning', () => stateOf(gateway.snapshot(), 'spool') === 'degraded nearly_full', 5_000);
});
