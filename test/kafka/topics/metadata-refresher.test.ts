// The metadata refresher against scripted answers of a cluster: what it hands over, creates and logs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerError, ClusterError } from '../../../src/kafka/client/cluster-error.ts';
import { type TopicLimits, topicLimits } from '../../../src/kafka/client/topic-limits.ts';
import { createOtherTopics } from '../../../src/kafka/topics/other-topics.ts';
import { recordedLog } from '../../support/log.ts';
import { waitFor } from '../../support/wait.ts';
import { Gate } from '../client/scripted-broker.ts';
import { silent } from '../delivery/fakes.ts';
import {
  FakeSource,
  GONE,
  isResolved,
  resolved,
  type Stage,
  stage,
  startStage,
  TOPIC,
} from './fake-metadata.ts';

const WARNING = 40;
const HOUR_MS = 3_600_000;
const never = () => new Promise<never>(() => undefined);

const reported = ({ refresher }: Stage, part: string) =>
  waitFor(`a problem with ${part}`, () => refresher.problem?.includes(part) && refresher.problem);

async function refreshed(made: Stage): Promise<void> {
  const before = made.handed.length;
  made.refresher.refresh('test');
  await waitFor('new leaders are handed over', () => made.handed.length > before);
}

const limits = (values: Partial<TopicLimits>): TopicLimits => ({
  ...topicLimits([]),
  hasOneTimestampLimit: false,
  ...values,
});

// --- leaders ---

test('the refresher has a problem until each leader has been connected to', async (t) => {
  const source = new FakeSource([1, 2, 1]);
  const { opened, open } = new Gate();
  source.unreachable.set(2, () => opened);
  const made = startStage(t, source);
  await waitFor('the first leader is connected', () => source.connectedTo.includes(1));
  assert.notEqual(made.refresher.problem, null);
  assert.ok(!made.messages().some((msg) => msg.includes('each leader')));
  open();
  await isResolved(made);
  assert.deepEqual(source.connectedTo.sort(), [1, 2]);
  assert.equal(made.messages().filter((msg) => msg.endsWith('each leader is connected')).length, 1);
});

test('the line about an unreachable leader names its address and advertised.listeners', async (t) => {
  const source = new FakeSource([1, 2, 1]);
  let attempts = 0;
  source.unreachable.set(2, async () => {
    attempts++;
    throw new ClusterError('UNREACHABLE', 'broker 2 at 10.0.0.9:9092: see advertised.listeners');
  });
  const made = startStage(t, source);
  const warning = await waitFor('a line about it', () => made.troubles()[0]);
  assert.match(warning, /the leader of 1 of 3 partitions/);
  assert.match(warning, /10\.0\.0\.9:9092.*advertised\.listeners/);
  assert.match(made.refresher.problem ?? '', /10\.0\.0\.9:9092.*advertised\.listeners/);
  assert.equal(made.refresher.trouble?.isPartial, true);
  // The refresher tries again by itself.
  await waitFor('more attempts', () => attempts > 5);
  source.unreachable.clear();
  await isResolved(made);
  // The log has one line, not one for each attempt.
  assert.equal(made.troubles().length, 1);
});

test('delivery gets leaders before they are connected, and newer leaders while one is frozen', async (t) => {
  const source = new FakeSource([1, 2]);
  source.unreachable.set(2, never);
  const made = startStage(t, source);
  await waitFor('the leaders are handed over', () => made.handed.length === 1);
  assert.deepEqual(made.handed[0]?.leaders, [1, 2]);
  assert.deepEqual(made.refresher.problem, 'not connected to Kafka yet');

  // The leader is still frozen when another partition moves.
  source.has(TOPIC, [3, 2]);
  await refreshed(made);
  assert.deepEqual(made.handed.at(-1)?.leaders, [3, 2]);
  // Then its own partition moves.
  source.has(TOPIC, [3, 3]);
  await refreshed(made);
  await isResolved(made);
});

test('the batcher gets a new number of partitions after delivery has adopted it, which may be after the leaders', async (t) => {
  const source = new FakeSource([1, 2]);
  const made = await resolved(t, source);
  source.has(TOPIC, [1, 2, 3]);
  made.refused.add(3);
  await refreshed(made);
  assert.deepEqual([made.adopted, made.batcher.partitions], [[2], 2]);
  assert.deepEqual(made.handed.at(-1)?.leaders, [1, 2, 3]);
  made.refused.clear();
  await refreshed(made);
  assert.deepEqual([made.adopted, made.batcher.partitions], [[2, 3], 3]);
});

test('all leaders are connected at the same time', async (t) => {
  const source = new FakeSource([1, 2, 3, 4]);
  let waiting = 0;
  const { opened, open } = new Gate();
  for (const node of [1, 2, 3, 4]) {
    source.unreachable.set(node, () => {
      if (++waiting === 4) open();
      return opened;
    });
  }
  await isResolved(startStage(t, source));
});

test('a partition without a leader is reported, and the others get their leaders', async (t) => {
  const source = new FakeSource([1, -1]);
  const made = startStage(t, source);
  assert.match(await reported(made, 'no leader'), /1 of 2 partitions of readings have no leader/);
  assert.equal(made.refresher.trouble?.isPartial, true);
  assert.deepEqual(made.handed[0]?.leaders, [1, -1]);
  source.has(TOPIC, [1, 2]);
  await isResolved(made);
});

// --- a topic that is missing or has vanished ---

test('a topic that no broker ever named is created at once, with its settings', async (t) => {
  const source = new FakeSource();
  const config = { 'message.timestamp.type': 'LogAppendTime' };
  const topic = { topic: TOPIC, partitions: 4, replicationFactor: 2, config };
  const made = await resolved(t, source, { topic });
  assert.deepEqual(source.created, [topic]);
  assert.equal(made.batcher.partitions, 4);
  assert.equal(made.messages().filter((msg) => msg === 'Topic readings created').length, 1);
});

test('two answers in a row without the topic are not enough to create it', async (t) => {
  const source = new FakeSource([1, 1]);
  const made = await resolved(t, source);
  // Each third answer has the topic.
  let answers = 0;
  source.topics.set(TOPIC, () => (++answers % 3 === 0 ? { ...GONE, errorCode: 0, leaders: [1, 1] } : GONE));
  await refreshed(made);
  await isResolved(made);
  await refreshed(made);
  assert.ok(answers >= 6);
  assert.deepEqual(source.created, []);
});

test('a topic that has vanished is created again with its former number of partitions', async (t) => {
  const source = new FakeSource([1, 1, 1]);
  const made = await resolved(t, source);
  source.topics.delete(TOPIC);
  await refreshed(made);
  assert.deepEqual(source.created, [{ topic: TOPIC, partitions: 3, replicationFactor: -1 }]);
  assert.ok(made.messages().includes('Topic readings created again'));
});

test('a topic that has vanished gets time to come back by itself', async (t) => {
  const source = new FakeSource([1, 1]);
  const made = await resolved(t, source, { timing: { goneAfter: { times: 3, forMs: 200 } } });
  source.topics.delete(TOPIC);
  const asked = source.asked.length;
  const startedMs = performance.now();
  made.refresher.refresh('test');
  await waitFor('the topic is created', () => source.created.length > 0);
  assert.ok(performance.now() - startedMs >= 200);
  assert.ok(source.asked.length - asked > 3);
});

test('the problem of a topic that may not be created again says what to do', async (t) => {
  const source = new FakeSource([1, 1, 1]);
  const made = await resolved(t, source);
  source.onCreate = () => 'TOPIC_AUTHORIZATION_FAILED: not allowed to do it';
  source.topics.delete(TOPIC);
  made.refresher.refresh('test');
  const problem = await reported(made, 'create it');
  assert.match(
    problem,
    /readings does not exist.*TOPIC_AUTHORIZATION_FAILED.*create it with 3 partitions, or .*right Create/,
  );
  assert.ok(made.troubles().some((msg) => msg.includes(problem)));
});

test('the creation is repeated until a deletion under way has ended', async (t) => {
  const source = new FakeSource([1, 1]);
  const made = await resolved(t, source);
  source.topics.delete(TOPIC);
  let creations = 0;
  source.onCreate = ({ topic }) => {
    // The topic may be there once more, while the deletion goes on.
    source.isNew = creations === 0;
    if (++creations === 3) source.has(topic, [1, 1]);
    return null;
  };
  await refreshed(made);
  assert.equal(creations, 3);
  assert.equal(made.messages().filter((msg) => msg.startsWith('Topic readings created')).length, 1);
});

test('a refusal that passes by itself is not reported as a missing right', async (t) => {
  const source = new FakeSource();
  source.onCreate = () => 'NOT_CONTROLLER';
  const made = startStage(t, source);
  const problem = await reported(made, 'NOT_CONTROLLER');
  assert.doesNotMatch(problem, /does not let us/);
  source.onCreate = undefined;
  await isResolved(made);
});

test('the warning about a lasting error of the topic says what to do', async (t) => {
  const source = new FakeSource();
  source.topics.set(TOPIC, { errorCode: 29, leaders: [], clusterId: 'cluster-a' });
  const made = startStage(t, source);
  const warning = await waitFor('a line about it', () => made.troubles()[0]);
  assert.match(warning, /TOPIC_AUTHORIZATION_FAILED.*rights Write and Describe/);
  assert.ok(made.unreachableCalls() > 0);
});

test('the warning about a refused request says what to do', async (t) => {
  const source = new FakeSource([1]);
  source.initProducerId = async () => {
    throw new AnswerError(31, 'InitProducerId');
  };
  const made = startStage(t, source);
  const warning = await waitFor('a line about it', () => made.troubles()[0]);
  assert.match(warning, /CLUSTER_AUTHORIZATION_FAILED.*IdempotentWrite/);
});

// --- partitions ---

test('more partitions are adopted at once', async (t) => {
  const source = new FakeSource([1, 1]);
  const made = await resolved(t, source);
  source.has(TOPIC, [1, 1, 1]);
  await refreshed(made);
  assert.deepEqual(made.adopted, [2, 3]);
});

test('two answers in a row with fewer partitions change nothing', async (t) => {
  const source = new FakeSource([1, 1, 1]);
  const made = await resolved(t, source);
  let answers = 0;
  source.topics.set(TOPIC, () => ({
    errorCode: 0,
    leaders: ++answers % 3 === 0 ? [1, 1, 1] : [1, 1],
    clusterId: 'cluster-a',
  }));
  await refreshed(made);
  assert.equal(answers, 3);
  assert.deepEqual(made.adopted, [3, 3]);
  assert.equal(made.handed.at(-1)?.leaders.length, 3);
});

test('fewer partitions are believed after several equal answers', async (t) => {
  const source = new FakeSource([1, 1, 1]);
  const made = await resolved(t, source);
  source.has(TOPIC, [1]);
  await refreshed(made);
  assert.deepEqual(made.adopted, [3, 1]);
  assert.equal(made.batcher.partitions, 1);
});

// --- producer id ---

test('the producer id is kept within a cluster and renewed in another cluster', async (t) => {
  const source = new FakeSource([1, 1]);
  const made = await resolved(t, source);
  await refreshed(made);
  await isResolved(made);
  source.clusterId = 'cluster-b';
  await refreshed(made);
  const ids = made.handed.map(({ producerId, clusterId }) => `${producerId} of ${clusterId}`);
  assert.deepEqual(ids, ['1 of cluster-a', '1 of cluster-a', '2 of cluster-b']);
  assert.ok(made.messages(WARNING).some((msg) => msg.includes('Another Kafka cluster')));
});

test('fewer partitions in another cluster are believed at once, with a new producer id', async (t) => {
  const source = new FakeSource([1, 1, 1]);
  const made = await resolved(t, source);
  const asked = source.asked.length;
  source.clusterId = 'cluster-b';
  source.has(TOPIC, [1]);
  await refreshed(made);
  assert.equal(source.asked.length, asked + 1);
  assert.deepEqual(made.adopted, [3, 1]);
  assert.equal(made.handed.at(-1)?.producerId, 2n);
});

test('a broker that does not tell its cluster id does not change the producer id', async (t) => {
  const source = new FakeSource();
  source.clusterId = undefined;
  source.has(TOPIC, [1, 1]);
  const made = await resolved(t, source);
  source.clusterId = 'cluster-a';
  await refreshed(made);
  await isResolved(made);
  source.clusterId = undefined;
  await refreshed(made);
  await isResolved(made);
  assert.equal(source.ids, 1);
  assert.equal(made.handed.at(-1)?.clusterId, 'cluster-a');
  source.clusterId = 'cluster-b';
  await refreshed(made);
  assert.equal(source.ids, 2);
});

// --- limits ---

test('the limits are read at the start and by refreshLimits', async (t) => {
  const source = new FakeSource([1, 1]);
  source.limits = limits({ maxMessageBytes: 5000 });
  const made = await resolved(t, source);
  assert.equal(made.batcher.maxMessageBytes, 5000);
  await refreshed(made);
  await isResolved(made);
  assert.equal(source.limitReads, 1);
  source.limits = limits({ maxMessageBytes: 3000 });
  await made.refresher.refreshLimits();
  assert.equal(source.limitReads, 2);
  assert.equal(made.batcher.maxMessageBytes, 3000);
});

test('the limits are read again after their interval', async (t) => {
  const source = new FakeSource([1, 1]);
  const made = await resolved(t, source, { timing: { limits: { everyMs: 1, notWithinMs: 0 } } });
  const due = performance.now() + 1;
  await waitFor('the limits are due', () => performance.now() > due);
  await refreshed(made);
  await waitFor('the limits are read again', () => source.limitReads >= 2);
});

test('refreshLimits does not read limits that have just been read', async (t) => {
  const source = new FakeSource([1, 1]);
  const made = await resolved(t, source, { timing: { limits: { everyMs: 3_600_000, notWithinMs: 60_000 } } });
  for (let i = 0; i < 10; i++) await made.refresher.refreshLimits();
  assert.equal(source.limitReads, 1);
});

test('limits that cannot be read do not delay the leaders, and are read again', async (t) => {
  const source = new FakeSource([1, 1]);
  let reads = 0;
  source.topicLimits = async () => {
    if (++reads === 1) throw new ClusterError('TIMEOUT', 'no answer');
    return limits({ maxMessageBytes: 7000 });
  };
  const made = await resolved(t, source);
  await refreshed(made);
  await waitFor('the limit is known', () => made.batcher.maxMessageBytes === 7000);
});

test('there is one warning about a topic that would refuse records after an outage, with what to do', async (t) => {
  const source = new FakeSource([1, 1]);
  source.limits = limits({ timestampType: 'CreateTime', timestampBeforeMaxMs: HOUR_MS });
  const made = await resolved(t, source);
  await made.refresher.refreshLimits();
  const warnings = made.messages(WARNING);
  assert.equal(warnings.length, 1);
  const parts = [
    'readings',
    '1h',
    'KAFKA_TIMESTAMP=sent',
    'message.timestamp.before.max.ms',
    'LogAppendTime',
  ];
  for (const part of parts) assert.ok(warnings[0]?.includes(part), `${part} in: ${warnings[0]}`);
  // Another value is another warning.
  source.limits = limits({ timestampType: 'CreateTime', timestampBeforeMaxMs: 2 * HOUR_MS });
  await made.refresher.refreshLimits();
  assert.equal(made.messages(WARNING).length, 2);
});

for (const [age, count] of [
  [HOUR_MS - 60_000, 1],
  [HOUR_MS + 60_000, 2],
] as const) {
  test(`with spooled records of ${age} ms and a limit of ${HOUR_MS} ms there are ${count} warnings`, async (t) => {
    const source = new FakeSource([1, 1]);
    source.limits = limits({ timestampType: 'CreateTime', timestampBeforeMaxMs: HOUR_MS });
    const made = await resolved(t, source, { oldestSpooledMs: Date.now() - age });
    const warnings = made.messages(WARNING);
    assert.equal(warnings.length, count);
    if (count > 1) assert.match(warnings[1] ?? '', /wait in the spool are older than topic readings takes/);
  });
}

const WARNED: readonly (readonly [string, Partial<TopicLimits>, 'received' | 'sent', RegExp])[] = [
  [
    'Kafka 4’s defaults',
    { timestampBeforeMaxMs: 2 ** 53 - 1, timestampAfterMaxMs: HOUR_MS },
    'received',
    /^$/,
  ],
  ['LogAppendTime', { timestampType: 'LogAppendTime', timestampBeforeMaxMs: 1000 }, 'received', /^$/],
  ['KAFKA_TIMESTAMP=sent', { timestampType: 'CreateTime', timestampBeforeMaxMs: 1000 }, 'sent', /^$/],
  ['limits that are not known', {}, 'received', /^$/],
  [
    'a limit for fast clocks',
    { timestampType: 'CreateTime', timestampAfterMaxMs: 1000 },
    'sent',
    /1s ahead.*message\.timestamp\.after\.max\.ms/,
  ],
  [
    'compaction',
    { cleanupPolicy: 'compact,delete' },
    'received',
    /readings is compacted.*cleanup\.policy=delete/,
  ],
];
for (const [what, values, timestamp, warning] of WARNED) {
  test(`${warning.source === '^$' ? 'no' : 'a'} warning about a topic with ${what}`, async (t) => {
    const source = new FakeSource([1, 1]);
    source.limits = limits(values);
    const made = await resolved(t, source, { timestamp });
    assert.match(made.messages(WARNING).join(), warning);
  });
}

test('of two refreshers of one cluster only one warns about the topic', async (t) => {
  const source = new FakeSource([1, 1]);
  source.limits = limits({ timestampBeforeMaxMs: 1000, maxMessageBytes: 4000 });
  await isResolved(startStage(t, source));
  const second = startStage(t, source, { quiet: true });
  await isResolved(second);
  assert.deepEqual(second.messages(WARNING), []);
  assert.equal(second.batcher.maxMessageBytes, 4000);
});

// --- other topics ---

const ALARMS = { topic: 'alarms', partitions: 1, replicationFactor: -1 };
const AT_ONCE = { firstMs: 1, maxMs: 1 };

test('another topic is created when Kafka can be reached', async (t) => {
  const source = new FakeSource();
  let asked = 0;
  source.topicMetadata = async () => {
    if (++asked < 3) throw new ClusterError('UNREACHABLE', 'nobody there');
    return { ...GONE, from: 1, brokers: [1] };
  };
  await createOtherTopics([ALARMS], { source, signal: t.signal, log: silent, retry: AT_ONCE });
  assert.deepEqual(source.created, [ALARMS]);
});

test('a topic that another process was first to create is not said to be created', async (t) => {
  const source = new FakeSource();
  source.isNew = false;
  const made = await resolved(t, source, {});
  const { log, lines } = recordedLog();
  await createOtherTopics([ALARMS], { source, signal: t.signal, log, retry: AT_ONCE });
  assert.deepEqual(
    source.created.map(({ topic }) => topic),
    [TOPIC, ALARMS.topic],
  );
  assert.deepEqual(
    [...made.messages(), ...lines.map(({ msg }) => msg)].filter((msg) => msg?.includes('created')),
    [],
  );
});

test('another topic that may not be created is reported once and given up in the end', async (t) => {
  const source = new FakeSource();
  source.onCreate = () => 'POLICY_VIOLATION';
  const { log, lines } = recordedLog();
  await createOtherTopics([ALARMS], { source, signal: t.signal, log, retry: AT_ONCE });
  assert.equal(lines.length, 1);
  assert.match(lines[0]?.msg ?? '', /alarms.*POLICY_VIOLATION.*create it with 1 partitions/);
  assert.ok(source.created.length > 10 && source.created.length < 100);
});

test('nothing is asked after close', async () => {
  const source = new FakeSource([1, 2]);
  source.unreachable.set(2, never);
  const made = stage(source);
  made.refresher.start();
  await waitFor('the leaders are handed over', () => made.handed.length === 1);
  made.refresher.close();
  const asked = source.asked.length;
  made.refresher.refresh('test');
  await waitFor('some turns of the loop', () => true);
  assert.equal(source.asked.length, asked);
});
