// Time-outs while the event loop is late in each turn.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Device } from '../support/device.ts';
import { gatewayFor } from '../support/gateway.ts';
import { assertAlive } from './stage.ts';

const METRICS = '{"type":"metrics","data":{"a":1}}\n';

it('a busy event loop keeps the time-outs of silent devices, and closes none that sends', async (t) => {
  const gateway = await gatewayFor(t, { TCP_IDENTIFY_TIMEOUT: '1500ms', TCP_INACTIVITY_TIMEOUT: '1500ms' });
  const steady = await Device.identified(gateway.port);
  const [silent, unidentified] = [await Device.identified(gateway.port), await Device.connect(gateway.port)];
  const beganMs = performance.now();
  // The gateway's own count: until the client has read the reply, one or two late turns more pass.
  const isOver = () => {
    const { inactive, identify_timeout: unidentifiedCount } = gateway.snapshot().lines.refused;
    return inactive === 1 && unidentifiedCount === 1;
  };
  while (!isOver() && performance.now() - beganMs < 8000) {
    steady.send(METRICS);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const tookMs = performance.now() - beganMs;
  assert.ok(tookMs >= 1400 && tookMs < 4000, `${tookMs} ms`);
  assert.deepEqual(await silent.restCodes(), ['inactive']);
  assert.deepEqual(await unidentified.restCodes(), ['identify_timeout']);
  await assertAlive(steady);
});
