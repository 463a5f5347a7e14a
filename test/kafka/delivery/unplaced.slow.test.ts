// Tests records without a certain partition: the topic was never seen, or has fewer partitions than before. Devices
// send through a batcher and a delivery with a real spool to a model broker, and hear `stored`.
import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Batcher } from '../../../src/kafka/batches/batcher.ts';
import { partitionOf } from '../../../src/kafka/batches/partitioner.ts';
import { UNPLACED } from '../../../src/kafka/batches/placement.ts';
import { encodeBody } from '../../../src/kafka/batches/record-body.ts';
import type { Delivery } from '../../../src/kafka/delivery/delivery.ts';
import { Cursor } from '../../../src/spool/cursor.ts';
import { PlanFile } from '../../../src/spool/placing-plan.ts';
import { SpoolLog } from '../../../src/spool/spool-log.ts';
import { mount, temporaryDirectory } from '../../spool/support.ts';
import { Gate } from '../client/scripted-broker.ts';
import { assertAscending, crashCopy, deliveryTo, idOf, openTopic } from './delivery-stage.ts';
import { type FakeSession, fakeSession, reading, turns, until } from './fakes.ts';
import { ModelBroker } from './model-broker.ts';

const UNKNOWN_PARTITION = 3;

interface Options {
  readonly directory?: string;
  readonly broker?: ModelBroker;
  readonly maxBytes?: number;
  readonly devices?: readonly Device[];
  readonly maxAttempts?: number;
  readonly segmentBytes?: number;
}

interface Device {
  session: FakeSession;
  /** Ids of the device's records, in order. */
  readonly sent: number[];
}

/** Enough devices for each partition of a small topic to have some. */
function newDevices(count = 12): Device[] {
  return Array.from({ length: count }, (_, index) => ({ session: fakeSession(`zip-${index}`), sent: [] }));
}

/** A gateway that does not reach Kafka before connect(). */
async function gateway(t: TestContext, options: Options = {}) {
  const { directory, broker = new ModelBroker(), maxBytes, devices = newDevices() } = options;
  const { maxAttempts = 2, segmentBytes = 2 ** 14 } = options;
  // A restarted process has new connections.
  for (const device of devices) device.session = fakeSession(device.session.frame.zipcode);
  const refused: number[] = [];
  let partitions = 0;
  let isAway = true;
  const { produce } = ModelBroker.prototype;
  broker.produce = (nodeId, request) => {
    const { fate } = broker;
    if (isAway) broker.fate = () => ({ kind: 'lost' });
    else if (request.batches.some(({ partition }) => partition >= partitions))
      broker.fate = () => ({ kind: 'refused', errorCode: UNKNOWN_PARTITION });
    const answered = produce.call(broker, nodeId, request);
    broker.fate = fate;
    return answered;
  };
  const connect = async (count: number) => {
    isAway = false;
    partitions = count;
    adopt(await broker.initProducerId());
  };
  const adopt = (identity?: Awaited<ReturnType<ModelBroker['initProducerId']>>) => {
    const adopted = delivery.adoptPartitions(partitions, batcher.mergeLimits);
    if (adopted !== undefined) batcher.setPartitions(adopted);
    const isAdopted = adopted === partitions;
    if (!isAdopted) refused.push(partitions);
    delivery.setLeaders(new Array<number>(partitions).fill(1), identity, 'cluster');
    return isAdopted;
  };
  const made = deliveryTo(
    broker,
    { maxAttempts },
    {
      partitionIdle: (partition) => batcher.partitionIdle(partition),
      adoptable: () => void adopt(),
    },
  );
  const { budget } = made;
  const delivery: Delivery = made.delivery;
  const batcher: Batcher = new Batcher(
    { maxRecords: 1000, maxBytes: 2 ** 16, lingerMs: 1, maxMessageBytes: 2 ** 20 },
    { budget, sink: delivery },
  );
  const opened = await openTopic(t, { directory, maxBytes, segmentBytes, isKnown: false });
  const { spool, closeSpool } = opened;
  delivery.useSpool(spool);
  // As kafka.ts does it.
  if (spool.partitionCount !== undefined) batcher.setPartitions(spool.partitionCount);
  /** Ends the process as a crash would. */
  const kill = async () => {
    batcher.stop();
    await delivery.close();
    await closeSpool();
  };
  t.after(kill);
  /** Sends this many records of each device, in as few batches as possible. */
  const send = (count: number, senders: readonly Device[] = devices) => {
    for (let i = 0; i < count; i++) {
      for (const { session, sent } of senders) {
        const id = nextId++;
        sent.push(id);
        batcher.append(session, reading(`{"id":${id}}`, { seq: id, receivedAtMs: Date.now() }));
      }
    }
    batcher.flush();
  };
  /** Resolves when all records are in Kafka. */
  const drained = () =>
    until(() => delivery.inFlightRecords + spool.records === 0, 'all is in Kafka', 20_000);
  return {
    directory: opened.directory,
    broker,
    devices,
    budget,
    delivery,
    batcher,
    spool,
    /** Numbers of partitions that delivery refused to adopt. */
    refused,
    connect,
    /** Kafka cannot be reached until connect(). */
    away(): void {
      isAway = true;
      delivery.unreachable();
    },
    kill,
    send,
    /** Sends records that go to an empty spool, and resolves when all are there. */
    async spoolRecords(count: number): Promise<void> {
      send(count);
      await until(() => spool.records === count * devices.length, 'all is on disk');
    },
    /** Sends records until the disk takes no more. */
    async fillDisk(): Promise<void> {
      for (let i = 0; delivery.spoolTrouble === null; i++) {
        assert.ok(i < 500, 'the disk is never full');
        send(10);
        await turns(3);
      }
    },
    /** Stops as the gateway does. */
    async stop(): Promise<void> {
      batcher.flush();
      await delivery.spoolAll();
      await kill();
    },
    drained,
    /** Waits until all records are in Kafka, and asserts that the devices' are there once, in order, and told. */
    async delivered(senders = devices): Promise<void> {
      await drained();
      assertDelivered(broker, senders);
    },
  };
}

type Gateway = Awaited<ReturnType<typeof gateway>>;

let nextId = 0;

/** Asserts that each device's records are in Kafka once and in order, and that the device heard of all in order. */
function assertDelivered(broker: ModelBroker, devices: readonly Device[]): void {
  const arrived = broker.arrived.map(({ value }) => idOf(value));
  for (const { sent, session } of devices) {
    const own = new Set(sent);
    const there = arrived.filter((id) => own.has(id));
    assert.deepEqual(there, sent, session.frame.zipcode);
  }
  assertTold(devices);
}

/** Asserts that each device heard `stored` in order, and for its last record. */
function assertTold(devices: readonly Device[]): void {
  for (const { sent, session } of devices) {
    assertAscending(session.storedSeqs, 'a device hears in order');
    assert.equal(session.storedSeqs.at(-1), sent.at(-1));
  }
}

/** Asserts that each device's records are in the partition of its key. */
function assertPlaced(broker: ModelBroker, devices: readonly Device[], partitions: number): void {
  for (const { sent, session } of devices) {
    const partition = partitionOf(session.frame.key, partitions);
    const there = new Set((broker.topic.get(partition) ?? []).map(({ value }) => idOf(value)));
    for (const id of sent) assert.ok(there.has(id), `${id} is not in partition ${partition}`);
  }
}

/** The record's names of all logs on disk. */
function logsIn(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => /[-~]/.test(name))
    .sort();
}

/** Runs `step` before each call of the method. */
function before<T extends object>(
  t: TestContext,
  { prototype, method }: { prototype: T; method: string },
  step: (self: T) => unknown,
): void {
  const original = prototype[method as never] as (...args: unknown[]) => Promise<unknown>;
  const withStep = async function (this: T, ...args: unknown[]) {
    await step(this);
    return original.apply(this, args);
  };
  t.mock.method(prototype, method as never, withStep as never);
}

/** How often each device was told. */
const timesTold = (devices: readonly Device[]) => devices.map(({ session }) => session.storedSeqs.length);

const partitionsOf = (devices: readonly Device[]) => devices.map(({ session }) => session.partition);

// --- the first start ---

test('without a known topic records wait on disk, and get their partitions when Kafka names them', async (t) => {
  const { broker, devices, delivery, spool, budget, directory, send, connect, delivered } = await gateway(t);
  for (let i = 0; i < 5; i++) {
    send(20);
    await turns(3);
  }
  await until(() => spool.records === 5 * 20 * 12, 'all is on disk');
  assertTold(devices);
  assert.deepEqual(logsIn(directory), ['readings~unplaced']);
  assert.deepEqual([delivery.inFlightRecords, delivery.spoolingPartitions, budget.used], [0, 1, 0]);
  assert.equal(delivery.spooledRecords, 5 * 20 * 12);
  assert.ok(delivery.oldestSpooledMs !== undefined);
  await connect(3);
  await delivered();
  assertPlaced(broker, devices, 3);
  await until(() => delivery.spoolingPartitions === 0, 'the disk is left');
  // From now on batches go from memory.
  const spooled = delivery.counters.batchesSpooled;
  send(1);
  await delivered();
  assert.equal(delivery.counters.batchesSpooled, spooled);
  assert.equal(delivery.counters.confirmed, 101 * 12);
  assertPlaced(broker, devices, 3);
});

test('the next start knows the partitions, and batches go to them before Kafka is reached', async (t) => {
  const first = await gateway(t);
  await first.connect(3);
  await until(() => first.spool.partitionCount === 3, 'the number is remembered');
  await first.stop();
  const { spool, directory, away, connect, delivered, spoolRecords } = await gateway(t, first);
  away();
  await spoolRecords(5);
  assert.equal(spool.pending.length, 3);
  assert.ok(!existsSync(join(directory, 'readings~unplaced')));
  await connect(3);
  await delivered();
});

test('if Kafka is there from the start, only batches from before it was reached go to the disk', async (t) => {
  const { delivery, send, connect, delivered } = await gateway(t);
  send(1);
  await connect(3);
  await until(() => delivery.spoolingPartitions === 0, 'the records have their partitions', 10_000);
  const { batchesSpooled } = delivery.counters;
  for (let i = 0; i < 50; i++) {
    send(1);
    await turn();
  }
  await delivered();
  assert.equal(batchesSpooled, 1);
  assert.equal(delivery.counters.batchesSpooled, batchesSpooled);
});

test('while many records are placed, new batches go to the disk behind them, and placing catches up', async (t) => {
  const made = await gateway(t, { maxBytes: 2 ** 26, segmentBytes: 2 ** 22 });
  const { delivery, spool, send, connect, delivered } = made;
  for (let i = 0; i < 40; i++) send(100);
  await until(() => spool.records === 48_000, 'all is on disk');
  await connect(3);
  let spooled = 0;
  const deadlineMs = performance.now() + 20_000;
  while (spool.sources.length > 0) {
    assert.ok(performance.now() < deadlineMs, 'batches come faster than they are placed');
    const before = delivery.counters.batchesSpooled;
    send(1);
    await turns(2);
    spooled += delivery.counters.batchesSpooled - before;
  }
  assert.ok(spooled > 0);
  await delivered();
  // The partitions have left the disk, and batches go from memory.
  const before = delivery.counters.batchesSpooled;
  send(1);
  await delivered();
  assert.equal(delivery.counters.batchesSpooled, before);
});

test('while records are placed each of them is counted once, in every turn', async (t) => {
  const { broker, spool, delivery, send, connect } = await gateway(t);
  broker.fate = () => new Promise(() => {});
  for (let i = 0; i < 5; i++) send(100);
  await until(() => spool.records === 6000, 'all is on disk');
  await connect(3);
  while (spool.sources.length > 0) {
    assert.equal(delivery.inFlightRecords + delivery.spooledRecords, 6000);
    await turn();
  }
  assert.equal(delivery.spooledRecords, 6000);
});

test('records without a key are spread over the partitions', async (t) => {
  const { broker, batcher, spool, connect, drained } = await gateway(t);
  for (let i = 0; i < 30; i++)
    batcher.appendRaw(UNPLACED, Date.now(), encodeBody(Buffer.from(`{"id":${i}}`), {}));
  batcher.flush();
  await until(() => spool.records === 30, 'all is on disk');
  await connect(3);
  await drained();
  for (const partition of [0, 1, 2]) assert.equal(broker.topic.get(partition)?.length, 10);
});

for (const [what, maxBytes] of [
  ['nothing', 10],
  ['only a part', 100_000],
] as const) {
  test(`if the disk takes ${what} at the first start, batches go to Kafka from memory in order`, async (t) => {
    const made = await gateway(t, { maxBytes });
    const { broker, devices, delivery, budget, spool, send, connect, delivered } = made;
    for (let i = 0; i < 20; i++) send(20);
    await until(() => delivery.spoolTrouble !== null, 'the disk is full');
    assert.match(delivery.spoolTrouble ?? '', /SPOOL_MAX_BYTES is reached/);
    if (maxBytes > 100) await until(() => spool.records > 0, 'a part is on disk');
    else assert.equal(spool.records, 0);
    assert.equal(delivery.inFlightRecords + spool.records, 20 * 20 * 12);
    await connect(3);
    send(1);
    await delivered();
    assertPlaced(broker, devices, 3);
    await until(() => delivery.spoolTrouble === null, 'the trouble is over');
    assert.deepEqual([budget.used, delivery.oldestMs], [0, undefined]);
    send(1);
    await delivered();
  });
}

test('if the log cannot even be opened at the first start, batches go to Kafka from memory', async (t) => {
  const { broker, devices, delivery, spool, send, connect, delivered } = await gateway(t);
  t.mock.method(spool, 'unplaced', () =>
    Promise.reject(Object.assign(new Error('EROFS'), { code: 'EROFS' })),
  );
  send(20);
  await until(() => delivery.spoolTrouble !== null, 'the disk fails');
  await connect(3);
  await delivered();
  send(5);
  await delivered();
  assertPlaced(broker, devices, 3);
});

// --- the disk fails while records are placed ---

for (const [what, prototype, method] of [
  ['the plan', PlanFile.prototype, 'write'],
  ['a copy', SpoolLog.prototype, 'appendCopies'],
  ['the source’s cursor', Cursor.prototype, 'commit'],
] as const) {
  test(`while the disk does not take ${what} nothing is lost, and placing continues when it does`, async (t) => {
    const { broker, devices, delivery, send, connect, delivered, spoolRecords } = await gateway(t);
    await spoolRecords(50);
    let isFailing = true;
    before(t, { prototype, method }, () => {
      if (isFailing) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
    });
    await connect(3);
    await until(() => delivery.spoolTrouble !== null, 'the trouble is named');
    assert.match(delivery.spoolTrouble ?? '', /cannot be copied to their partitions’ logs: ENOSPC/);
    // New batches do not wait for the disk.
    send(1);
    await until(() => delivery.inFlightRecords === 0, 'the new batch is on disk');
    assertTold(devices);
    assert.equal(delivery.spooledRecords, 612);
    assert.equal(broker.arrived.length, 0);
    isFailing = false;
    await delivered();
    assert.equal(delivery.spoolTrouble, null);
    assertPlaced(broker, devices, 3);
  });
}

test('records that cannot be read for a while are placed later', async (t) => {
  const { delivery, spool, connect, delivered, spoolRecords } = await gateway(t);
  await spoolRecords(50);
  const log = await spool.unplaced();
  const { next } = log;
  let calls = 0;
  log.next = async () => {
    if (++calls === 2) throw Object.assign(new Error('input/output error'), { code: 'EIO' });
    return next.call(log);
  };
  await connect(3);
  await until(() => delivery.spoolTrouble !== null, 'the trouble is named');
  await delivered();
  assert.equal(delivery.spoolTrouble, null);
});

// --- fewer partitions ---

/** A gateway that delivers to a topic with this many partitions. */
async function connected(t: TestContext, partitions: number, options: Options = {}) {
  const made = await gateway(t, options);
  await made.connect(partitions);
  made.send(1);
  await made.delivered();
  await until(() => made.delivery.spoolingPartitions === 0, 'the disk is left');
  return made;
}

/** Sends a record of each device. Kafka answers these requests when the returned gate opens. */
async function keepInFlight({ broker, send }: Gateway): Promise<Gate> {
  const answers = new Gate();
  const { fate } = broker;
  broker.fate = async () => {
    await answers.opened;
    return { kind: 'taken' };
  };
  const answered = broker.requests.length;
  send(1);
  await until(() => broker.requests.length > answered, 'the records are in flight');
  broker.fate = fate;
  return answers;
}

test('a topic that shrinks under load loses and doubles no record, and keeps each device’s order', async (t) => {
  for (const [from, to, isAway] of [
    [5, 2, false],
    [5, 2, true],
    [4, 1, true],
  ] as const) {
    const { broker, devices, batcher, spool, send, away, connect, delivered } = await connected(t, from);
    const load = async (isOver: (turns: number) => boolean) => {
      const deadlineMs = performance.now() + 20_000;
      for (let i = 0; ; i++) {
        if (isOver(i)) return i;
        assert.ok(performance.now() < deadlineMs, 'the placing does not end');
        send(1, devices.slice(i % 12, (i % 12) + 1));
        await turn();
      }
    };
    await load((turns) => turns === 100);
    if (isAway) away();
    await load((turns) => turns === 100);
    broker.forgetProducers();
    await connect(to);
    assert.equal(batcher.partitions, to);
    const turnsOfPlacing = await load(() => spool.partitionCount === to);
    assert.ok(turnsOfPlacing > 5, `${turnsOfPlacing} turns`);
    await load((turns) => turns === 100);
    await delivered();
    for (const { session } of devices) assert.ok(session.partition < to);
  }
});

test('a topic that shrinks with batches in flight, in memory and on disk loses and doubles no record', async (t) => {
  const made = await connected(t, 4, { maxAttempts: 1 });
  const { broker, devices, delivery, spool, send, connect, delivered } = made;
  const { fate } = broker;
  // Half of the partitions go to the disk. The others wait for an answer.
  const answers = new Gate();
  broker.fate = async (request) => {
    if (request.partitions.every((partition) => partition % 2 === 0))
      return { kind: 'refused', errorCode: 6 };
    await answers.opened;
    return { kind: 'taken' };
  };
  const even = devices.filter(({ session }) => session.partition % 2 === 0);
  const odd = devices.filter((device) => !even.includes(device));
  // One after the other, because batches in the same request share its fate.
  send(2, even);
  await until(() => spool.records > 0 && delivery.inFlightRecords === 0, 'some are on disk');
  for (let i = 0; i < 3; i++) {
    send(2, odd);
    await turns(10);
  }
  assert.ok(delivery.inFlightRecords > 0, 'some are in memory');
  broker.fate = fate;
  await connect(2);
  send(2);
  await turns(30);
  answers.open();
  await delivered();
});

test('a connection does not hear of a record on disk while an earlier one is in memory', async (t) => {
  const made = await connected(t, 4);
  const { devices, spool, send, connect, delivered } = made;
  const answers = await keepInFlight(made);
  const told = timesTold(devices);
  await connect(3);
  send(1);
  await until(() => spool.records === 12, 'the next ones are on disk');
  await turns(50);
  assert.deepEqual(timesTold(devices), told);
  answers.open();
  await delivered();
});

test('after a shrink a device’s records go to its own partition if it still exists, otherwise to that of its key, in order', async (t) => {
  const made = await connected(t, 5);
  const { broker, devices, spool, directory, send, away, connect, delivered, spoolRecords } = made;
  const placed = partitionsOf(devices);
  away();
  await spoolRecords(10);
  broker.forgetProducers();
  const old = new Set(devices.flatMap(({ sent }) => sent));
  await connect(2);
  await until(
    () => {
      send(1);
      return spool.partitionCount === 2;
    },
    'every record has its partition',
    20_000,
  );
  send(1);
  await delivered();
  for (const [index, { sent, session }] of devices.entries()) {
    // A partition that the topic still has keeps its connections.
    const was = placed[index] ?? -1;
    const partition = was < 2 ? was : partitionOf(session.frame.key, 2);
    const there = new Set((broker.topic.get(partition) ?? []).map(({ value }) => idOf(value)));
    for (const id of sent) if (!old.has(id)) assert.ok(there.has(id), `${id} is not in ${partition}`);
  }
  // Some connections were in a partition that still exists but is no longer their key’s.
  assert.ok(
    devices.some(({ session }, index) => {
      const was = placed[index] ?? 9;
      return was < 2 && was !== partitionOf(session.frame.key, 2);
    }),
  );
  assert.ok(logsIn(directory).every((name) => !name.includes('gone')));
  assert.equal(spool.partitionCount, 2);
});

test('the records of a full spool, and those it does not take, are placed for fewer partitions', async (t) => {
  const made = await connected(t, 4, { maxBytes: 20_000 });
  const { broker, delivery, spool, send, away, connect, delivered } = made;
  away();
  for (let i = 0; i < 20; i++) send(20);
  await until(() => delivery.spoolTrouble !== null && spool.records > 0, 'the disk is full');
  assert.ok(delivery.inFlightRecords > 0);
  broker.forgetProducers();
  await connect(2);
  send(1);
  await delivered();
});

test('if the disk takes nothing during a shrink, batches of gone partitions go to Kafka by their keys', async (t) => {
  const made = await connected(t, 4, { maxBytes: 10 });
  const { broker, devices, batcher, budget, refused, spool, send, connect, delivered } = made;
  await until(() => spool.partitionCount === 4, 'the first placing is complete');
  await turns(3);
  // These batches are still open.
  for (const { session, sent } of devices) {
    sent.push(nextId);
    batcher.append(session, reading(`{"id":${nextId}}`, { seq: nextId++, receivedAtMs: Date.now() }));
  }
  broker.forgetProducers();
  await connect(2);
  assert.deepEqual(refused, []);
  send(1);
  await delivered();
  assert.equal(budget.used, 0);
  for (const { session } of devices) assert.ok(session.partition < 2);
});

test('a partition that is gone reports no disk trouble any more', async (t) => {
  const { broker, delivery, spool, away, connect, delivered, spoolRecords } = await connected(t, 4);
  away();
  await spoolRecords(5);
  let isFailing = true;
  before(t, { prototype: SpoolLog.prototype, method: 'next' }, (log) => {
    if (isFailing && log.name === 'readings-3') throw Object.assign(new Error('EIO'), { code: 'EIO' });
  });
  await connect(4);
  await until(() => delivery.spoolTrouble !== null, 'the trouble is named');
  assert.match(delivery.spoolTrouble ?? '', /cannot be read: EIO/);
  broker.forgetProducers();
  await connect(2);
  await until(() => spool.partitionCount === 2, 'the partition is gone');
  assert.equal(delivery.spoolTrouble, null);
  isFailing = false;
  await delivered();
});

test('if Kafka goes away during a shrink, new records do not exceed a full spool’s cap', async (t) => {
  const maxBytes = 2 ** 16;
  const made = await connected(t, 3, { maxBytes });
  const { delivery, batcher, spool, budget, send, away, connect, delivered, fillDisk } = made;
  away();
  await fillDisk();
  send(10);
  const most = maxBytes + budget.used;
  // The answer names fewer partitions, and then no leader can be reached.
  delivery.adoptPartitions(2, batcher.mergeLimits);
  batcher.setPartitions(2);
  for (let i = 0; i < 50; i++) {
    send(10);
    await turns(3);
  }
  await until(() => delivery.spoolTrouble !== null, 'new records wait for room');
  assert.ok(spool.bytes <= most, `${spool.bytes} of ${most} bytes`);
  await connect(2);
  await delivered();
});

test('a topic that grows moves no record, and the number is remembered', async (t) => {
  const { devices, delivery, spool, send, connect, delivered } = await connected(t, 2);
  const placed = partitionsOf(devices);
  const spooled = delivery.counters.batchesSpooled;
  await connect(5);
  assert.equal(delivery.spoolingPartitions, 0);
  send(5);
  await delivered();
  assert.deepEqual(partitionsOf(devices), placed);
  assert.equal(delivery.counters.batchesSpooled, spooled);
  await until(() => spool.partitionCount === 5, 'the number is remembered');
});

test('another number of partitions is refused while records are placed, and adopted afterwards', async (t) => {
  for (const [next, then] of [
    [2, 1],
    [2, 6],
  ] as const) {
    const made = await connected(t, 4);
    const { broker, delivery, spool, batcher, refused, send, connect, delivered } = made;
    made.away();
    await made.spoolRecords(10);
    broker.forgetProducers();
    await connect(next);
    await connect(then);
    assert.deepEqual([refused, batcher.partitions], [[then], next]);
    send(1);
    await until(() => batcher.partitions === then, 'it is adopted');
    await until(() => delivery.spoolingPartitions === 0, 'every record has its partition');
    send(1);
    await delivered();
    await until(() => spool.partitionCount === then, 'it is remembered');
    await made.stop();
  }
});

test('the number that records are being placed for can be adopted again', async (t) => {
  const { delivery, refused, connect, delivered, spoolRecords } = await gateway(t);
  await spoolRecords(50);
  await connect(3);
  await connect(3);
  assert.ok(delivery.adoptPartitions(3, { bytes: 1000, records: 10 }));
  assert.deepEqual(refused, []);
  await delivered();
});

test('a topic that grew again gets new batches in a partition that was gone', async (t) => {
  const made = await connected(t, 4);
  const { broker, devices, delivery, spool, send, away, connect, delivered } = made;
  away();
  await made.spoolRecords(5);
  broker.forgetProducers();
  await connect(1);
  await until(() => delivery.spoolingPartitions === 0, 'every record has its partition');
  await connect(4);
  const late = newDevices(20);
  send(5, [...devices, ...late]);
  away();
  send(5, [...devices, ...late]);
  await until(() => delivery.inFlightRecords === 0, 'all is on disk');
  assert.ok(spool.pending.some(({ partition }) => partition > 0));
  await connect(4);
  await delivered([...devices, ...late]);
});

// --- the end ---

/** Makes the copying wait at its next step until the test releases it, or for ever. */
function holdCopies(t: TestContext, prototype: object, method: string) {
  let isHeld = false;
  const { opened, open } = new Gate();
  before(t, { prototype, method }, () => {
    isHeld = true;
    return opened;
  });
  return { isHeld: () => isHeld, release: open };
}

const STATES: Record<string, (t: TestContext) => Promise<{ made: Gateway; release?: () => void }>> = {
  'before Kafka was seen': async (t) => {
    const made = await gateway(t);
    await made.spoolRecords(20);
    return { made };
  },
  'before Kafka was seen, with batches on their way to the disk': async (t) => {
    const made = await gateway(t);
    made.send(20);
    return { made };
  },
  'while a chunk is copied': async (t) => {
    const made = await gateway(t);
    await made.spoolRecords(20);
    const { isHeld, release } = holdCopies(t, SpoolLog.prototype, 'appendCopies');
    await made.connect(3);
    await until(isHeld, 'a chunk is copied');
    return { made, release };
  },
  'while the number of partitions is remembered': async (t) => {
    const made = await gateway(t);
    const { isHeld, release } = holdCopies(t, made.spool, 'setPartitionCount');
    made.send(20);
    await made.connect(3);
    await until(isHeld, 'the number is remembered');
    return { made, release };
  },
  'while the partitions of a topic that shrank still have batches in memory': async (t) => {
    const made = await connected(t, 4);
    const answers = await keepInFlight(made);
    await made.connect(2);
    return { made, release: answers.open };
  },
  'while a gone partition’s log is renamed': async (t) => {
    const made = await connected(t, 4);
    made.away();
    await made.spoolRecords(2);
    const { isHeld, release } = holdCopies(t, SpoolLog.prototype, 'rename');
    made.broker.forgetProducers();
    await made.connect(2);
    await until(isHeld, 'a log is renamed');
    return { made, release };
  },
};

for (const [when, begin] of Object.entries(STATES)) {
  test(`a stop ${when} tells every device, and the next start delivers the rest once and in order`, async (t) => {
    const { made, release } = await begin(t);
    made.send(2);
    const stopped = made.stop();
    await turns(20);
    release?.();
    await stopped;
    t.mock.restoreAll();
    assertTold(made.devices);
    const later = await gateway(t, made);
    later.send(1);
    await later.connect(2);
    later.send(1);
    await later.delivered();
  });

  test(`a crash ${when} loses and doubles no record that was called stored`, async (t) => {
    const { made, release } = await begin(t);
    made.send(2);
    await turns(5);
    const directory = crashCopy(t, made.directory);
    const told = made.devices.map(({ session }) => session.storedSeqs.at(-1) ?? -1);
    const inKafka = made.broker.arrived.length;
    made.broker.fate = () => ({ kind: 'lost' });
    release?.();
    await made.kill();
    t.mock.restoreAll();
    made.broker.arrived.splice(inKafka);
    made.broker.fate = () => ({ kind: 'taken' });
    const later = await gateway(t, { ...made, directory });
    await later.connect(2);
    await later.drained();
    const arrived = later.broker.arrived.map(({ value }) => idOf(value));
    for (const [index, { sent }] of made.devices.entries()) {
      const there = arrived.filter((id) => sent.includes(id));
      // Records that were only in memory may be missing between those that the disk had already.
      assert.deepEqual(
        there,
        sent.filter((id) => there.includes(id)),
      );
      const last = told[index] ?? -1;
      assert.deepEqual(
        sent.filter((id) => id <= last && !there.includes(id)),
        [],
        'told and lost',
      );
    }
  });

  test(`a close ${when} ends`, async (t) => {
    const { made, release } = await begin(t);
    const closed = made.delivery.close();
    release?.();
    await closed;
    await made.kill();
  });
}

test('the next start continues placing after a crash, also for another number of partitions', async (t) => {
  for (const partitions of [3, 2, 5]) {
    const made = await gateway(t);
    await made.spoolRecords(100);
    const { isHeld, release } = holdCopies(t, Cursor.prototype, 'commit');
    await made.connect(3);
    await until(isHeld, 'the copies are there');
    const directory = temporaryDirectory(t);
    cpSync(made.directory, directory, { recursive: true });
    made.broker.fate = () => ({ kind: 'lost' });
    t.mock.restoreAll();
    const killed = made.kill();
    release();
    await killed;
    const later = await gateway(t, { directory, devices: made.devices });
    assert.equal(later.spool.records, 1200);
    await later.connect(partitions);
    later.send(1);
    await later.delivered();
    // A key's first records may have been placed for 3 partitions already, so its others follow if the topic has grown.
    assertPlaced(later.broker, later.devices, Math.min(partitions, 3));
    await until(() => later.batcher.partitions === partitions, 'the topic’s number is adopted afterwards');
  }
});

test('a disk full of unplaced records is drained and has room again', async (t) => {
  const disk = mount(t, ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs']);
  if (disk === undefined) return;
  const { delivery, connect, delivered, fillDisk } = await gateway(t, { directory: join(disk, 'spool') });
  await fillDisk();
  assert.match(delivery.spoolTrouble ?? '', /disk is full/);
  await connect(3);
  await delivered();
  await until(() => delivery.spoolTrouble === null, 'the disk takes batches again');
});
