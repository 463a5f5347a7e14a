// Metadata in version 8, the one with the rights of our login (KIP-430): on each topic, and on the cluster. Version 9 has
// another header. Kafka 2.3 and later answer it; without an authorizer each right is there.
import { BodyReader } from './body-reader.ts';

/** Numbers of Kafka's AclOperation. */
export const OPERATIONS = { write: 4, create: 5, describe: 8, describeConfigs: 10 } as const;

export type Operation = keyof typeof OPERATIONS;

/** The broker did not say. */
const NOT_KNOWN = -(2 ** 31);

/** @param operations a bit for each operation. @returns undefined if the broker did not say */
export function may(operations: number | undefined, operation: Operation): boolean | undefined {
  if (operations === undefined || operations === NOT_KNOWN) return undefined;
  return (operations & (1 << OPERATIONS[operation])) !== 0;
}

export function encodeRightsRequest(topics: readonly string[]): Buffer {
  const count = Buffer.alloc(4);
  count.writeInt32BE(topics.length);
  const names = topics.flatMap((topic) => {
    const name = Buffer.from(topic);
    const length = Buffer.alloc(2);
    length.writeInt16BE(name.length);
    return [length, name];
  });
  // No topic is created by this request; the rights on cluster and topics are asked for.
  return Buffer.concat([count, ...names, Buffer.of(0, 1, 1)]);
}

/** @throws RangeError if the body is shorter than it says */
export function decodeRights(body: Buffer) {
  const read = new BodyReader(body);
  read.int32();
  const numbers = () => read.array(() => read.int32());
  const brokers = read.array(() => {
    const broker = { nodeId: read.int32(), host: read.string() ?? '', port: read.int32() };
    read.string();
    return broker;
  });
  const clusterId = read.string();
  const controllerId = read.int32();
  const topicMetadata = read.array(() => {
    const topicErrorCode = read.int16();
    const topic = read.string() ?? '';
    read.int8();
    const partitionMetadata = read.array(() => {
      const [partitionErrorCode, partitionId, leader] = [read.int16(), read.int32(), read.int32()];
      read.int32();
      const [replicas, isr] = [numbers(), numbers()];
      numbers();
      return { partitionErrorCode, partitionId, leader, replicas, isr };
    });
    return { topicErrorCode, topic, partitionMetadata, operations: read.int32() };
  });
  return { brokers, clusterId, controllerId, topicMetadata, clusterOperations: read.int32() };
}
