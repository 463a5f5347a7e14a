// The load against a real gateway and a real Kafka: its counts add up, and it finds faults planted before the gateway.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LoadResult } from '../../load/report/result.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { kafkaTest } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { type Harm, LineProxy } from './line-proxy.ts';
import { place } from './place.ts';
import { measuredLoad } from './sluice-load.ts';

/** Every sent message is confirmed and in the topic once, and the gateway has the same counts. */
function assertAllThere(result: LoadResult, gateway: Gateway): void {
  const { counts, readings, readBack } = result;
  const { lines, records } = gateway.snapshot();
  assert.ok(counts.messages > 0);
  assert.equal(counts.confirmed, counts.messages);
  assert.equal(readBack?.delivered, readings);
  assert.deepEqual(result.faults, []);
  assert.equal(records.accepted, readings);
  assert.equal(lines.refusedLines, counts.bad);
  assert.equal(counts.open, 0);
}

describe('sluice load', () => {
  kafkaTest('has equal counts of sent, confirmed and stored messages', async ({ bootstrap }, t) => {
    const { gateway, args } = await place(t, bootstrap);
    const load = '-c 20 --processes 2 --rate 1000 --duration 2s';
    const { code, out, err, result } = await measuredLoad(args, load);
    assert.equal(code, 0, err + out);
    assertAllThere(result, gateway);
    assert.ok(Math.abs(result.counts.messages + result.counts.unsent - 2000) <= 2);
    assert.equal(result.counts.connects, 20);
    const { confirmed, consumed, written } = result.latencyMs;
    for (const latency of [confirmed, consumed, written]) {
      assert.ok(latency && latency.count === result.counts.messages);
      assert.ok(latency.p50 <= latency.p99 && latency.p99 <= latency.max && latency.max < 60_000);
    }
    assert.match(out, /OK: nothing lost, duplicated, reordered or corrupted\.\n$/);
  });

  kafkaTest(
    'handles bad lines, batches, churn, slow readers and several lines a write',
    async ({ bootstrap }, t) => {
      const { gateway, args } = await place(t, bootstrap);
      const mixed = '--shape batch:3 --bad 5% --churn 50% --slow-readers 2';
      const load = '-c 20 --rate 1000 --duration 2s --per-write 4 --ramp 500ms';
      const { code, out, err, result } = await measuredLoad(args, `${load} ${mixed}`);
      assert.equal(code, 0, err + out);
      assertAllThere(result, gateway);
      const { counts, codes } = result;
      assert.ok(counts.bad > 10 && counts.connects > 25);
      assert.equal(counts.badRefused, counts.bad);
      assert.equal(
        Object.values(codes).reduce((sum, times) => sum + times, 0),
        counts.bad,
      );
    },
  );

  kafkaTest('sends pairs at full speed and reads the topic afterwards', async ({ bootstrap }, t) => {
    const { gateway, args } = await place(t, bootstrap);
    const load = '-c 10 --rate max --duration 500ms --shape pairs --per-write 20';
    const { code, out, err, result } = await measuredLoad(args, `${load} --no-live`);
    assert.equal(code, 0, err + out);
    assertAllThere(result, gateway);
    assert.equal(result.latencyMs.consumed, undefined);
  });

  kafkaTest('sends nested readings from devices with tags and a device_id', async ({ bootstrap }, t) => {
    const settings = { TCP_IDENTIFY: 'device_id,tags.tag0', KAFKA_KEY: 'tags.tag0' };
    const { gateway, args } = await place(t, bootstrap, settings);
    const load = '-c 10 --rate 1000 --duration 1s --shape nested --tags 3 --device-ids';
    const { code, out, err, result } = await measuredLoad(args, load);
    assert.equal(code, 0, err + out);
    assertAllThere(result, gateway);
  });

  for (const [framing, wraps] of [
    ['lf', 'false'],
    ['octet-counted', 'true'],
  ] as const)
    kafkaTest(`sends plain lines, ${framing}, wrapped: ${wraps}`, async ({ bootstrap }, t) => {
      const settings = { TCP_LINES_PORT: '0', TCP_LINES_FRAMING: framing, TCP_LINES_WRAP: wraps };
      const { gateway, args } = await place(t, bootstrap, settings);
      const target = `--target 127.0.0.1:${gateway.addresses.lines?.port}`;
      const load = `-c 10 --rate 1000 --duration 1s --churn 20% --shape nested --lines ${framing}`;
      const { code, out, err, result } = await measuredLoad(args, `${load} ${target}`);
      assert.equal(code, 0, err + out);
      assert.ok(result.counts.messages > 0);
      assert.equal(result.readBack?.delivered, result.counts.messages);
      assert.deepEqual(result.faults, []);
      assert.equal(gateway.snapshot().records.accepted, result.readings);
    });

  kafkaTest('finds plain lines that were lost', async ({ bootstrap }, t) => {
    const { gateway, args } = await place(t, bootstrap, { TCP_LINES_PORT: '0' });
    const port = gateway.addresses.lines?.port ?? 0;
    const proxy = await LineProxy.start(port, () => (line, number) => (number === 20 ? [] : [line]));
    t.after(() => proxy.close());
    const load = '-c 5 --rate 500 --duration 1s --settle 1s --lines lf';
    const { code, out, result } = await measuredLoad(args, `${load} --target 127.0.0.1:${proxy.port}`);
    assert.equal(code, 1, out);
    assert.equal(result.readBack?.lost, 5);
  });

  kafkaTest('raises the rate step by step and reports the highest that passed', async ({ bootstrap }, t) => {
    const { args } = await place(t, bootstrap);
    // No step has a p99 of a microsecond.
    const load = '-c 5 --rate 200 --duration 500ms --step 400';
    const none = await measuredLoad(args, `${load} --max-p99 0.001`);
    assert.equal(none.result.highestRate, 0);
    assert.deepEqual(
      none.result.steps?.map(({ rate, why }) => [rate, why.length > 0]),
      [
        [200, true],
        [200, true],
      ],
    );
    assert.match(none.out, /No step stayed within p99 of 0\.001 ms/);
    assert.equal(none.code, 0, none.out);
  });

  kafkaTest('finds lost readings and exits with 1', async ({ bootstrap }, t) => {
    const { gateway, args } = await place(t, bootstrap);
    // The confirmation of the next message covers the missing one.
    const proxy = await LineProxy.start(gateway.port, () => (line, number) => (number === 20 ? [] : [line]));
    t.after(() => proxy.close());
    const load = '-c 5 --rate 500 --duration 1s --settle 1s';
    const { code, out, result } = await measuredLoad(args, `${load} --target 127.0.0.1:${proxy.port}`);
    assert.equal(code, 1, out);
    assert.equal(result.readBack?.lost, 5);
    assert.equal(result.counts.confirmed, result.counts.messages);
    assert.match(out, /FAILED: 5 lost\./);
    assert.match(out, /^lost +5 +device \d, n 20;/m);
  });

  kafkaTest('finds copies, wrong order and changed values', async ({ bootstrap }, t) => {
    const { gateway, args } = await place(t, bootstrap);
    const proxy = await LineProxy.start(gateway.port, harmful);
    t.after(() => proxy.close());
    const load = '-c 4 --rate 400 --duration 1s --settle 1s --no-seq';
    const { code, out, result } = await measuredLoad(args, `${load} --target 127.0.0.1:${proxy.port}`);
    assert.equal(code, 1, out);
    const { duplicated, reordered, corrupted, lost, invented } = result.readBack ?? {};
    assert.deepEqual(
      { duplicated, reordered, corrupted, lost, invented },
      { duplicated: 4, reordered: 4, corrupted: 4, lost: 4, invented: 0 },
    );
    assert.match(out, /FAILED: 4 lost; 4 duplicated; 4 reordered; 4 corrupted\./);
  });

  it('says loudly that nothing was read back', async (t) => {
    const gateway = await startGateway();
    t.after(() => gateway.stop());
    const load = '-c 5 --rate 500 --duration 500ms --no-read-back';
    const { code, out, err, result } = await measuredLoad([], `${load} --target 127.0.0.1:${gateway.port}`);
    assert.equal(code, 0, err + out);
    assert.match(err, /NOTHING IS READ BACK/);
    assert.match(out, /NOTHING WAS READ BACK/);
    assert.equal(result.readBack, undefined);
    assert.equal(result.counts.confirmed, result.counts.messages);
  });

  it('exits with 1 if the gateway is gone at the end, and counts messages without a reply', async (t) => {
    const gateway = await startGateway();
    t.after(() => gateway.stop());
    const load = '-c 5 --rate 500 --duration 3s --no-read-back --settle 500ms';
    const running = measuredLoad([], `${load} --target 127.0.0.1:${gateway.port}`);
    await waitFor('some messages', () => gateway.snapshot().records.accepted > 200);
    await gateway.stop();
    const { code, result, out } = await running;
    assert.equal(code, 1, out);
    assert.match(out, /FAILED: 5 devices without a connection at the end\./);
    const { counts } = result;
    assert.equal(counts.breaks, 5);
    assert.equal(counts.messages, counts.confirmed + counts.refused + counts.unanswered + counts.unconfirmed);
    assert.ok(counts.unsent > 0);
    assert.equal(result.codes.shutdown, 5, out);
  });
});

/** On each connection: sends line 10 twice, 20 after 21, and changes a value of 30. */
function harmful(): Harm {
  let held: Buffer | undefined;
  return (line, number) => {
    if (number === 10) return [line, line];
    if (number === 20) {
      held = Buffer.from(line);
      return [];
    }
    if (number === 21 && held !== undefined) return [line, held];
    if (number !== 30) return [line];
    const changed = Buffer.from(line);
    const at = changed.indexOf('"temperature":') + '"temperature":'.length;
    changed[at] = changed[at] === 49 ? 50 : 49;
    return [changed];
  };
}
