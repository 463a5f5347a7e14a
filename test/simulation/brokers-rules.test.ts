// Rules that simulated brokers keep by themselves: whatever happens to them, nothing that all replicas in sync have
// acknowledged is lost or written twice. Random histories, each from its seed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { API, answerTo, type Reply } from '../../simulation/brokers/apis.ts';
import { Brokers } from '../../simulation/brokers/brokers.ts';
import { CODE } from '../../simulation/brokers/error-codes.ts';
import { Login } from '../../simulation/brokers/logins.ts';
import { Reader, Writer } from '../../simulation/brokers/wire.ts';
import { Random } from '../../simulation/world/random.ts';
import { batchBytes } from './brokers/batch-bytes.ts';
import { ManualClock } from './brokers/manual-clock.ts';

const SEEDS = 100;
const STEPS = 60;
const NODES = [1, 2, 3];
const TOPIC = 'readings';
const ID = 77n;
/** Longer than a broker waits for its replicas. */
const ANSWER_MS = 2000;

interface Stage {
  readonly clock: ManualClock;
  readonly brokers: Brokers;
}

async function stageFor(seed: number, count = NODES.length, settings = {}): Promise<Stage> {
  const clock = new ManualClock(seed);
  const nodes = NODES.slice(0, count).map((nodeId) => ({ nodeId, host: `kafka-${nodeId}`, port: 9092 }));
  const brokers = await Brokers.start({
    clock,
    nodes,
    listen: async () => ({ close: () => undefined }),
    imageMs: () => 30 * clock.random(),
    replicationMs: () => 1 + 5 * clock.random(),
  });
  brokers.createTopic({ name: TOPIC, partitions: 1, settings });
  await clock.pass(100);
  return { clock, brokers };
}

/** The code of a batch with this value and sequence; undefined if the broker does not answer. */
async function produce(
  { clock, brokers }: Stage,
  nodeId: number,
  { sequence, key = 'k' }: { sequence: number; key?: string },
): Promise<number | undefined> {
  const node = brokers.node(nodeId);
  if (!node.runs) return undefined;
  const bytes = await batchBytes({
    producerId: ID,
    sequence,
    values: [`value ${sequence}`],
    key,
    timeMs: clock.wallMs(),
  });
  const body = new Writer()
    .string(null)
    .int16(-1)
    .int32(1000)
    .array([TOPIC], (write) =>
      write.string(TOPIC).array([bytes], (_, batch) => write.int32(0).bytes(batch)),
    ).buffer;
  const request = { apiKey: API.produce, version: 7, correlationId: 1, bytes: body.length, body };
  const login = new Login({ isRequired: false, users: new Map(), lifetimeMs: 0 }, clock.random);
  let reply: Reply | undefined;
  answerTo(request, { node, login }, (answer) => {
    reply = answer;
  });
  for (let waited = 0; waited < ANSWER_MS && reply === undefined; waited += 20) await clock.pass(20);
  if (reply?.body === undefined) return undefined;
  const [code] = new Reader(reply.body).array((read) => {
    read.string();
    const [one] = read.array(() => [read.int32(), read.int16(), read.bigint(), read.bigint(), read.bigint()]);
    return Number(one?.[1]);
  });
  return code;
}

/** What a step does to a broker. Half of the others may be down at the same time: then nothing is acknowledged. */
function fault(brokers: Brokers, random: Random): void {
  const id = random.pick(NODES);
  const faults = [
    () => brokers.kill(id),
    () => brokers.stop(id),
    () => void brokers.start(id),
    () => brokers.freeze(id),
    () => brokers.thaw(id),
    () => brokers.isolate(id),
    () => brokers.rejoin(id),
    () => brokers.moveLeader(TOPIC, 0),
    () => brokers.reassign(TOPIC, 0, [id, ...NODES.filter((other) => other !== id)]),
  ];
  random.pick(faults)();
}

test('what all replicas in sync have acknowledged is there once and in order, whatever happens to the brokers', async () => {
  let acknowledged = 0;
  let refused = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new Random(seed, 'history');
    const stage = await stageFor(seed, 3, { 'min.insync.replicas': '2' });
    const { brokers, clock } = stage;
    let sequence = 0;
    for (let step = 0; step < STEPS; step++) {
      if (random.chance(0.3)) fault(brokers, random);
      if (random.chance(0.3)) await clock.pass(random.between(1, 12_000));
      const code = await produce(stage, random.pick(NODES), { sequence });
      if (code === CODE.none) sequence++;
      else if (code !== undefined) refused++;
    }
    const healed = brokers.heal();
    await clock.pass(60_000);
    await healed;
    await clock.pass(1000);
    const values = brokers.log(TOPIC, 0).map(({ value }) => value?.toString());
    const expected = Array.from({ length: sequence }, (_, i) => `value ${i}`);
    // The last batch may be there without an answer.
    assert.deepEqual(values.slice(0, sequence), expected, `seed ${seed}`);
    assert.ok(values.length <= sequence + 1, `seed ${seed}: ${values.length} for ${sequence}`);
    const leader = brokers.image.topics.get(TOPIC)?.partitions[0]?.leader ?? -1;
    assert.equal(await produce(stage, leader, { sequence }), CODE.none, `seed ${seed}`);
    acknowledged += sequence;
    brokers.close();
  }
  assert.ok(acknowledged > SEEDS * 5, `${acknowledged} batches`);
  assert.ok(refused > SEEDS * 5, `${refused} refusals`);
});

test('compaction keeps the last record of each key, and the history has all', async () => {
  const stage = await stageFor(1, 1, { 'cleanup.policy': 'compact' });
  for (const [sequence, key] of ['a', 'b', 'a', 'c', 'b', 'd'].entries())
    assert.equal(await produce(stage, 1, { sequence, key }), CODE.none);
  const { brokers } = stage;
  brokers.compact(TOPIC, 0);
  const values = () => brokers.log(TOPIC, 0).map(({ value }) => value?.toString());
  assert.deepEqual(values(), ['value 2', 'value 3', 'value 4', 'value 5']);
  const [history] = brokers.histories();
  assert.deepEqual(
    history?.partitions()[0]?.map(({ offset }) => offset),
    [0, 1, 2, 3, 4, 5],
  );
  assert.equal(await produce(stage, 1, { sequence: 6, key: 'd' }), CODE.none);
  brokers.close();
});

test('a recreated topic, and a wiped cluster, are empty, and their former records are in the history', async () => {
  const stage = await stageFor(2, 1);
  const { brokers, clock } = stage;
  assert.equal(await produce(stage, 1, { sequence: 0 }), CODE.none);
  brokers.recreate(TOPIC, 1);
  await clock.pass(100);
  assert.deepEqual(brokers.log(TOPIC, 0), []);
  // A new log takes any sequence.
  assert.equal(await produce(stage, 1, { sequence: 1 }), CODE.none);
  const before = brokers.clusterId;
  const wiped = brokers.wipe();
  await clock.pass(5000);
  await wiped;
  assert.notEqual(brokers.clusterId, before);
  assert.equal(await produce(stage, 1, { sequence: 2 }), CODE.unknownTopic);
  const values = brokers.histories().map(({ partitions }) =>
    partitions()
      .flat()
      .map(({ value }) => `${value}`),
  );
  assert.deepEqual(values, [['value 0'], ['value 1']]);
  brokers.close();
});

test('a broker before Kafka 2.5 does not know a producer that begins in the middle', async () => {
  const clock = new ManualClock(3);
  const brokers = await Brokers.start({
    clock,
    nodes: [{ nodeId: 1, host: 'kafka-1', port: 9092 }],
    listen: async () => ({ close: () => undefined }),
    takesUnknownProducers: false,
  });
  brokers.createTopic({ name: TOPIC, partitions: 1 });
  await clock.pass(10);
  assert.equal(await produce({ clock, brokers }, 1, { sequence: 4 }), CODE.unknownProducerId);
  assert.equal(await produce({ clock, brokers }, 1, { sequence: 0 }), CODE.none);
  brokers.expireProducerIds();
  assert.equal(await produce({ clock, brokers }, 1, { sequence: 1 }), CODE.unknownProducerId);
  brokers.close();
});

test('brokers whose clock is behind refuse every record', async () => {
  const stage = await stageFor(4, 1);
  stage.brokers.skew(-2 * 3_600_000);
  assert.equal(await produce(stage, 1, { sequence: 0 }), CODE.invalidTimestamp);
  stage.brokers.skew(0);
  assert.equal(await produce(stage, 1, { sequence: 0 }), CODE.none);
  stage.brokers.close();
});
