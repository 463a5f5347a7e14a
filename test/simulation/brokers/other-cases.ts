// Scripts about all requests but Produce.
import { API } from '../../../simulation/brokers/apis.ts';
import { CODE } from '../../../simulation/brokers/error-codes.ts';
import { Reader, Writer } from '../../../simulation/brokers/wire.ts';
import type { Case } from './produce-cases.ts';
import type { Script } from './script.ts';

const NONE = Buffer.alloc(0);
/** The end of the header of newer versions. */
const NO_TAGS = Buffer.from([0]);

/** Three batches with 2, 1 and 3 records, at 1000, 2000 and 3000 ms after a start. */
async function filled(script: Script): Promise<number> {
  const start = Date.now() - 10_000;
  const all = [['a', 'b'], ['c'], ['d', 'e', 'f']];
  for (const [i, values] of all.entries()) await script.code({ values, timeMs: start + 1000 * (i + 1) });
  return start;
}

const READS: readonly Case[] = [
  {
    says: 'tells the first offset, the end, and the first offset from a time on',
    run: async (script) => {
      const start = await filled(script);
      const offsets: unknown[] = [];
      for (const timeMs of [-2, -1, start, start + 1500, start + 2001, start + 3001])
        offsets.push((await script.offset(timeMs)).offset);
      return offsets;
    },
    facts: [0, 6, 0, 2, 3, -1],
  },
  {
    says: 'does not tell offsets of a partition that there is not',
    run: (script) => script.offset(-1, 4),
    facts: { code: CODE.unknownTopic, offset: -1 },
  },
  {
    says: 'returns whole batches, from the one that has the offset',
    run: async (script) => {
      await filled(script);
      return [await script.fetch(0), await script.fetch(1), await script.fetch(4)];
    },
    facts: [
      { code: 0, highWatermark: 6, batches: [0, 2, 3].map((base) => ({ base, epoch: 0 })) },
      { code: 0, highWatermark: 6, batches: [0, 2, 3].map((base) => ({ base, epoch: 0 })) },
      { code: 0, highWatermark: 6, batches: [{ base: 3, epoch: 0 }] },
    ],
  },
  {
    says: 'returns the first batch even if it is larger than the answer may be',
    run: async (script) => {
      await filled(script);
      return (await script.fetch(0, { maxBytes: 10 })).batches;
    },
    facts: [{ base: 0, epoch: 0 }],
  },
  {
    says: 'waits for records, and returns none at the end of its time',
    run: async (script) => {
      const before = performance.now();
      const found = await script.fetch(0, { waitMs: 300 });
      return [found, performance.now() - before >= 290];
    },
    facts: [{ code: 0, highWatermark: 0, batches: [] }, true],
  },
  {
    says: 'answers a waiting reader when a record comes',
    run: async (script) => {
      const writer = await script.another();
      const before = performance.now();
      const reading = script.fetch(0, { waitMs: 8000 });
      await new Promise((resolve) => setTimeout(resolve, 100));
      await writer.code();
      const { batches } = await reading;
      writer.client.close();
      return [batches, performance.now() - before < 5000];
    },
    facts: [[{ base: 0, epoch: 0 }], true],
  },
  {
    says: 'refuses an offset beyond the end',
    run: async (script) => {
      await filled(script);
      return (await script.fetch(7)).code;
    },
    facts: CODE.offsetOutOfRange,
  },
];

const TOPICS: readonly Case[] = [
  {
    says: 'names the leader and the replicas in sync',
    run: async (script) => {
      const { nodeId } = script.target;
      const { code, leaders, isr } = await script.metadata();
      return [code, leaders.map((id) => id === nodeId), isr.map((ids) => ids.map((id) => id === nodeId))];
    },
    facts: [0, [true], [[true]]],
  },
  {
    says: 'tells a topic that is missing from a name that is not allowed',
    run: async (script) => [
      (await script.metadata(`${script.topic}-missing`)).code,
      (await script.metadata('no spaces')).code,
      (await script.metadata('x'.repeat(250))).code,
    ],
    facts: [CODE.unknownTopic, CODE.invalidTopic, CODE.invalidTopic],
  },
  {
    says: 'tells the rights of everybody where there are none to give',
    run: async (script) => {
      const body = new Writer().array([script.topic], (write) => write.string(script.topic));
      const answer = await script.client.ask(API.metadata, 8, body.int8(0).int8(1).int8(1).buffer);
      if (answer === 'closed') return answer;
      return [answer.readInt32BE(answer.length - 8), answer.readInt32BE(answer.length - 4)];
    },
    facts: [0b1101_1111_1000, 0b1_1111_1010_0000],
  },
  {
    says: 'does not create a topic twice',
    run: (script) => script.createCode(script.topic),
    facts: CODE.topicAlreadyExists,
  },
  {
    says: 'creates nothing that it should only check',
    run: async (script) => {
      const name = `${script.topic}-checked`;
      return [await script.createCode(name, { validateOnly: true }), (await script.metadata(name)).code];
    },
    facts: [0, CODE.unknownTopic],
  },
  {
    says: 'refuses a topic without partitions, with too many replicas, a wrong name or a wrong setting',
    run: async (script) => {
      const name = `${script.topic}-refused`;
      return [
        await script.createCode(name, { partitions: 0 }),
        await script.createCode(name, { replication: 9 }),
        await script.createCode('no spaces'),
        await script.createCode('..'),
        await script.createCode(name, { settings: { 'no.such.setting': '1' } }),
        await script.createCode(name, { settings: { 'max.message.bytes': 'many' } }),
        await script.createCode(name, { settings: { 'cleanup.policy': 'shred' } }),
      ];
    },
    facts: [37, 38, 17, 17, 40, 40, 40],
  },
  {
    says: 'tells the settings of a topic that were asked for, and defaults for those that it lacks',
    run: async (script) => {
      await script.create({ 'max.message.bytes': '4000', 'cleanup.policy': 'compact,delete' });
      const names = [
        'max.message.bytes',
        'cleanup.policy',
        'message.timestamp.type',
        'message.timestamp.before.max.ms',
        'message.timestamp.after.max.ms',
        'message.timestamp.difference.max.ms',
      ];
      return script.settings(script.topic, names);
    },
    facts: {
      code: 0,
      values: {
        'cleanup.policy': 'compact,delete',
        'max.message.bytes': '4000',
        'message.timestamp.after.max.ms': '3600000',
        'message.timestamp.before.max.ms': '9223372036854775807',
        'message.timestamp.type': 'CreateTime',
      },
    },
  },
  {
    says: 'has no settings of a topic that is missing',
    run: (script) => script.settings(`${script.topic}-missing`, ['max.message.bytes']),
    facts: { code: CODE.unknownTopic, values: {} },
  },
  {
    says: 'does not know a topic any more once it is deleted',
    run: async (script) => {
      await script.code();
      await script.target.deleteTopic(script.topic);
      return [(await script.metadata()).code, await script.code(), (await script.fetch(0)).code];
    },
    facts: [CODE.unknownTopic, CODE.unknownTopic, CODE.unknownTopic],
  },
];

const CONNECTIONS: readonly Case[] = [
  {
    says: 'gives each producer an id of its own, in epoch 0',
    run: async (script) => {
      const [one, other] = [await script.producerId(), await script.producerId()];
      return [one.code, one.epoch, one.id !== other.id, one.id >= 0n];
    },
    facts: [0, 0, true, true],
  },
  {
    says: 'answers a version of ApiVersions that it does not know with an error and the oldest form',
    run: async (script) => {
      const answer = await script.client.ask(API.apiVersions, 99, NO_TAGS);
      if (answer === 'closed') return answer;
      const read = new Reader(answer);
      const code = read.int16();
      const apis = read.array(() => [read.int16(), read.int16(), read.int16()]);
      return [code, apis.map(([key]) => key), read.left];
    },
    facts: [CODE.unsupportedVersion, [API.apiVersions], 0],
  },
  {
    says: 'knows every request of the gateway in a version that both speak',
    run: async (script) => {
      const answer = await script.client.ask(API.apiVersions, 2, NONE);
      if (answer === 'closed') return answer;
      const read = new Reader(answer);
      const code = read.int16();
      const apis = new Map(read.array(() => [read.int16(), [read.int16(), read.int16()]] as const));
      const speaks = ([key, version]: readonly [number, number]) => {
        const [min = 99, max = -1] = apis.get(key) ?? [];
        return min <= version && version <= max;
      };
      const ours = [
        [API.produce, 7],
        [API.fetch, 11],
        [API.listOffsets, 3],
        [API.metadata, 6],
        [API.metadata, 8],
        [API.createTopics, 3],
        [API.initProducerId, 1],
        [API.describeConfigs, 2],
      ] as const;
      return [code, ours.map(speaks).every(Boolean), read.int32()];
    },
    facts: [0, true, 0],
  },
  {
    says: 'closes the connection after a request that it does not know',
    run: (script) => script.client.ask(9999, 0, NONE),
    facts: 'closed',
  },
  {
    says: 'closes the connection after a version that it does not know',
    run: (script) => script.client.ask(API.metadata, 99, NONE),
    facts: 'closed',
  },
  {
    says: 'closes the connection if a request is larger than it takes',
    run: (script) => {
      script.client.raw(Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 0]));
      return script.client.untilClosed();
    },
    facts: 'closed',
  },
  {
    says: 'closes the connection if a request is cut off',
    run: (script) => script.client.ask(API.produce, 7, Buffer.from([0, 1, 2])),
    facts: 'closed',
  },
  {
    says: 'takes no login where none is wanted',
    run: async (script) => {
      const answer = await script.client.ask(API.saslHandshake, 1, new Writer().string('PLAIN').buffer);
      return answer === 'closed' ? answer : answer.readInt16BE(0);
    },
    facts: CODE.illegalSaslState,
  },
];

export const OTHER_CASES: readonly Case[] = [...READS, ...TOPICS, ...CONNECTIONS];
