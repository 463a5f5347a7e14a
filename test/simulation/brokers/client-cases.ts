// Scripts by the gateway's own client, which chooses its versions and connections itself.
import { KafkaClient } from '../../../src/kafka/client/kafka-client.ts';
import type { SaslOptions } from '../../../src/kafka/client/kafkajs.ts';
import { TopicReader } from '../../../src/kafka/topics/topic-reader.ts';
import { silent } from '../../kafka/delivery/fakes.ts';
import { batchBytes } from './batch-bytes.ts';

export interface ClientCase {
  readonly says: string;
  readonly run: (client: KafkaClient, topic: string) => Promise<unknown>;
  readonly facts: unknown;
}

/** The caller closes it. */
export const clientOf = (bootstrap: string, sasl?: SaslOptions): KafkaClient =>
  new KafkaClient(
    {
      brokers: bootstrap.split(','),
      clientId: 'script',
      credentials: () => ({ sasl }),
      requestTimeoutMs: 10_000,
    },
    silent,
  );

async function created(client: KafkaClient, topic: string, partitions = 2, config = {}): Promise<number[]> {
  const { refusal } = await client.createTopic({ topic, partitions, replicationFactor: 1, config });
  if (refusal !== null) throw new Error(refusal);
  for (;;) {
    const { errorCode, leaders } = await client.topicMetadata(topic);
    const places = leaders.map((nodeId, partition) => ({ nodeId, topic, partition }));
    if (errorCode === 0 && leaders.length === partitions && leaders.every((id) => id >= 0)) {
      const ends = await Promise.all(places.map((place) => client.listOffset(place, -1)));
      if (ends.every((end) => end.errorCode === 0)) return [...leaders];
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export const CLIENT_CASES: readonly ClientCase[] = [
  {
    says: 'creates a topic, hears that it is there, and why one cannot be made',
    run: async (client, topic) => {
      const leaders = await created(client, topic);
      const again = await client.createTopic({ topic, partitions: 2, replicationFactor: 1 });
      const many = await client.createTopic({ topic: `${topic}.2`, partitions: 2, replicationFactor: 9 });
      return [leaders.length, again, many.refusal?.split(':')[0]];
    },
    facts: [2, { refusal: null, isNew: false }, 'INVALID_REPLICATION_FACTOR'],
  },
  {
    says: 'reads the limits of a topic',
    run: async (client, topic) => {
      await created(client, topic, 1, {
        'max.message.bytes': '5000',
        'message.timestamp.before.max.ms': '70000',
      });
      return client.topicLimits(topic);
    },
    facts: {
      maxMessageBytes: 5000,
      timestampType: 'CreateTime',
      timestampBeforeMaxMs: 70_000,
      timestampAfterMaxMs: 3_600_000,
      hasOneTimestampLimit: false,
      cleanupPolicy: 'delete',
      minInsyncReplicas: 1,
    },
  },
  {
    says: 'hears no limits of a topic that is missing',
    run: async (client, topic) => [
      await client.topicLimits(topic),
      (await client.topicMetadata(topic)).errorCode,
    ],
    facts: [undefined, 3],
  },
  {
    says: 'sends batches of several partitions at once, and again',
    run: async (client, topic) => {
      const [nodeId = -1] = await created(client, topic);
      const batches = await Promise.all(
        [0, 1, 5].map(async (partition) => ({
          partition,
          bytes: await batchBytes({ producerId: 920_000n, sequence: 0, values: ['a', 'b'] }),
        })),
      );
      const send = async () => {
        const answer = await client.produce(nodeId, { topic, acks: -1, timeoutMs: 5000, batches });
        const parts = answer?.partitions.map((one) => [one.partition, one.errorCode, Number(one.baseOffset)]);
        parts?.sort(([a = 0], [b = 0]) => a - b);
        return { parts, throttleMs: answer?.throttleMs };
      };
      const first = await send();
      return [first, await send()];
    },
    facts: [1, 2].map(() => ({
      parts: [
        [0, 0, 0],
        [1, 0, 0],
        [5, 3, -1],
      ],
      throttleMs: 0,
    })),
  },
  {
    says: 'hears the time of the records if a batch was there already, and does not take it for a clock',
    run: async (client, topic) => {
      const [nodeId = -1] = await created(client, topic, 1);
      const timeMs = Date.now() - 60_000;
      const batches = [
        { partition: 0, bytes: await batchBytes({ producerId: 930_000n, sequence: 0, timeMs }) },
      ];
      const request = { topic, acks: -1 as const, timeoutMs: 5000, batches };
      const first = await client.produce(nodeId, request);
      const again = await client.produce(nodeId, { ...request, mayBeThere: true });
      return [first?.logAppendMs, again?.logAppendMs === timeMs, client.clockOffsetMs];
    },
    facts: [undefined, true, undefined],
  },
  {
    says: "learns the broker's clock from a topic with LogAppendTime",
    run: async (client, topic) => {
      const [nodeId = -1] = await created(client, topic, 1, { 'message.timestamp.type': 'LogAppendTime' });
      const batches = [{ partition: 0, bytes: await batchBytes({ timeMs: 5 }) }];
      const answer = await client.produce(nodeId, { topic, acks: 1, timeoutMs: 5000, batches });
      return Math.abs((answer?.logAppendMs ?? 0) - Date.now()) < 60_000;
    },
    facts: true,
  },
  {
    says: 'gets producer ids in epoch 0',
    run: async (client) => {
      const ids = [];
      while (ids.length < 2) {
        // A broker that has just started has no ids yet.
        const given = await client.initProducerId().catch(() => undefined);
        if (given !== undefined) ids.push(given);
        else await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return [ids.map(({ producerEpoch }) => producerEpoch), ids[0]?.producerId !== ids[1]?.producerId];
    },
    facts: [[0, 0], true],
  },
  {
    says: 'reads a topic from a time on, packed by every codec',
    run: async (client, topic) => {
      const [nodeId = -1] = await created(client, topic, 1);
      const from = Date.now() - 50_000;
      for (const [i, codec] of (['none', 'gzip', 'snappy', 'lz4'] as const).entries()) {
        const bytes = await batchBytes({ codec, values: ['a', 'b'], timeMs: from + 1000 * i });
        await client.produce(nodeId, {
          topic,
          acks: -1,
          timeoutMs: 5000,
          batches: [{ partition: 0, bytes }],
        });
      }
      const reader = new TopicReader(client, { topic, signal: new AbortController().signal });
      await reader.open();
      const { first, end } = await reader.range(0);
      const at = await reader.offsetAt(0, from + 1500);
      const offsets: number[] = [];
      for await (const records of reader.read(0, { from: at, end }))
        offsets.push(...records.map(({ offset }) => offset));
      return { first, end, at, offsets, deleted: reader.deleted };
    },
    facts: { first: 0, end: 8, at: 4, offsets: [4, 5, 6, 7], deleted: 0 },
  },
];
