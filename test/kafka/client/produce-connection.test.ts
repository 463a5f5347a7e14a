// The connection for Produce requests: answers in order, time limits, and the error codes of broken connections.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../../support/wait.ts';
import {
  codeOf,
  frame,
  Gate,
  METADATA,
  PRODUCE,
  type ProduceReceived,
  producedAnswer,
  type Reply,
  rangesOf,
  rejectsWith,
  requestFor,
  withClient,
} from './scripted-broker.ts';

test('several requests in flight are sent in order, and each gets its own answer', async (t) => {
  const { broker, client } = await withClient(t, {
    onProduce: (request) => producedAnswer(request, { code: request.partitions[0] ?? 0 }),
  });
  // Requests before there is a connection, while it is opened, and afterwards.
  const numbers = Array.from({ length: 40 }, (_, i) => i);
  const answers = numbers.slice(0, 20).map((n) => client.produce(1, requestFor([n], { bytes: n * 5000 })));
  await answers[0];
  answers.push(...numbers.slice(20).map((n) => client.produce(1, requestFor([n], { bytes: n * 5000 }))));
  const told = (await Promise.all(answers)).map((answer) => answer?.partitions[0]?.errorCode);
  assert.deepEqual(told, numbers);
  assert.deepEqual(broker.order, numbers);
  for (const { batches, partitions } of broker.produced) {
    const [partition = 0] = partitions;
    assert.deepEqual(batches, [Buffer.alloc(partition * 5000, partition)]);
  }
  assert.deepEqual(broker.produceConnections.length, 1);
});

test('control requests never use the connection for Produce, and their timeouts do not end it', async (t) => {
  let isFrozen = false;
  const held = new Gate();
  const { broker, client } = await withClient(t, {
    isSilent: ({ apiKey }) => isFrozen && apiKey === METADATA,
    onProduce: (request) => held.opened.then(() => producedAnswer(request)),
    // Longer than two tries of the control request with 3 s each.
    requestTimeoutMs: 9000,
  });
  const answer = client.produce(1, requestFor([0]));
  await waitFor('the request is there', () => broker.produced.length === 1);
  isFrozen = true;
  await rejectsWith(client.topicMetadata('readings'), 'TIMEOUT');
  held.open();
  assert.equal((await answer)?.partitions[0]?.errorCode, 0);
  const [connection = 0] = broker.produceConnections;
  // Before the first batch, the connection asks once which cluster it leads to.
  const [versions, whichCluster, ...rest] = broker.apis.get(connection) ?? [];
  assert.deepEqual([versions, whichCluster, new Set(rest)], [18, METADATA, new Set([PRODUCE])]);
});

for (const [what, reply, text] of [
  [
    'for another request',
    (r) => ({ raw: frame(r.correlationId + 1, producedAnswer(r)) }),
    /correlation id 1, while 0/,
  ],
  [
    'sent twice',
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
    const { broker, client } = await withClient(t, {
      onProduce: (request) => (breaches++ === 0 ? reply(request) : producedAnswer(request)),
    });
    const first = client.produce(1, requestFor([0]));
    if (what === 'sent twice') await first;
    else await rejectsWith(first, 'PROTOCOL', text);
    const [connection = 0] = broker.produceConnections;
    await waitFor('the connection is closed', () => !broker.open.has(connection));
    assert.equal((await client.produce(1, requestFor([0])))?.partitions[0]?.errorCode, 0);
  });
}

for (const way of ['close', 'reset'] as const) {
  test(`a broker that ends the connection (${way}) has another error code than one that is down`, async (t) => {
    const { broker, client } = await withClient(t, {
      onProduce: (request) => (request.batches[0]?.length === 1001 ? way : producedAnswer(request)),
    });
    await rejectsWith(client.produce(1, requestFor([0], { bytes: 1001 })), 'CLOSED');
    assert.ok(await client.produce(1, requestFor([0], { bytes: 1000 })));
    // Nothing is in flight, so no request fails.
    broker.end(broker.produceConnections[1] ?? 0, way);
    await waitFor('the end is seen', () => !broker.open.has(broker.produceConnections[1] ?? 0));
    await sleep(10);
    assert.ok(await client.produce(1, requestFor([0])));
    broker.stop();
    await sleep(10);
    await rejectsWith(client.produce(1, requestFor([0])), 'UNREACHABLE', /ECONNREFUSED/);
  });
}

test('an overdue request fails with TIMEOUT, those behind it with UNREACHABLE', async (t) => {
  const { broker, client } = await withClient(t, { onProduce: () => 'nothing', requestTimeoutMs: 300 });
  const startedAtMs = performance.now();
  const first = client.produce(1, requestFor([0]));
  await waitFor('the request is there', () => broker.produced.length === 1);
  await sleep(100);
  const second = client.produce(1, requestFor([1]));
  assert.deepEqual(await Promise.all([first, second].map(codeOf)), ['TIMEOUT', 'UNREACHABLE']);
  const tookMs = performance.now() - startedAtMs;
  assert.ok(tookMs >= 299 && tookMs < 2500, `${tookMs} ms`);
  await waitFor('the connection is closed', () => !broker.open.has(broker.produceConnections[0] ?? 0));
});

test('an answer that came in time counts, even if the process was too busy to read it', async (t) => {
  const held = new Gate();
  const { broker, client } = await withClient(t, {
    onProduce: (request) => held.opened.then(() => producedAnswer(request)),
    requestTimeoutMs: 200,
  });
  const answer = client.produce(1, requestFor([0]));
  await waitFor('the request is there', () => broker.produced.length === 1);
  // Continue in an immediate: then due timers run before sockets are read.
  await nextTurn();
  held.open();
  // Run microtasks only: the broker in this process writes its answer, and nobody reads it yet.
  for (let i = 0; i < 20; i++) await Promise.resolve();
  const until = performance.now() + 400;
  while (performance.now() < until);
  assert.ok(await answer);
});

test('with acks 0 memory is bounded if the broker does not read, and the connection is dropped in time', async (t) => {
  const { broker, client } = await withClient(t, { requestTimeoutMs: 400 });
  await client.produce(1, requestFor([0], { acks: 0 }));
  await waitFor('the request is there', () => broker.produced.length === 1);
  broker.reads = false;
  let accepted = 0;
  const mebibyte = 2 ** 20;
  for (; accepted < 64; accepted++) {
    const code = await codeOf(client.produce(1, requestFor([0], { acks: 0, bytes: mebibyte })));
    if (code === undefined) continue;
    assert.equal(code, 'TIMEOUT');
    break;
  }
  // The kernel buffers of both sides take some, and the client 1 MiB.
  assert.ok(accepted < 32, `${accepted} MiB were taken`);
  broker.reads = true;
  await client.produce(1, requestFor([3], { acks: 0 }));
  await waitFor('a new connection carries the request', () => broker.produced.at(-1)?.partitions[0] === 3);
});

test('with acks 0 a broker that reads slowly gets everything, in order', async (t) => {
  const { broker, client } = await withClient(t, { requestTimeoutMs: 1000 });
  await client.produce(1, requestFor([0], { acks: 0 }));
  await waitFor('the request is there', () => broker.produced.length === 1);
  broker.reads = false;
  const sent = Array.from({ length: 16 }, (_, n) =>
    client.produce(1, requestFor([n + 1], { acks: 0, bytes: 2 ** 20 })),
  );
  await sleep(100);
  broker.reads = true;
  await Promise.all(sent);
  await waitFor('all requests are there', () => broker.produced.length === 17);
  assert.deepEqual(broker.order, [...Array(17).keys()]);
  assert.equal(broker.produceConnections.length, 1);
});

test('with acks 0 a close drops nothing if it waits until everything is written', async (t) => {
  const { broker, client } = await withClient(t, { requestTimeoutMs: 1000 });
  await client.produce(1, requestFor([0], { acks: 0 }));
  await waitFor('the request is there', () => broker.produced.length === 1);
  broker.reads = false;
  const sent = Array.from({ length: 8 }, (_, n) =>
    client.produce(1, requestFor([n + 1], { acks: 0, bytes: 2 ** 20 })),
  );
  await sleep(100);
  broker.reads = true;
  await Promise.all(sent);
  await client.written();
  client.close();
  await waitFor('all requests are there', () => broker.produced.length === 9);
});

for (const [range, version] of [
  [[0, 3], 3],
  [[0, 5], 5],
  [[3, 13], 7],
] as const) {
  test(`a broker with Produce ${range.join(' to ')} gets version ${version}`, async (t) => {
    const { broker, client } = await withClient(t, { versions: rangesOf('3.9').set(PRODUCE, range) });
    const answer = await client.produce(1, requestFor([0, 2]));
    const partitions = [0, 2].map((partition) => ({ partition, errorCode: 0, baseOffset: 7n }));
    assert.deepEqual(answer?.partitions, partitions);
    assert.equal(broker.produced[0]?.version, version);
  });
}

test('the error names a broker without a common version of Produce, and what to do', async (t) => {
  const { broker, client } = await withClient(t);
  broker.script.versions.set(PRODUCE, [14, 20]);
  const text = new RegExp(`${broker.address} is too new: it speaks Produce in the versions 14 to 20 .*newer`);
  await rejectsWith(client.produce(1, requestFor([0])), 'UNSUPPORTED', text);
});
