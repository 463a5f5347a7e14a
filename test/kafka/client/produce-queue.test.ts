// When a Produce request is sent: quotas, logins that end, and the order of a partition's batches meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { recordedLog } from '../../support/log.ts';
import { waitFor } from '../../support/wait.ts';
import {
  codeOf,
  Gate,
  PRODUCE,
  producedAnswer,
  rangesOf,
  rejectsWith,
  requestFor,
  withClient,
} from './scripted-broker.ts';

test('a throttling broker gets nothing until the time is over, and no request times out because of it', async (t) => {
  const THROTTLE_MS = 600;
  const atMs: number[] = [];
  const { broker, client } = await withClient(t, {
    onProduce: (request) => {
      atMs.push(performance.now());
      return producedAnswer(request, { throttleMs: request.partitions[0] === 0 ? THROTTLE_MS : 0 });
    },
    muteMs: ({ partitions }) => (partitions[0] === 0 ? THROTTLE_MS : 0),
    // Shorter than the time in which the broker does not read.
    requestTimeoutMs: 300,
  });
  assert.equal(client.throttled, false);
  const inFlight = [client.produce(1, requestFor([0])), client.produce(1, requestFor([1]))];
  await inFlight[0];
  assert.equal(client.throttled, true);
  const later = [2, 3].map((partition) => client.produce(1, requestFor([partition])));
  await sleep(THROTTLE_MS / 2);
  assert.equal(broker.produced.length, 1);
  await Promise.all([...inFlight, ...later]);
  assert.deepEqual(broker.order, [0, 1, 2, 3]);
  const [first = 0, , third = 0] = atMs;
  assert.ok(third - first >= THROTTLE_MS - 5, `${third - first} ms`);
  assert.equal(client.throttled, false);
  assert.equal(Math.round(client.throttledMs), THROTTLE_MS);
});

test('nothing is written to a throttling broker, even if it would read', async (t) => {
  const THROTTLE_MS = 400;
  const { broker, client } = await withClient(t, {
    onProduce: (request) =>
      producedAnswer(request, { throttleMs: request.partitions[0] === 0 ? THROTTLE_MS : 0 }),
  });
  await client.produce(1, requestFor([0]));
  const startedAtMs = performance.now();
  await Promise.all([1, 2, 3].map((partition) => client.produce(1, requestFor([partition]))));
  const tookMs = performance.now() - startedAtMs;
  assert.ok(tookMs >= THROTTLE_MS - 10, `${tookMs} ms`);
  assert.equal(broker.produced.length, 4);
});

test('after the throttling an unanswered request times out as usual', async (t) => {
  const { client } = await withClient(t, {
    onProduce: (request) =>
      request.partitions[0] === 0 ? producedAnswer(request, { throttleMs: 300 }) : 'nothing',
    requestTimeoutMs: 200,
  });
  const startedAtMs = performance.now();
  const inFlight = [client.produce(1, requestFor([0])), client.produce(1, requestFor([1]))];
  await inFlight[0];
  await rejectsWith(inFlight[1] as Promise<unknown>, 'TIMEOUT');
  const tookMs = performance.now() - startedAtMs;
  assert.ok(tookMs >= 490 && tookMs < 2500, `${tookMs} ms`);
});

test('one answer cannot stop us for more than five minutes, and closing the client ends the wait', async (t) => {
  const { client } = await withClient(t, {
    onProduce: (request) => producedAnswer(request, { throttleMs: 2 ** 31 - 1 }),
  });
  await client.produce(1, requestFor([0]));
  assert.ok(client.throttled && client.throttledMs <= 5 * 60_000, `${client.throttledMs}`);
  const waiting = client.produce(1, requestFor([0]));
  client.close();
  await rejectsWith(waiting, 'UNREACHABLE');
});

test('an old broker that delays its answer instead does not make us wait again', async (t) => {
  const { client } = await withClient(t, {
    onProduce: (request) => producedAnswer(request, { throttleMs: 60_000 }),
    versions: rangesOf('3.9').set(PRODUCE, [0, 5]),
  });
  for (let i = 0; i < 3; i++) await client.produce(1, requestFor([0]));
  assert.equal(client.throttled, false);
});

test('before a login ends a new connection takes over, and no request fails', async (t) => {
  const { broker, client } = await withClient(t, {
    password: 'secret',
    sessionLifetimeMs: 1000,
    onProduce: (request) => sleep(5).then(() => producedAnswer(request)),
    requestTimeoutMs: 500,
  });
  const until = performance.now() + 2500;
  let sent = 0;
  const load = async (partition: number) => {
    for (; performance.now() < until; sent++) await client.produce(1, requestFor([partition]));
  };
  await Promise.all([0, 1, 2, 3].map(load));
  const connections = broker.produceConnections;
  assert.ok(connections.length >= 3, `${connections.length} connections`);
  assert.equal(broker.produced.length, sent);
  await waitFor('the old connections are closed', () =>
    connections.slice(0, -1).every((n) => !broker.open.has(n)),
  );
});

test('an old connection is closed after the answer to its last request, while others use the new one', async (t) => {
  const held = new Gate();
  const { broker, client } = await withClient(t, {
    password: 'secret',
    sessionLifetimeMs: 1000,
    onProduce: async (request) => {
      if (request.partitions[0] === 0 && broker.produced.length === 1) await held.opened;
      return producedAnswer(request);
    },
  });
  const slow = client.produce(1, requestFor([0]));
  await waitFor('the request is there', () => broker.produced.length === 1);
  await sleep(1100);
  await client.produce(1, requestFor([1]));
  // On another connection, a later batch of this partition could overtake the slow one.
  const behind = client.produce(1, requestFor([0]));
  await sleep(50);
  assert.deepEqual(broker.order, [0, 1]);
  const [old = 0, fresh = 0] = broker.produceConnections;
  assert.ok(fresh > old && broker.open.has(old), 'both connections are open');
  held.open();
  await Promise.all([slow, behind]);
  const used = broker.produced.map(({ connection }) => connection);
  assert.deepEqual(used, [old, fresh, fresh]);
  await waitFor('the old connection is closed', () => !broker.open.has(old));
});

test('if no new connection can be opened, the old one is used until its login ends', async (t) => {
  const { broker, client } = await withClient(t, { password: 'secret', sessionLifetimeMs: 2000 });
  await client.produce(1, requestFor([0]));
  const startedAtMs = performance.now();
  broker.script.password = 'another';
  const sent: Promise<unknown>[] = [];
  while (performance.now() - startedAtMs < 1500) {
    sent.push(client.produce(1, requestFor([0])));
    await sleep(10);
  }
  await Promise.all(sent);
  assert.ok(broker.loginsAtMs.length === 3, `${broker.loginsAtMs.length} logins`);
  await sleep(600);
  await rejectsWith(client.produce(1, requestFor([0])), 'AUTHENTICATION');
});

test('requests behind a failed one of their partition are not sent, those of other partitions are', async (t) => {
  const { broker, client } = await withClient(t, {
    onProduce: (request) => {
      if (request.partitions[0] === 0) return producedAnswer(request, { throttleMs: 300 });
      return request.partitions[0] === 1 ? 'close' : producedAnswer(request);
    },
  });
  const first = [client.produce(1, requestFor([0])), client.produce(1, requestFor([1]))];
  await first[0];
  const waiting = [client.produce(1, requestFor([2])), client.produce(1, requestFor([3, 1]))];
  const outcomes = await Promise.all([...first, ...waiting].map(codeOf));
  assert.deepEqual(outcomes, [undefined, 'CLOSED', undefined, 'UNREACHABLE']);
  assert.deepEqual(broker.order, [0, 1, 2]);
});

test('a connection that was silent for minutes is replaced before the next request', async (t) => {
  const { broker, client } = await withClient(t);
  await client.produce(1, requestFor([0]));
  t.mock.method(performance, 'now', () => realNow() + 3 * 60_000);
  const realNow = () => Number(process.hrtime.bigint()) / 1e6;
  await client.produce(1, requestFor([0]));
  assert.equal(broker.produceConnections.length, 2);
});

test('the debug log tells of a quota once a minute', async (t) => {
  const { log, lines } = recordedLog();
  const { client } = await withClient(t, {
    onProduce: (request) => producedAnswer(request, { throttleMs: 5 }),
    log,
  });
  for (let n = 0; n < 5; n++) await client.produce(1, requestFor([0]));
  assert.equal(lines.filter(({ event }) => event === 'quota_throttled').length, 1);
});
