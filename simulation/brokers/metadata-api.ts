// Answers Metadata requests, versions 4 to 8, from the image that this broker has.
import type { ApiContext, Reply, Request } from './apis.ts';
import type { BrokerNode } from './broker-node.ts';
import { CODE } from './error-codes.ts';
import type { Image, PartitionImage } from './image.ts';
import { Reader, Writer } from './wire.ts';

const SINCE = { offlineReplicas: 5, epoch: 7, rights: 8 } as const;
const NOT_ASKED = -(2 ** 31);
/** Bits of Kafka's AclOperation that each kind of resource knows. */
const TOPIC_RIGHTS = bits(3, 4, 5, 6, 7, 8, 10, 11);
const CLUSTER_RIGHTS = bits(5, 7, 8, 9, 10, 11, 12);
const WRITE = bits(4);
const LEGAL_NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;

export function answerMetadata(request: Request, { node }: ApiContext, done: (reply: Reply) => void): void {
  const { version } = request;
  const read = new Reader(request.body);
  const named = read.nullableArray(() => read.string());
  read.int8();
  const asks = (is: () => number) => version >= SINCE.rights && is() !== 0;
  const wantsCluster = asks(() => read.int8());
  const wantsTopics = asks(() => read.int8());
  const { image } = node;
  const answer = new Writer()
    .int32(0)
    .array(image.brokers, (write, { nodeId, host, port }) =>
      write.int32(nodeId).string(host).int32(port).string(null),
    )
    .string(image.clusterId)
    .int32(image.controllerId)
    .array(named ?? [...image.topics.keys()], (write, name) => {
      const code = codeOf(name, node);
      const partitions = code === CODE.none ? (image.topics.get(name)?.partitions ?? []) : [];
      write.int16(code).string(name).int8(0);
      write.array([...partitions.entries()], (_, [index, partition]) =>
        writePartition(write, { index, partition, image, version }),
      );
      const rights = node.context.denied('write', name) ? TOPIC_RIGHTS & ~WRITE : TOPIC_RIGHTS;
      if (version >= SINCE.rights) write.int32(wantsTopics ? rights : NOT_ASKED);
    });
  if (version >= SINCE.rights) answer.int32(wantsCluster ? CLUSTER_RIGHTS : NOT_ASKED);
  done({ body: answer.buffer });
}

function codeOf(name: string, node: BrokerNode): number {
  if (node.context.denied('describe', name)) return CODE.topicAuthorizationFailed;
  if (node.image.topics.has(name)) return CODE.none;
  return LEGAL_NAME.test(name) ? CODE.unknownTopic : CODE.invalidTopic;
}

function writePartition(
  write: Writer,
  about: { index: number; partition: PartitionImage; image: Image; version: number },
): void {
  const { index, partition, image, version } = about;
  const isAlive = (id: number) => image.brokers.some(({ nodeId }) => nodeId === id);
  const isLed = isAlive(partition.leader);
  const numbers = (ids: readonly number[]) => write.array(ids, (_, id) => write.int32(id));
  write.int16(isLed ? CODE.none : CODE.leaderNotAvailable).int32(index);
  write.int32(isLed ? partition.leader : -1);
  if (version >= SINCE.epoch) write.int32(partition.epoch);
  numbers(partition.replicas);
  numbers(partition.isr);
  if (version >= SINCE.offlineReplicas) numbers(partition.replicas.filter((id) => !isAlive(id)));
}

function bits(...operations: number[]): number {
  return operations.reduce((all, bit) => all | (1 << bit), 0);
}
