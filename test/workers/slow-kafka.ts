// The real way of records from append() to `stored`, and a Kafka that is not real: it takes the batches of a request
// when the test says so.

import { Batcher } from '../../src/kafka/batches/batcher.ts';
import { BufferBudget } from '../../src/kafka/batches/buffer-budget.ts';
import { createCodec } from '../../src/kafka/batches/compression.ts';
import { Delivery } from '../../src/kafka/delivery/delivery.ts';
import type { Producer } from '../../src/kafka/delivery/sender.ts';
import { testLog } from '../support/log.ts';

const PARTITIONS = 10;
const BUFFER_BYTES = 32 * 2 ** 20;
const RESERVE_BYTES = 2 ** 20;
const IDENTITY = { producerId: 1n, producerEpoch: 0 };

/** @param takes resolves when Kafka has taken the batches of a request */
export function slowKafka(takes: () => Promise<void>): Batcher {
  const producer: Producer = {
    initProducerId: () => Promise.resolve(IDENTITY),
    produce: async (_node, { batches }) => {
      await takes();
      const partitions = batches.map(({ partition }) => ({ partition, errorCode: 0, baseOffset: 0n }));
      return { throttleMs: 0, partitions };
    },
  };
  const budget = new BufferBudget(BUFFER_BYTES, RESERVE_BYTES);
  const delivery = new Delivery(
    { topic: 'readings', acks: -1, requestTimeoutMs: 10_000, maxAttempts: 3 },
    {
      codec: createCodec('snappy'),
      budget,
      producer,
      events: {
        partitionIdle: (partition) => batcher.partitionIdle(partition),
        congested: (partition, isCongested) => batcher.congestion.set(partition, isCongested),
        leadersStale: () => {},
        recordRefused: () => Promise.resolve(),
      },
      log: testLog({ level: 'silent' }),
    },
  );
  const batcher = new Batcher(
    { maxRecords: 1000, maxBytes: 512 * 1024, lingerMs: 10, maxMessageBytes: 1_048_588 },
    { budget, sink: delivery },
  );
  batcher.setPartitions(PARTITIONS);
  delivery.setLeaders(new Array<number>(PARTITIONS).fill(1), IDENTITY);
  return batcher;
}
