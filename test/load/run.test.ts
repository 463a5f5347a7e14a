// A run of the load from within: what its command cannot time.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ordinaryPlan } from '../../scripts/load/plan.ts';
import { runLoad } from '../../src/load/run.ts';
import { startGateway } from '../support/gateway.ts';

it('a load that is ended before it has begun sends nothing', { timeout: 20_000 }, async (t) => {
  const gateway = await startGateway();
  t.after(() => gateway.stop());
  const target = { host: '127.0.0.1', port: gateway.port };
  const plan = ordinaryPlan({ target, connections: 2, rate: 100, durationMs: 60_000 });
  for (const early of ['before', 'while connecting'] as const) {
    const ended = new AbortController();
    if (early === 'before') ended.abort();
    const result = await runLoad(plan, { started: () => ended.abort() }, ended.signal);
    assert.ok(result.interrupted);
    assert.equal(result.counts.messages, 0, early);
  }
});
