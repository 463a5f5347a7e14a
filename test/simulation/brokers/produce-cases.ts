// Scripts about Produce: each says the facts that Kafka 4.1 answers with. brokers.test.ts plays them against a real broker
// and the simulated one.
import { API } from '../../../simulation/brokers/apis.ts';
import { CODE } from '../../../simulation/brokers/error-codes.ts';
import type { Script } from './script.ts';

export interface Case {
  /** A sentence about the broker. */
  readonly says: string;
  readonly run: (script: Script) => Promise<unknown>;
  readonly facts: unknown;
}

const HOUR_MS = 3_600_000;
const ID = 900_000n;

const three = { values: ['a', 'b', 'c'] };
const of = (sequence: number, more: object = {}) => ({ producerId: ID, sequence, ...more });

/** Sends these batches of one producer, and returns code and offset of each. */
async function sequence(script: Script, all: readonly object[]): Promise<unknown[]> {
  const facts: unknown[] = [];
  for (const fields of all) {
    const produced = await script.produce(fields);
    facts.push(produced === 'closed' ? produced : [produced.code, produced.offset]);
  }
  return facts;
}

const SEQUENCES: readonly Case[] = [
  {
    says: 'takes the batches of a producer in the order of their sequences',
    run: (script) => sequence(script, [of(0, three), of(3), of(4, three)]),
    facts: [
      [0, 0],
      [0, 3],
      [0, 4],
    ],
  },
  {
    says: 'answers a batch that it has with its first offset, up to five batches back',
    run: (script) =>
      sequence(
        script,
        [0, 1, 2, 3, 4, 4, 0].map((n) => of(n)),
      ),
    facts: [0, 1, 2, 3, 4, 4, 0].map((n) => [0, n]),
  },
  {
    says: 'does not know a batch that is six batches back',
    run: (script) =>
      sequence(
        script,
        [0, 1, 2, 3, 4, 5, 0].map((n) => of(n)),
      ),
    facts: [...[0, 1, 2, 3, 4, 5].map((n) => [0, n]), [CODE.outOfOrderSequence, -1]],
  },
  {
    says: 'refuses a gap in the sequence',
    run: (script) => sequence(script, [of(0), of(2), of(1)]),
    facts: [
      [0, 0],
      [CODE.outOfOrderSequence, -1],
      [0, 1],
    ],
  },
  {
    says: 'refuses a batch that begins like one it has and is longer',
    run: (script) => sequence(script, [of(0), of(0, three)]),
    facts: [
      [0, 0],
      [CODE.outOfOrderSequence, -1],
    ],
  },
  {
    says: 'lets a producer that it does not know begin anywhere',
    run: (script) => sequence(script, [of(7), of(8), of(10)]),
    facts: [
      [0, 0],
      [0, 1],
      [CODE.outOfOrderSequence, -1],
    ],
  },
  {
    says: 'takes a higher epoch from sequence 0 on, and then refuses the lower one',
    run: (script) => sequence(script, [of(0), of(0, { epoch: 1 }), of(1), of(1, { epoch: 1 })]),
    facts: [
      [0, 0],
      [0, 1],
      [CODE.invalidProducerEpoch, -1],
      [0, 2],
    ],
  },
  {
    says: 'refuses a higher epoch that does not begin with sequence 0',
    run: (script) => sequence(script, [of(0), of(1, { epoch: 1 })]),
    facts: [
      [0, 0],
      [CODE.outOfOrderSequence, -1],
    ],
  },
  {
    says: 'counts sequences on from 0 after the largest one',
    run: (script) => sequence(script, [of(2 ** 31 - 2, three), of(1), of(3)]),
    facts: [
      [0, 0],
      [0, 3],
      [CODE.outOfOrderSequence, -1],
    ],
  },
  {
    says: 'appends the same batch twice if its producer is not idempotent',
    run: (script) => sequence(script, [three, three]),
    facts: [
      [0, 0],
      [0, 3],
    ],
  },
  {
    says: 'keeps the sequences of each partition apart',
    run: async (script) => {
      await script.create({}, { partitions: 2 });
      const both = await script.produceAll([of(0), of(5)]);
      return [
        both.map(({ code }) => code),
        await script.code(of(1)),
        await script.code(of(1), { partition: 1 }),
      ];
    },
    facts: [[0, 0], 0, CODE.outOfOrderSequence],
  },
  {
    says: 'does not move the sequence for a batch that it refuses',
    run: (script) => sequence(script, [of(0, { timeMs: Date.now() + 2 * HOUR_MS }), of(0, three), of(3)]),
    facts: [
      [CODE.invalidTimestamp, -1],
      [0, 0],
      [0, 3],
    ],
  },
  {
    says: 'checks the records before it looks for a copy',
    run: async (script) => {
      await script.create({ 'message.timestamp.before.max.ms': '3000' });
      const batch = of(0, { timeMs: Date.now() });
      const first = await script.code(batch);
      await new Promise((resolve) => setTimeout(resolve, 3100));
      return [first, await script.code(batch)];
    },
    facts: [0, CODE.invalidTimestamp],
  },
  {
    says: 'forgets producers with a topic that is deleted and created again',
    run: async (script) => {
      const before = await sequence(script, [of(0), of(1)]);
      await script.target.deleteTopic(script.topic);
      await script.create({}, { name: script.topic });
      return [before, await sequence(script, [of(2), of(3)])];
    },
    facts: [
      [
        [0, 0],
        [0, 1],
      ],
      [
        [0, 0],
        [0, 1],
      ],
    ],
  },
];

const RECORDS: readonly Case[] = [
  {
    says: 'refuses a batch with a wrong checksum',
    run: (script) => script.code({ isCorrupt: true }),
    facts: CODE.corruptMessage,
  },
  {
    says: 'takes a batch of exactly max.message.bytes, and no larger one',
    run: async (script) => {
      // A header of 61 bytes, and a record with 10 bytes besides its value.
      await script.create({ 'max.message.bytes': '1071' });
      const codes: unknown[] = [];
      for (const bytes of [1000, 1001]) codes.push(await script.code({ values: ['x'.repeat(bytes)] }));
      return codes;
    },
    facts: [0, CODE.messageTooLarge],
  },
  {
    says: 'refuses a batch that is larger than a segment',
    run: async (script) => {
      await script.create({ 'max.message.bytes': '3000000', 'segment.bytes': '1048576' });
      return script.code({ values: ['x'.repeat(1_500_000)] });
    },
    facts: CODE.recordListTooLarge,
  },
  {
    says: 'refuses records from too far ahead, by an hour unless the topic says otherwise',
    run: async (script) => [
      await script.code({ timeMs: Date.now() + HOUR_MS + 60_000 }),
      await script.code({ timeMs: Date.now() + HOUR_MS - 60_000 }),
      await script.code({ timeMs: 1 }),
    ],
    facts: [CODE.invalidTimestamp, 0, 0],
  },
  {
    says: 'refuses records that are older than the topic allows',
    run: async (script) => {
      await script.create({ 'message.timestamp.before.max.ms': '60000' });
      return [
        await script.code({ timeMs: Date.now() - 90_000 }),
        await script.code({ timeMs: Date.now() - 30_000 }),
      ];
    },
    facts: [CODE.invalidTimestamp, 0],
  },
  {
    says: 'takes any time with LogAppendTime, and says its own',
    run: async (script) => {
      await script.create({ 'message.timestamp.type': 'LogAppendTime' });
      const produced = await script.produce({ timeMs: Date.now() + 5 * HOUR_MS });
      return [produced, await script.offset(Date.now() - HOUR_MS), await script.offset(Date.now() + HOUR_MS)];
    },
    facts: [
      { partition: 0, code: 0, offset: 0, hasAppendTime: true },
      { code: 0, offset: 0 },
      { code: 0, offset: -1 },
    ],
  },
  {
    says: 'wants a key for each record of a compacted topic',
    run: async (script) => {
      await script.create({ 'cleanup.policy': 'compact' });
      return [await script.code({ key: null }), await script.code()];
    },
    facts: [CODE.invalidRecord, 0],
  },
  {
    says: 'takes records without a key in other topics',
    run: (script) => script.code({ key: null }),
    facts: 0,
  },
  {
    says: 'refuses a batch that does not begin with offset 0',
    run: (script) => script.code({ baseOffset: 5 }),
    facts: CODE.invalidRecord,
  },
  {
    says: 'refuses a batch with another number of records than its offsets say',
    run: (script) => script.code({ values: ['a', 'b'], count: 2, lastOffsetDelta: 4 }),
    facts: CODE.invalidRecord,
  },
  {
    says: 'refuses a batch of an idempotent producer without a sequence',
    run: (script) => script.code({ producerId: ID, sequence: -1 }),
    facts: CODE.invalidRecord,
  },
  {
    says: 'cannot unpack bytes that are no gzip',
    run: (script) => script.code({ codec: 'gzip', packed: Buffer.from('this is no gzip') }),
    facts: CODE.unknownServerError,
  },
  {
    says: 'takes every codec',
    run: async (script) => {
      const codes: unknown[] = [];
      for (const codec of ['gzip', 'snappy', 'lz4'] as const)
        codes.push(await script.code({ ...three, codec }));
      return [codes, (await script.offset(-1)).offset];
    },
    facts: [[0, 0, 0], 9],
  },
  {
    says: 'refuses zstd in a request from before Kafka 2.1',
    run: (script) => script.code({ codec: 'zstd', packed: Buffer.from('never unpacked') }, { version: 6 }),
    facts: CODE.unsupportedCompression,
  },
  {
    says: 'answers each partition of a request by itself',
    run: async (script) => {
      await script.create({}, { partitions: 3 });
      const all = await script.produceAll([three, { isCorrupt: true }, {}]);
      return all.map(({ partition, code, offset }) => [partition, code, offset]).sort();
    },
    facts: [
      [0, 0, 0],
      [1, CODE.corruptMessage, -1],
      [2, 0, 0],
    ],
  },
];

const PLACES: readonly Case[] = [
  {
    says: 'does not know a topic that nobody has created',
    run: (script) => script.code({}, { topic: `${script.topic}-missing` }),
    facts: CODE.unknownTopic,
  },
  {
    says: 'does not know a partition that the topic lacks',
    run: (script) => script.code({}, { partition: 1 }),
    facts: CODE.unknownTopic,
  },
  {
    says: 'knows more partitions once they are added, and goes on with the sequences of the others',
    run: async (script) => {
      const first = await script.code(of(0));
      await script.target.addPartitions(script.topic, 3);
      await script.untilTopic(3);
      return [first, await script.code(of(1)), await script.code(of(9), { partition: 2 })];
    },
    facts: [0, 0, 0],
  },
  {
    says: 'refuses acks that there are not',
    run: (script) => script.code({}, { acks: 2 }),
    facts: CODE.invalidRequiredAcks,
  },
  {
    says: 'needs no more replicas in sync than the topic has',
    run: async (script) => {
      await script.create({ 'min.insync.replicas': '2' });
      return [await script.code({}, { acks: 1 }), await script.code({}, { acks: -1 })];
    },
    facts: [0, 0],
  },
  {
    says: 'does not answer with acks 0',
    run: async (script) => {
      script.client.send(API.produce, 7, await script.produceBody([three], { acks: 0 }));
      const { code } = await script.offset(-1);
      return [code, (await script.offset(-1)).offset, script.client.isClosed];
    },
    facts: [0, 3, false],
  },
  {
    says: 'closes the connection if it refuses a batch with acks 0',
    run: async (script) => {
      const body = await script.produceBody([{}], { acks: 0, topic: `${script.topic}-missing` });
      script.client.send(API.produce, 7, body);
      return script.client.untilClosed();
    },
    facts: 'closed',
  },
  {
    says: 'answers requests in their order, though they were sent at once',
    run: async (script) => {
      const bodies = await Promise.all([0, 1, 2, 3].map((n) => script.produceBody([of(n)])));
      const before = script.client.answered.length;
      const answers = await Promise.all(bodies.map((body) => script.client.ask(API.produce, 7, body)));
      const ids = script.client.answered.slice(before);
      return [
        answers.length,
        ids.every((id, i) => i === 0 || id > (ids[i - 1] ?? 0)),
        await script.offset(-1),
      ];
    },
    facts: [4, true, { code: 0, offset: 4 }],
  },
];

export const PRODUCE_CASES: readonly Case[] = [...SEQUENCES, ...RECORDS, ...PLACES];
