// A run of the load inside the test's process, for moments that a command line cannot hit.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ordinaryPlan } from '../../bench/load-plan.ts';
import { runLoad } from '../../load/run.ts';
import { startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';

it('a load that is ended before it begins sends nothing', { timeout: 20_000 }, async (t) => {
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

it('devices that are kicked stay away for the time that they are told', { timeout: 20_000 }, async (t) => {
  const HTTP_TOKEN = 'correct-horse-battery-staple';
  const gateway = await startGateway({ HTTP_PORT: '0', HTTP_TOKEN });
  t.after(() => gateway.stop());
  const target = { host: '127.0.0.1', port: gateway.port };
  const plan = ordinaryPlan({ target, connections: 4, rate: 200, durationMs: 15_000 });
  const end = new AbortController();
  const run = runLoad(plan, { started: () => {} }, end.signal);
  const { accepted } = await waitFor('lines of all', () => {
    const { lines, connections } = gateway.snapshot();
    return lines.accepted > 100 && connections;
  });
  const response = await fetch(`http://127.0.0.1:${gateway.addresses.http?.port}/kick`, {
    method: 'POST',
    headers: { authorization: `Bearer ${HTTP_TOKEN}` },
    body: JSON.stringify({ address: '127.0.0.1', reconnect_after_ms: 1000 }),
  });
  assert.deepEqual(await response.json(), { kicked: 4, missing: [] });
  await sleep(400);
  assert.equal(gateway.snapshot().connections.accepted, accepted, 'nobody is back yet');
  await waitFor('all are back', () => gateway.snapshot().connections.accepted === accepted + 4);
  end.abort();
  const { codes, counts } = await run;
  assert.equal(codes.kicked, 4);
  assert.equal(counts.breaks, 4);
});

/** A gateway on a thread of its own that accepts every device and reads everything at once. */
const EAGER = `
  const { parentPort } = require('node:worker_threads');
  const reply = JSON.stringify({ type: 'ack', status: 'identified', connection_id: 'x' });
  const server = require('node:net').createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.write(reply + '\\n'));
    socket.resume();
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

it('a load at full speed ends in time, however fast the gateway reads', { timeout: 30_000 }, async (t) => {
  const gateway = new Worker(EAGER, { eval: true });
  t.after(() => gateway.terminate());
  const [port] = (await once(gateway, 'message')) as [number];
  const target = { host: '127.0.0.1', port };
  const plan = { ...ordinaryPlan({ target, connections: 2, rate: 0, durationMs: 1000 }), seq: false };
  const startMs = performance.now();
  const { counts } = await runLoad(plan, { started: () => {} }, new AbortController().signal);
  assert.ok(counts.messages > 1000, `${counts.messages} messages`);
  assert.ok(performance.now() - startMs < 10_000);
});
