// Answers by which a topic is gone or has lost partitions: when they are believed, and what happens until then.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterError, type TopicMetadata } from '../../../src/kafka/client/kafka-client.ts';
import { TopicDoubt } from '../../../src/kafka/topics/topic-doubt.ts';
import { waitFor } from '../../support/wait.ts';
import { FakeSource, GONE, isResolved, resolved, stage, startStage, TOPIC } from './fake-metadata.ts';

const WARNING = 40;
const TIMING = {
  goneAfter: { times: 3, forMs: 5_000 },
  fewerAfter: { times: 3, forMs: 1_000 },
  fromOneForMs: 30_000,
};

const answer = (partitions: number, from: number | undefined, brokers: readonly number[]): TopicMetadata => ({
  errorCode: 0,
  leaders: new Array<number>(partitions).fill(1),
  clusterId: 'cluster-a',
  from,
  brokers,
});

/** A TopicDoubt with its own clock, after an answer with six partitions and these brokers. */
function doubtAfter(brokers: readonly number[]) {
  let now = 0;
  const doubt = new TopicDoubt(TOPIC, TIMING, () => now);
  doubt.settle(answer(6, 1, brokers));
  return {
    doubt,
    fewer: (atMs: number, from: number | undefined, named = brokers, partitions = 3) => {
      now = atMs;
      return doubt.ofFewer(answer(partitions, from, named));
    },
    missing: (atMs: number, from: number | undefined, named = brokers) => {
      now = atMs;
      return doubt.ofMissing(answer(0, from, named));
    },
  };
}

// --- evidence ---

test('fewer partitions are believed at the third answer in a row, if a second broker gave one of them', () => {
  const { fewer } = doubtAfter([1, 2, 3]);
  assert.deepEqual([fewer(0, 1), fewer(600, 2), fewer(1_000, 1)], ['doubted', 'doubted', 'believed']);
});

test('three answers within a second are not enough', () => {
  const { fewer } = doubtAfter([1, 2, 3]);
  assert.deepEqual([fewer(0, 1), fewer(10, 2), fewer(999, 3)], ['doubted', 'doubted', 'doubted']);
  assert.equal(fewer(1_000, 1), 'believed');
});

test('fewer partitions named by one of several brokers are believed only after a second broker names them', () => {
  const { fewer } = doubtAfter([1, 2, 3]);
  for (const atMs of [0, 500]) assert.equal(fewer(atMs, 1), 'doubted');
  for (const atMs of [1_000, 60_000, 24 * 3_600_000]) assert.equal(fewer(atMs, 1), 'one-broker');
  assert.equal(fewer(25 * 3_600_000, 3), 'believed');
});

test('an unknown broker does not count as a second one', () => {
  const { fewer } = doubtAfter([1, 2]);
  assert.deepEqual([fewer(0, 1), fewer(600, undefined), fewer(5_000, undefined)].at(-1), 'one-broker');
  assert.equal(fewer(6_000, 2), 'believed');
});

test('the only broker of a cluster is believed after three answers within one second or more', () => {
  const { fewer } = doubtAfter([1]);
  assert.deepEqual([fewer(0, 1), fewer(999, 1), fewer(999, 1)], ['doubted', 'doubted', 'doubted']);
  assert.equal(fewer(1_000, 1), 'believed');
});

test('a broker that names only itself, although there were others, is believed after 30 s', () => {
  const { fewer } = doubtAfter([1, 2]);
  const answers = [0, 500, 29_999, 30_000].map((atMs) => fewer(atMs, 1, [1]));
  assert.deepEqual(answers.slice(2), ['one-broker', 'believed']);
});

test('an answer with the former number of partitions starts the count again, and so does a third number', () => {
  const { doubt, fewer } = doubtAfter([1, 2]);
  fewer(0, 1);
  fewer(600, 2);
  doubt.settle(answer(6, 2, [1, 2]));
  assert.deepEqual([...doubt.heardFrom], []);
  const answers = [fewer(1_000, 1), fewer(1_600, 2), fewer(3_000, 1, [1, 2], 2), fewer(3_500, 1)];
  assert.deepEqual(answers, ['doubted', 'doubted', 'doubted', 'doubted']);
});

test('a topic is believed to be gone after 5 s of answers of two brokers, or 30 s of one', () => {
  const two = doubtAfter([1, 2]);
  assert.deepEqual([two.missing(0, 1), two.missing(4_999, 2), two.missing(5_000, 1)].at(-1), 'believed');
  const one = doubtAfter([1, 2]);
  assert.deepEqual([one.missing(0, 1), one.missing(5_000, 1), one.missing(29_999, 1)].at(-1), 'one-broker');
  assert.equal(one.missing(30_000, 1), 'believed');
});

// --- the refresher meanwhile ---

/** A topic of six partitions on brokers 1 to 3. */
function threeBrokers(): FakeSource {
  const source = new FakeSource([1, 2, 3, 1, 2, 3]);
  source.brokers = [1, 2, 3];
  source.answering = [1, 2, 3];
  return source;
}

const isAsked = (source: FakeSource, times: number) =>
  waitFor(`Kafka is asked ${times} times`, () => source.asked.length >= times);

/** Lets these brokers answer with two partitions. */
function namesTwo(source: FakeSource, who: (broker: number | undefined) => boolean): void {
  const leaders = (from: number | undefined) => (who(from) ? [1, 1] : [1, 2, 3, 1, 2, 3]);
  source.topics.set(TOPIC, (from) => ({ errorCode: 0, leaders: leaders(from), clusterId: 'cluster-a' }));
}

test('brokers that have not given the doubted answer are asked next, and the log names those that have', async (t) => {
  const source = threeBrokers();
  const made = await resolved(t, source);
  namesTwo(source, () => true);
  const before = source.answeredBy.length;
  made.refresher.refresh('test');
  await waitFor('the answers are believed', () => made.batcher.partitions === 2);
  assert.deepEqual(source.answeredBy.slice(before), [1, 2, 3]);
  assert.equal(source.wasDoubted, true);
  assert.deepEqual(made.adopted, [6, 2]);
  const said = made.log.find(({ level, msg }) => level === WARNING && msg.includes('2 partitions now'));
  assert.match(said?.msg ?? '', /readings has 2 partitions now and had 6: .*nothing is dropped/);
  assert.deepEqual(said?.brokers, [1, 2, 3]);
});

test('one broker with old metadata changes nothing: the next broker is asked, and ends the doubt', async (t) => {
  const source = threeBrokers();
  const made = await resolved(t, source);
  namesTwo(source, (from) => from === 1);
  for (let round = 1; round <= 4; round++) {
    const before = source.answeredBy.length;
    made.refresher.refresh('test');
    await waitFor('leaders are handed over', () => made.handed.length > round);
    await isResolved(made);
    assert.deepEqual(source.answeredBy.slice(before), [1, 2]);
  }
  assert.deepEqual([...new Set(made.adopted)], [6]);
  assert.equal(source.wasDoubted, false);
  assert.deepEqual(made.messages(WARNING), []);
});

test('if only one of three brokers answers, its partitions are delivered, and the others are kept and reported', async (t) => {
  const source = threeBrokers();
  const made = await resolved(t, source);
  source.answering = [2];
  const message =
    /broker 2 names only 2 of the 6 partitions of readings, and no other broker \(1, 3\) answers.* from 2 on are kept/;
  source.topics.set(TOPIC, { errorCode: 0, leaders: [2, 2], clusterId: 'cluster-a' });
  made.refresher.refresh('test');
  await waitFor('the doubt is reported', () => message.test(made.refresher.problem ?? ''));
  assert.equal(made.refresher.trouble?.isPartial, true);
  await isAsked(source, source.asked.length + 10);
  assert.deepEqual([...new Set(made.adopted)], [6]);
  assert.deepEqual(made.handed.at(-1)?.leaders, [2, 2, 3, 1, 2, 3]);
  const said = made.troubles().filter((msg) => message.test(msg));
  assert.equal(said.length, 1);
  assert.match(said[0] ?? '', /make another broker reachable from here/);

  // A second broker is back and gives the same answer.
  source.answering = [2, 3];
  await waitFor('the answer is believed', () => made.batcher.partitions === 2);
  await isResolved(made);
  assert.deepEqual(made.handed.at(-1)?.leaders, [2, 2]);
});

test('if the second broker names all partitions, nothing has changed', async (t) => {
  const source = threeBrokers();
  const made = await resolved(t, source);
  source.answering = [2];
  namesTwo(source, (from) => from === 2);
  made.refresher.refresh('test');
  await waitFor('the doubt is reported', () => made.refresher.trouble?.isPartial === true);
  source.answering = [2, 3];
  await isResolved(made);
  assert.deepEqual([...new Set(made.adopted)], [6]);
  assert.deepEqual(made.handed.at(-1)?.leaders, [1, 2, 3, 1, 2, 3]);
});

test('fewer partitions than an earlier process knew are doubted; if it knew none, nothing is doubted', async (t) => {
  for (const [partitionsBefore, asked] of [
    [6, 3],
    [2, 1],
    [undefined, 1],
  ] as const) {
    const source = threeBrokers();
    source.has(TOPIC, [1, 1]);
    const made = stage(source);
    t.after(() => made.refresher.close());
    made.batcher.partitions = partitionsBefore;
    made.refresher.start();
    await isResolved(made);
    assert.equal(source.asked.length, asked, `after ${partitionsBefore}`);
    assert.deepEqual(made.adopted, [2]);
  }
});

test('another cluster is believed at once, even if it gives no producer id at first', async (t) => {
  const source = threeBrokers();
  const made = await resolved(t, source);
  const { initProducerId } = source;
  let tries = 0;
  source.initProducerId = () => {
    if (++tries > 1) return initProducerId.call(source);
    return Promise.reject(new ClusterError('TIMEOUT', 'no answer'));
  };
  source.clusterId = 'cluster-b';
  source.answering = [1];
  source.has(TOPIC, [1, 1]);
  made.refresher.refresh('test');
  await waitFor('the answer is believed', () => made.batcher.partitions === 2);
  assert.deepEqual([tries, made.adopted], [2, [6, 2]]);
  assert.ok(!made.messages(WARNING).some((msg) => msg.includes('deleted it')));
  assert.equal(source.wasDoubted, false);
});

test('a topic without partitions is not adopted', async (t) => {
  const source = new FakeSource([]);
  const made = startStage(t, source);
  await waitFor('the problem is reported', () => made.refresher.problem?.includes('has no partitions yet'));
  assert.deepEqual(made.adopted, []);
  source.has(TOPIC, [1]);
  await isResolved(made);
});

test('a topic that only one of three brokers does not know is not created', async (t) => {
  const source = threeBrokers();
  const made = await resolved(t, source);
  source.answering = [3];
  source.topics.set(TOPIC, GONE);
  made.refresher.refresh('test');
  await waitFor('the doubt is reported', () =>
    made.refresher.problem?.includes('vanished (UNKNOWN_TOPIC_OR_PARTITION), says broker 3, and no other'),
  );
  await isAsked(source, source.asked.length + 10);
  assert.deepEqual(source.created, []);
  // Another broker knows the topic.
  source.topics.set(TOPIC, (from) =>
    from === 3 ? GONE : { ...GONE, errorCode: 0, leaders: [1, 2, 3, 1, 2, 3] },
  );
  source.answering = [3, 1];
  await isResolved(made);
  assert.deepEqual(source.created, []);
  // When a second broker does not know it either, the topic is gone.
  source.topics.delete(TOPIC);
  made.refresher.refresh('test');
  await waitFor('the topic is created', () => source.created.length === 1);
});
