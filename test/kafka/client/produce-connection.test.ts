// One connection that carries Produce requests: answers in order, time limits, and how a broken one is told apart.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../../support/wait.ts';
import {
  clusterOf,
  frame,
  Gate,
  METADATA,
  PRODUCE,
  type ProduceReceived,
  producedAnswer,
  type Reply,
  requestFor,
  ScriptedBroker,
} from './scripted-broker.ts';

const hasCode =
  (code: string, text = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof Error && 'code' in error);
    assert.equal(error.code, code);
    assert.match(error.message, text);
    return true;
  };

/** The code that each of these was rejected with. */
async function codes(requests: readonly Promise<unknown>[]): Promise<(string | undefined)[]> {
  const settled = await Promise.allSettled(requests);
  return settled.map((one) =>
    one.status === 'rejected' ? (one.reason as { code?: string }).code : undefined,
  );
}

test('requests leave in their order, several at a time, and each gets its own answer', async (t) => {
  const broker = await ScriptedBroker.start(t, {
    onProduce: (request) => producedAnswer(request, { code: request.partitions[0] ?? 0 }),
  });
  const cluster = await clusterOf(t, broker);
  // Before there is a connection, while it is made, and after that.
  const numbers = Array.from({ length: 40 }, (_, i) => i);
  const answers = numbers.slice(0, 20).map((n) => cluster.produce(1, requestFor([n], { bytes: n * 5000 })));
  await answers[0];
  answers.push(...numbers.slice(20).map((n) => cluster.produce(1, requestFor([n], { bytes: n * 5000 }))));
  const told = (await Promise.all(answers)).map((answer) => answer?.partitions.map((one) => one.errorCode));
  assert.deepEqual(
    told,
    numbers.map((n) => [n]),
  );
  assert.deepEqual(
    broker.produced.map(({ partitions }) => partitions[0]),
    numbers,
  );
  for (const { batches, partitions } of broker.produced) {
    const [partition = 0] = partitions;
    assert.deepEqual(batches, [Buffer.alloc(partition * 5000, partition)]);
  }
  assert.deepEqual(broker.produceConnections.length, 1);
});

test('control requests never use the connection for produce, and their time limit does not end it', async (t) => {
  let isFrozen = false;
  const held = new Gate();
  const broker = await ScriptedBroker.start(t, {
    isSilent: ({ apiKey }) => isFrozen && apiKey === METADATA,
    onProduce: async (request) => {
      await held.opened;
      return producedAnswer(request);
    },
  });
  // Longer than both tries of the control request, 3 s each.
  const cluster = await clusterOf(t, broker, { requestTimeoutMs: 9000 });
  const answer = cluster.produce(1, requestFor([0]));
  await waitFor('the request is there', () => broker.produced.length === 1);
  isFrozen = true;
  await assert.rejects(cluster.topicMetadata('readings'), hasCode('TIMEOUT'));
  held.open();
  assert.equal((await answer)?.partitions[0]?.errorCode, 0);
  const [connection = 0] = broker.produceConnections;
  // Before its first batch the connection is asked once which cluster it leads to.
  const [versions, whichCluster, ...rest] = broker.apis.get(connection) ?? [];
  assert.deepEqual([versions, whichCluster, new Set(rest)], [18, METADATA, new Set([PRODUCE])]);
});

for (const [what, reply, text] of [
  [
    'another request’s',
    (r) => ({ raw: frame(r.correlationId + 1, producedAnswer(r)) }),
    /correlation id 1, while 0/,
  ],
  [
    'twice the same',
    (r) => ({ raw: Buffer.concat([1, 1].map(() => frame(r.correlationId, producedAnswer(r)))) }),
    /./,
  ],
  ['cut short', (r) => producedAnswer(r).subarray(0, 20), /cut short/],
  [
    'without end',
    () => ({ raw: Buffer.from([0x10, 0, 0, 0, 0, 0]) }),
    /announced an answer of 268435456 bytes/,
  ],
  ['of negative size', () => ({ raw: Buffer.from([0xff, 0, 0, 0]) }), /announced an answer of -/],
  ['empty', () => ({ raw: Buffer.from([0, 0, 0, 0, 0, 0, 0, 0]) }), /correlation id undefined/],
  [
    'wrong in its counts',
    (r) => Buffer.concat([Buffer.from([0x7f, 0xff, 0xff, 0xff]), producedAnswer(r)]),
    /cut short/,
  ],
] as const satisfies readonly (readonly [string, (request: ProduceReceived) => Reply, RegExp])[]) {
  test(`an answer that is ${what} closes the connection, and the next request gets a new one`, async (t) => {
    let breaches = 0;
    const broker = await ScriptedBroker.start(t, {
      onProduce: (request) => (breaches++ === 0 ? reply(request) : producedAnswer(request)),
    });
    const cluster = await clusterOf(t, broker);
    const first = cluster.produce(1, requestFor([0]));
    if (what === 'twice the same') await first;
    else await assert.rejects(first, hasCode('PROTOCOL', text));
    const [connection = 0] = broker.produceConnections;
    await waitFor('the connection is closed', () => !broker.open.has(connection));
    assert.equal((await cluster.produce(1, requestFor([0])))?.partitions[0]?.errorCode, 0);
  });
}

for (const way of ['close', 'reset'] as const) {
  test(`a broker that ends the connection (${way}) over a request is told apart from one that is away`, async (t) => {
    const held = new Gate();
    const broker = await ScriptedBroker.start(t, {
      onProduce: async (request) => {
        if (request.batches.some(({ length }) => length > 1000)) return way;
        await held.opened;
        return producedAnswer(request);
      },
    });
    const cluster = await clusterOf(t, broker);
    await assert.rejects(cluster.produce(1, requestFor([0], { bytes: 1001 })), hasCode('CLOSED'));
    held.open();
    assert.ok(await cluster.produce(1, requestFor([0], { bytes: 1000 })));
    // Nothing is in flight: then it is no failure of any request.
    broker.end(broker.produceConnections[1] ?? 0, way);
    await waitFor('the end is seen', () => !broker.open.has(broker.produceConnections[1] ?? 0));
    await sleep(10);
    assert.ok(await cluster.produce(1, requestFor([0])));
    broker.stop();
    await sleep(10);
    await assert.rejects(cluster.produce(1, requestFor([0])), hasCode('UNREACHABLE', /ECONNREFUSED/));
  });
}

test('an overdue request is a time-out, those behind it were dropped with the connection', async (t) => {
  const broker = await ScriptedBroker.start(t, { onProduce: () => 'nothing' });
  const cluster = await clusterOf(t, broker, { requestTimeoutMs: 300 });
  const startedAtMs = performance.now();
  const first = cluster.produce(1, requestFor([0]));
  await waitFor('the request is there', () => broker.produced.length === 1);
  await sleep(100);
  const second = cluster.produce(1, requestFor([1]));
  assert.deepEqual(await codes([first, second]), ['TIMEOUT', 'UNREACHABLE']);
  const tookMs = performance.now() - startedAtMs;
  assert.ok(tookMs >= 299 && tookMs < 2500, `${tookMs} ms`);
  await waitFor('the connection is closed', () => !broker.open.has(broker.produceConnections[0] ?? 0));
});

test('an answer that came in time counts, although the process was too busy to read it', async (t) => {
  const held = new Gate();
  const broker = await ScriptedBroker.start(t, {
    onProduce: async (request) => {
      await held.opened;
      return producedAnswer(request);
    },
  });
  const cluster = await clusterOf(t, broker, { requestTimeoutMs: 200 });
  const answer = cluster.produce(1, requestFor([0]));
  await waitFor('the request is there', () => broker.produced.length === 1);
  // In an immediate, so that timers that are due come before sockets afterwards.
  await nextTurn();
  held.open();
  // Microtasks only: the broker, which runs in this process, writes its answer and nobody reads it.
  for (let i = 0; i < 20; i++) await Promise.resolve();
  const until = performance.now() + 400;
  while (performance.now() < until);
  assert.ok(await answer);
});

test('with acks 0 a broker that does not read bounds the memory, and is left after the time limit', async (t) => {
  const broker = await ScriptedBroker.start(t);
  const cluster = await clusterOf(t, broker, { requestTimeoutMs: 400 });
  await cluster.produce(1, requestFor([0], { acks: 0 }));
  await waitFor('the request is there', () => broker.produced.length === 1);
  broker.reads = false;
  let accepted = 0;
  const mebibyte = 2 ** 20;
  for (; accepted < 64; accepted++) {
    const outcome = await codes([cluster.produce(1, requestFor([0], { acks: 0, bytes: mebibyte }))]);
    if (outcome[0] === undefined) continue;
    assert.equal(outcome[0], 'TIMEOUT');
    break;
  }
  // The kernel's buffers on both sides, and a mebibyte of ours.
  assert.ok(accepted < 32, `${accepted} MiB were taken`);
  broker.reads = true;
  await cluster.produce(1, requestFor([3], { acks: 0 }));
  await waitFor('a new connection carries it', () => broker.produced.at(-1)?.partitions[0] === 3);
});

test('with acks 0 a broker that reads slowly gets everything, in order', async (t) => {
  const broker = await ScriptedBroker.start(t);
  const cluster = await clusterOf(t, broker, { requestTimeoutMs: 1000 });
  await cluster.produce(1, requestFor([0], { acks: 0 }));
  await waitFor('the request is there', () => broker.produced.length === 1);
  broker.reads = false;
  const sent = Array.from({ length: 16 }, (_, n) =>
    cluster.produce(1, requestFor([n + 1], { acks: 0, bytes: 2 ** 20 })),
  );
  await sleep(100);
  broker.reads = true;
  await Promise.all(sent);
  await waitFor('all is there', () => broker.produced.length === 17);
  assert.deepEqual(
    broker.produced.map(({ partitions }) => partitions[0]),
    Array.from({ length: 17 }, (_, n) => n),
  );
  assert.equal(broker.produceConnections.length, 1);
});

for (const [range, version] of [
  [[0, 3], 3],
  [[0, 5], 5],
  [[3, 13], 7],
] as const) {
  test(`a broker with Produce ${range.join(' to ')} is spoken to in version ${version}`, async (t) => {
    const broker = await ScriptedBroker.start(t);
    broker.script.versions.set(PRODUCE, range);
    const cluster = await clusterOf(t, broker);
    const answer = await cluster.produce(1, requestFor([0, 2]));
    assert.deepEqual(
      answer?.partitions.map(({ partition, baseOffset }) => [partition, baseOffset]),
      [
        [0, 7n],
        [2, 7n],
      ],
    );
    assert.equal(broker.produced[0]?.version, version);
  });
}

test('a broker that only has other versions of Produce is named with what to do', async (t) => {
  const broker = await ScriptedBroker.start(t);
  broker.script.versions.set(PRODUCE, [14, 20]);
  const cluster = await clusterOf(t, broker);
  const text = new RegExp(`${broker.address} speaks Produce in the versions 14 to 20; Sluice needs`);
  await assert.rejects(cluster.produce(1, requestFor([0])), hasCode('UNSUPPORTED', text));
});
