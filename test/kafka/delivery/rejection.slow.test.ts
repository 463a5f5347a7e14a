// Tests records that Kafka refuses: which of them are at fault, how the others arrive, and that no record leaves the
// disk before it is durable elsewhere.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Gate } from '../client/scripted-broker.ts';
import { connectedStage, crashCopy, deliveryStage, idsIn, range } from './delivery-stage.ts';
import { turns, until } from './fakes.ts';
import { ModelBroker } from './model-broker.ts';

const MESSAGE_TOO_LARGE = 10;
const INVALID_TIMESTAMP = 32;

/** A check that refuses the records with these ids. */
function refusing(...ids: readonly number[]): ModelBroker {
  const broker = new ModelBroker();
  broker.check = ({ value }) => (ids.some((id) => value.includes(`"id":${id}}`)) ? MESSAGE_TOO_LARGE : 0);
  return broker;
}

/** A partition that is held: Kafka refuses each of its records with this code. */
async function heldStage(
  t: TestContext,
  { records, code = INVALID_TIMESTAMP }: { records: number; code?: number },
) {
  const broker = new ModelBroker();
  broker.check = () => code;
  const readAfter: number[] = [];
  const limitsStale = () => void readAfter.push(idsIn(broker).length);
  const stage = await connectedStage(t, { broker, limitsStale });
  stage.deliver(range(1, records));
  await until(() => stage.delivery.heldPartitions === 1, 'the partition is held');
  return { ...stage, broker, readAfter };
}

test('a refused record among others is found, becomes a dead letter, and the others arrive in order', async (t) => {
  const broker = refusing(4, 7);
  const { delivery, session, letters, budget, deliver } = await connectedStage(t, { broker });
  deliver(range(1, 9));
  deliver([10, 11]);
  await until(() => delivery.counters.confirmed === 9, 'all others are in Kafka');
  assert.deepEqual(idsIn(broker), [1, 2, 3, 5, 6, 8, 9, 10, 11]);
  assert.deepEqual(letters, [
    { id: 4, reason: 'MESSAGE_TOO_LARGE' },
    { id: 7, reason: 'MESSAGE_TOO_LARGE' },
  ]);
  await until(() => delivery.spoolingPartitions === 0, 'the partition leaves the disk');
  assert.deepEqual([delivery.counters.deadLettered, delivery.spooledRecords, budget.used], [2, 0, 0]);
  assert.deepEqual(session.storedSeqs, [9, 11]);
  assert.deepEqual(delivery.problems, []);
  // The process's own id, and one for the search.
  assert.equal(broker.ids, 2);
});

test('if the first three records sent alone are refused, none is given up and the reason is named', async (t) => {
  const { broker, delivery, session, letters, spool, deliver, settled } = await heldStage(t, { records: 40 });
  deliver(range(41, 50));
  await until(() => session.storedSeqs.includes(50), 'what comes now is stored on disk');
  assert.deepEqual([letters, spool.records, delivery.counters.deadLettered], [[], 50, 0]);
  assert.equal(delivery.failingPartitions, 1);
  assert.match(delivery.problems.join(), /INVALID_TIMESTAMP/);
  const asked = broker.requests.length;
  assert.ok(asked < 20, `${asked} requests until the search stopped`);
  broker.check = () => 0;
  await settled();
  assert.deepEqual(idsIn(broker), range(1, 50));
  assert.deepEqual([letters, delivery.problems, delivery.heldPartitions], [[], [], 0]);
});

test('a held partition tries its first record now and then', async (t) => {
  const { broker } = await heldStage(t, { records: 40 });
  const before = broker.requests.length;
  const ids = broker.ids;
  const since = performance.now();
  await until(() => broker.requests.length >= before + 2, 'it is tried again, twice');
  assert.ok(performance.now() - since > 1000, 'not without a pause');
  await turns(50);
  const tried = broker.requests.slice(before).map(({ records }) => records);
  assert.deepEqual(tried, [1, 1]);
  assert.equal(broker.ids, ids);
});

test('when Kafka takes the records of a held partition again, the limits of its topic are read again', async (t) => {
  const { broker, readAfter, settled } = await heldStage(t, { records: 5, code: MESSAGE_TOO_LARGE });
  assert.equal(readAfter.at(-1), 0);
  // Somebody raises max.message.bytes.
  broker.check = () => 0;
  await settled();
  assert.ok((readAfter.at(-1) ?? 0) > 0, 'not after a record was taken');
});

test('if Kafka gives no producer id for the search, the disk is not blamed', async (t) => {
  const broker = refusing(3);
  const { delivery, letters, deliver, settled } = await connectedStage(t, { broker });
  const { initProducerId } = broker;
  let asked = 0;
  const troubles = new Set<string | null>();
  broker.initProducerId = async () => {
    asked++;
    throw new Error('the broker did not answer InitProducerId');
  };
  deliver(range(1, 5));
  await until(() => {
    troubles.add(delivery.spoolTrouble);
    return asked >= 3;
  }, 'it is asked for again');
  assert.deepEqual([...troubles], [null]);
  assert.equal(delivery.failingPartitions, 1);
  assert.match(delivery.counters.lastError ?? '', /InitProducerId|MESSAGE_TOO_LARGE/);
  broker.initProducerId = initProducerId;
  await settled();
  assert.deepEqual(idsIn(broker), [1, 2, 4, 5]);
  assert.equal(letters.length, 1);
});

test('a refused record that is alone waits until Kafka takes another one of its partition', async (t) => {
  const broker = refusing(1);
  const { delivery, spool, deliver, letterIds, settled } = await connectedStage(t, { broker });
  deliver([1]);
  await until(() => delivery.heldPartitions === 1, 'the partition is held');
  assert.deepEqual([letterIds(), spool.records], [[], 1]);
  deliver([2]);
  deliver([3]);
  await settled();
  assert.deepEqual(idsIn(broker), [2, 3]);
  assert.deepEqual(letterIds(), [1]);
  assert.deepEqual([delivery.counters.confirmed, delivery.counters.deadLettered], [2, 1]);
});

test('a refused record stays on disk until its dead letter is durable', async (t) => {
  const broker = refusing(2);
  const kept = new Gate();
  let isAsked = false;
  const keepLetter = () => {
    isAsked = true;
    return kept.opened;
  };
  const first = await connectedStage(t, { broker, keepLetter });
  first.deliver([1, 2, 3]);
  await until(() => isAsked, 'the letter is asked for');
  await turns(50);
  assert.deepEqual([first.spool.records, first.delivery.counters.deadLettered], [2, 0]);
  const directory = crashCopy(t, first.directory);
  kept.open();
  await first.settled();
  assert.deepEqual(idsIn(broker), [1, 3]);

  // If a process dies before the letter is durable, the next process has the record.
  const again = refusing(2);
  const second = await connectedStage(t, { broker: again, directory });
  await second.settled();
  assert.deepEqual([idsIn(again), second.letterIds()], [[3], [2]]);
});

test('a letter that cannot be kept is tried again, and its record is not skipped', async (t) => {
  const broker = refusing(2);
  let tries = 0;
  const { spool, deliver, letterIds } = await connectedStage(t, {
    broker,
    keepLetter: () => (++tries < 3 ? Promise.reject(new Error('no room')) : Promise.resolve()),
  });
  deliver([1, 2, 3]);
  await until(() => spool.records === 0 && tries === 3, 'all is settled', 10_000);
  assert.deepEqual([idsIn(broker), letterIds()], [[1, 3], [2]]);
});

test('a search that loses Kafka continues behind the settled records, and sends nothing twice', async (t) => {
  const broker = refusing(6);
  const { delivery, deliver, letterIds, settled } = await connectedStage(t, { broker });
  let sendings = 0;
  // Every third answer is lost, and every fifth request.
  broker.fate = () => {
    sendings++;
    if (sendings % 3 === 0) return { kind: 'answer-lost' };
    return sendings % 5 === 0 ? { kind: 'lost' } : { kind: 'taken' };
  };
  deliver(range(1, 8));
  deliver(range(9, 12));
  await settled();
  assert.equal(delivery.counters.confirmed, 11);
  assert.deepEqual(idsIn(broker), [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12]);
  assert.deepEqual(letterIds(), [6]);
});

test('a partition that cannot keep the letter does not hold up the others', async (t) => {
  const broker = refusing(2);
  const stage = await connectedStage(t, { broker, partitions: 2, keepLetter: () => new Promise(() => {}) });
  stage.deliver([1, 2, 3]);
  await until(() => stage.spool.records === 2, 'the search waits for the letter');
  stage.deliver(range(10, 20), { partition: 1 });
  await until(() => idsIn(broker, 1).length === 11, 'the other partition is delivered');
});

test('batches in flight behind a rejected one are sent after it, once, with sequences of their own', async (t) => {
  const broker = refusing(6);
  const { delivery, deliver, letterIds, settled } = await connectedStage(t, { broker });
  // After one long round trip several batches may be in flight.
  broker.fate = async () => {
    await sleep(300);
    return { kind: 'taken' };
  };
  deliver([1]);
  await until(() => delivery.counters.confirmed === 1, 'Kafka is far');
  const before = broker.requests.length;
  deliver([5, 6, 7]);
  deliver([8]);
  deliver([9]);
  await until(() => broker.requests.length >= before + 3, 'three are in flight');
  broker.fate = () => ({ kind: 'taken' });
  await settled();
  assert.equal(delivery.counters.confirmed, 5);
  assert.deepEqual(idsIn(broker), [1, 5, 7, 8, 9]);
  assert.deepEqual(letterIds(), [6]);
});

test('while a refused batch is searched no device hears `stored`; then the refusal comes first', async (t) => {
  const broker = refusing(2);
  const heard: string[] = [];
  const stage = await deliveryStage(t, {
    broker,
    keepLetter: async (id) => void heard.push(`refused ${id}`),
  });
  stage.session.stored = (seq) => heard.push(`stored ${seq}`);
  await stage.connect();
  stage.deliver([1, 2, 3]);
  stage.deliver([4, 5]);
  await until(() => heard.includes('stored 5'), 'all is stored');
  assert.deepEqual(heard, ['refused 2', 'stored 3', 'stored 5']);
});

test('if Kafka goes away while a refused batch is searched, devices hear `stored` from the disk', async (t) => {
  const broker = refusing(2);
  const { session, spool, deliver } = await connectedStage(t, { broker });
  let requests = 0;
  broker.fate = () => (++requests > 2 ? { kind: 'lost' } : { kind: 'taken' });
  deliver([1, 2, 3]);
  deliver([4, 5]);
  await until(() => session.storedSeqs.includes(5), 'all is stored');
  assert.deepEqual([session.storedSeqs, spool.records], [[3, 5], 5]);
});

test('a held partition goes on under a new producer id if Kafka lost its sequence', async (t) => {
  const { broker, settled } = await heldStage(t, { records: 5 });
  const before = broker.ids;
  broker.check = () => 0;
  // UNKNOWN_PRODUCER_ID until the partition uses another id.
  broker.fate = () => (broker.ids === before ? { kind: 'refused', errorCode: 59 } : { kind: 'taken' });
  await settled();
  assert.deepEqual(idsIn(broker), range(1, 5));
});
