// When a Produce request leaves: quotas, logins that end, and the order of a partition's batches meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { waitFor } from '../../support/wait.ts';
import {
  asUser,
  clusterOf,
  Gate,
  PRODUCE,
  producedAnswer,
  requestFor,
  ScriptedBroker,
} from './scripted-broker.ts';

const code = (error: unknown) => (error as { code?: string }).code;

test('a broker that throttles gets nothing until its time is over, and no request is overdue because of it', async (t) => {
  const THROTTLE_MS = 600;
  const atMs: number[] = [];
  const broker = await ScriptedBroker.start(t, {
    onProduce: (request) => {
      atMs.push(performance.now());
      return producedAnswer(request, { throttleMs: request.partitions[0] === 0 ? THROTTLE_MS : 0 });
    },
    muteMs: ({ partitions }) => (partitions[0] === 0 ? THROTTLE_MS : 0),
  });
  // Shorter than the broker is mute.
  const cluster = await clusterOf(t, broker, { requestTimeoutMs: 300 });
  assert.equal(cluster.throttled, false);
  const inFlight = [cluster.produce(1, requestFor([0])), cluster.produce(1, requestFor([1]))];
  await inFlight[0];
  assert.equal(cluster.throttled, true);
  const later = [2, 3].map((partition) => cluster.produce(1, requestFor([partition])));
  await sleep(THROTTLE_MS / 2);
  assert.equal(broker.produced.length, 1);
  await Promise.all([...inFlight, ...later]);
  assert.deepEqual(
    broker.produced.map(({ partitions }) => partitions[0]),
    [0, 1, 2, 3],
  );
  const [first = 0, , third = 0] = atMs;
  assert.ok(third - first >= THROTTLE_MS - 5, `${third - first} ms`);
  assert.equal(cluster.throttled, false);
  assert.ok(
    cluster.throttledMs > THROTTLE_MS - 50 && cluster.throttledMs <= THROTTLE_MS,
    `${cluster.throttledMs}`,
  );
});

test('nothing is written to a broker that throttles, even if it would read it', async (t) => {
  const THROTTLE_MS = 400;
  const broker = await ScriptedBroker.start(t, {
    onProduce: (request) =>
      producedAnswer(request, { throttleMs: request.partitions[0] === 0 ? THROTTLE_MS : 0 }),
  });
  const cluster = await clusterOf(t, broker);
  await cluster.produce(1, requestFor([0]));
  const startedAtMs = performance.now();
  await Promise.all([1, 2, 3].map((partition) => cluster.produce(1, requestFor([partition]))));
  const tookMs = performance.now() - startedAtMs;
  assert.ok(tookMs >= THROTTLE_MS - 10, `${tookMs} ms`);
  assert.equal(broker.produced.length, 4);
});

test('after the throttling a request that is not answered is overdue as ever', async (t) => {
  const broker = await ScriptedBroker.start(t, {
    onProduce: (request) =>
      request.partitions[0] === 0 ? producedAnswer(request, { throttleMs: 300 }) : 'nothing',
  });
  const cluster = await clusterOf(t, broker, { requestTimeoutMs: 200 });
  const startedAtMs = performance.now();
  const inFlight = [cluster.produce(1, requestFor([0])), cluster.produce(1, requestFor([1]))];
  await inFlight[0];
  await assert.rejects(inFlight[1] as Promise<unknown>, (error) => code(error) === 'TIMEOUT');
  const tookMs = performance.now() - startedAtMs;
  assert.ok(tookMs >= 490 && tookMs < 2500, `${tookMs} ms`);
});

test('one answer cannot stop us for more than five minutes, and a client that is closed does not wait', async (t) => {
  const broker = await ScriptedBroker.start(t, {
    onProduce: (request) => producedAnswer(request, { throttleMs: 2 ** 31 - 1 }),
  });
  const cluster = await clusterOf(t, broker);
  await cluster.produce(1, requestFor([0]));
  assert.ok(cluster.throttled && cluster.throttledMs <= 5 * 60_000, `${cluster.throttledMs}`);
  const waiting = cluster.produce(1, requestFor([0]));
  cluster.close();
  await assert.rejects(waiting, (error) => code(error) === 'UNREACHABLE');
});

test('a broker so old that it delays the answer instead is not waited for twice', async (t) => {
  const broker = await ScriptedBroker.start(t, {
    onProduce: (request) => producedAnswer(request, { throttleMs: 60_000 }),
  });
  broker.script.versions.set(PRODUCE, [0, 5]);
  const cluster = await clusterOf(t, broker);
  for (let i = 0; i < 3; i++) await cluster.produce(1, requestFor([0]));
  assert.equal(cluster.throttled, false);
});

test('before a login ends a new connection is made, and nothing in flight or sent meanwhile fails', async (t) => {
  const broker = await ScriptedBroker.start(t, {
    password: 'secret',
    sessionLifetimeMs: 1000,
    onProduce: async (request) => {
      await sleep(5);
      return producedAnswer(request);
    },
  });
  const cluster = await clusterOf(t, broker, { ...asUser('secret'), requestTimeoutMs: 500 });
  const until = performance.now() + 2500;
  let answered = 0;
  const load = async (partition: number) => {
    for (; performance.now() < until; answered++) await cluster.produce(1, requestFor([partition]));
  };
  await Promise.all([0, 1, 2, 3].map(load));
  const connections = broker.produceConnections;
  assert.ok(connections.length >= 3, `${connections.length} connections`);
  assert.equal(broker.produced.length, answered);
  await waitFor('the old ones are closed', () => connections.slice(0, -1).every((n) => !broker.open.has(n)));
});

test('an old connection is closed only when its last request is answered, and others use the new one', async (t) => {
  const held = new Gate();
  const broker = await ScriptedBroker.start(t, {
    password: 'secret',
    sessionLifetimeMs: 1000,
    onProduce: async (request) => {
      if (request.partitions[0] === 0 && broker.produced.length === 1) await held.opened;
      return producedAnswer(request);
    },
  });
  const cluster = await clusterOf(t, broker, asUser('secret'));
  const slow = cluster.produce(1, requestFor([0]));
  await waitFor('the request is there', () => broker.produced.length === 1);
  await sleep(1100);
  await cluster.produce(1, requestFor([1]));
  // A later batch of the slow one's partition: on another connection it could overtake the first.
  const behind = cluster.produce(1, requestFor([0]));
  await sleep(50);
  assert.deepEqual(
    broker.produced.map(({ partitions }) => partitions[0]),
    [0, 1],
  );
  const [old = 0, fresh = 0] = broker.produceConnections;
  assert.ok(fresh > old && broker.open.has(old), 'both are open');
  held.open();
  await Promise.all([slow, behind]);
  assert.deepEqual(
    broker.produced.map(({ connection }) => connection),
    [old, fresh, fresh],
  );
  await waitFor('the old one is closed', () => !broker.open.has(old));
});

test('if the new connection cannot be made, the old one is used for as long as its login lasts', async (t) => {
  const broker = await ScriptedBroker.start(t, { password: 'secret', sessionLifetimeMs: 2000 });
  const cluster = await clusterOf(t, broker, asUser('secret'));
  await cluster.produce(1, requestFor([0]));
  const startedAtMs = performance.now();
  broker.script.password = 'another';
  const sent: Promise<unknown>[] = [];
  while (performance.now() - startedAtMs < 1500) {
    sent.push(cluster.produce(1, requestFor([0])));
    await sleep(10);
  }
  await Promise.all(sent);
  assert.ok(broker.loginsAtMs.length === 3, `${broker.loginsAtMs.length} logins`);
  await sleep(600);
  await assert.rejects(cluster.produce(1, requestFor([0])), (error) => code(error) === 'AUTHENTICATION');
});

test('what waits behind a request of its partition that failed is not sent, other partitions go on', async (t) => {
  const broker = await ScriptedBroker.start(t, {
    onProduce: (request) => {
      if (request.partitions[0] === 0) return producedAnswer(request, { throttleMs: 300 });
      return request.partitions[0] === 1 ? 'close' : producedAnswer(request);
    },
  });
  const cluster = await clusterOf(t, broker);
  const first = [cluster.produce(1, requestFor([0])), cluster.produce(1, requestFor([1]))];
  await first[0];
  const waiting = [cluster.produce(1, requestFor([2])), cluster.produce(1, requestFor([3, 1]))];
  const outcomes = await Promise.allSettled([...first, ...waiting]);
  assert.deepEqual(
    outcomes.map((one) => (one.status === 'rejected' ? code(one.reason) : 'answered')),
    ['answered', 'CLOSED', 'answered', 'UNREACHABLE'],
  );
  assert.deepEqual(
    broker.produced.map(({ partitions }) => partitions[0]),
    [0, 1, 2],
  );
});

test('a connection that was silent for minutes is replaced before it is used', async (t) => {
  const broker = await ScriptedBroker.start(t);
  const cluster = await clusterOf(t, broker);
  await cluster.produce(1, requestFor([0]));
  t.mock.method(performance, 'now', () => realNow() + 3 * 60_000);
  const realNow = () => Number(process.hrtime.bigint()) / 1e6;
  await cluster.produce(1, requestFor([0]));
  assert.equal(broker.produceConnections.length, 2);
});

test('a quota is said once a minute, with what it means and what to do', async (t) => {
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
  const broker = await ScriptedBroker.start(t, {
    onProduce: (request) => producedAnswer(request, { throttleMs: 5 }),
  });
  const cluster = await clusterOf(t, broker, { log });
  for (let n = 0; n < 5; n++) await cluster.produce(1, requestFor([0]));
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /because of a quota.*Nothing is lost.*kafka-configs/);
});
