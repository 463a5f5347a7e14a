// How long one device can hold up the event loop.
import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { it } from 'node:test';
import { IDENTIFY } from '../support/device.ts';
import { gatewayFor } from '../support/gateway.ts';
import { RUBBISH, sendRubbish } from './rubbish.ts';

it('a device that sends only rubbish never holds up the event loop for a second', async (t) => {
  const gateway = await gatewayFor(t);
  for (const text of RUBBISH) {
    const lag = monitorEventLoopDelay({ resolution: 5 });
    lag.enable();
    await sendRubbish(gateway, IDENTIFY + text);
    lag.disable();
    const longestMs = Math.round(lag.max / 1e6);
    t.diagnostic(`${text.slice(0, 20).replaceAll('\n', ' ')}: ${longestMs} ms`);
    assert.ok(longestMs < 1000, `the event loop stood still for ${longestMs} ms`);
  }
});
