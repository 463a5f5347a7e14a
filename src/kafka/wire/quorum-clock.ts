// DescribeQuorum in version 1, of which only the clock of Kafka's controller is used: of itself the leader of the quorum
// reports the present time (LeaderState.describeReplicaState). It needs the right Describe on the cluster, and a Kafka
// with KRaft from 3.3 on.
import { BodyReader } from './body-reader.ts';

const TOPIC = Buffer.from('__cluster_metadata');

/** With the tagged fields of the request's header before it. */
export function encodeQuorumRequest(): Buffer {
  const topic = Buffer.concat([Buffer.of(TOPIC.length + 1), TOPIC, Buffer.of(2, 0, 0, 0, 0, 0, 0)]);
  return Buffer.concat([Buffer.of(0, 2), topic, Buffer.of(0)]);
}

export interface QuorumClock {
  readonly errorCode: number;
  /** Milliseconds since 1970 by the controller's clock; undefined if it did not say. */
  readonly nowMs: number | undefined;
}

/** @throws RangeError if the body is shorter than it says */
export function decodeQuorumClock(body: Buffer): QuorumClock {
  const read = new BodyReader(body);
  read.tags();
  const errorCode = read.int16();
  const replica = () => {
    const id = read.int32();
    read.int64();
    const nowMs = read.int64();
    read.int64();
    read.tags();
    return { id, nowMs };
  };
  const partitions = read.compactArray(() => {
    read.compactString();
    const found = read.compactArray(() => {
      read.int32();
      const [code, leader] = [read.int16(), read.int32()];
      read.int32();
      read.int64();
      const voters = read.compactArray(replica);
      read.compactArray(replica);
      read.tags();
      return { errorCode: code, nowMs: voters.find(({ id }) => id === leader)?.nowMs };
    });
    read.tags();
    return found;
  });
  read.tags();
  const [partition] = partitions.flat();
  const { nowMs } = partition ?? {};
  return {
    errorCode: errorCode || (partition?.errorCode ?? 0),
    nowMs: nowMs !== undefined && nowMs > 0 ? nowMs : undefined,
  };
}
