// The Produce request, version 7 (https://kafka.apache.org/protocol#The_Messages_Produce): several partitions'
// batches of one topic in one frame, as a list of buffers so that no large batch is copied; and its response.

export const PRODUCE_API_KEY = 0;
/** The first version that may carry zstd; every broker from 2.1 to 4.x takes it. */
export const PRODUCE_API_VERSION = 7;

/** Smaller frames are one buffer: to write it is cheaper than to write its parts. */
const LEAST_BYTES_IN_PARTS = 64 * 1024;

export interface ProduceRequest {
  readonly topic: string;
  readonly acks: -1 | 0 | 1;
  /** How long the broker may wait for its replicas, milliseconds. */
  readonly timeoutMs: number;
  readonly batches: readonly { readonly partition: number; readonly bytes: Buffer }[];
}

/** The broker's word on one partition's batch. */
export interface PartitionAnswer {
  readonly partition: number;
  readonly errorCode: number;
  readonly baseOffset: bigint;
}

export interface ProduceAnswer {
  readonly partitions: readonly PartitionAnswer[];
  readonly throttleMs: number;
}

/** The whole frame, size field included, to be written in this order. */
export function encodeProduceRequest(
  request: ProduceRequest,
  correlationId: number,
  clientId: string,
): Buffer[] {
  const topic = Buffer.from(request.topic);
  const client = Buffer.from(clientId);
  const head = Buffer.alloc(4 + 2 + 2 + 4 + 2 + client.length + 2 + 2 + 4 + 4 + 2 + topic.length + 4);
  let at = 4;
  at = head.writeInt16BE(PRODUCE_API_KEY, at);
  at = head.writeInt16BE(PRODUCE_API_VERSION, at);
  at = head.writeInt32BE(correlationId, at);
  at = head.writeInt16BE(client.length, at);
  at += client.copy(head, at);
  at = head.writeInt16BE(-1, at); // no transactional id
  at = head.writeInt16BE(request.acks, at);
  at = head.writeInt32BE(request.timeoutMs, at);
  at = head.writeInt32BE(1, at);
  at = head.writeInt16BE(topic.length, at);
  at += topic.copy(head, at);
  head.writeInt32BE(request.batches.length, at);

  const parts: Buffer[] = [head];
  let size = head.length - 4;
  for (const { partition, bytes } of request.batches) {
    const prefix = Buffer.alloc(8);
    prefix.writeInt32BE(partition, 0);
    prefix.writeInt32BE(bytes.length, 4);
    parts.push(prefix, bytes);
    size += prefix.length + bytes.length;
  }
  head.writeInt32BE(size, 0);
  return size < LEAST_BYTES_IN_PARTS ? [Buffer.concat(parts)] : parts;
}

/** Decodes a response's body; partitions of another topic than the one asked are left out. */
export function decodeProduceResponse(body: Buffer, topic: string): ProduceAnswer {
  const partitions: PartitionAnswer[] = [];
  let at = 4;
  for (let topics = body.readInt32BE(0); topics > 0; topics--) {
    const nameBytes = body.readInt16BE(at);
    const name = body.toString('utf8', at + 2, at + 2 + nameBytes);
    at += 2 + nameBytes;
    let count = body.readInt32BE(at);
    at += 4;
    for (; count > 0; count--) {
      if (name === topic) {
        partitions.push({
          partition: body.readInt32BE(at),
          errorCode: body.readInt16BE(at + 4),
          baseOffset: body.readBigInt64BE(at + 6),
        });
      }
      at += 4 + 2 + 8 + 8 + 8;
    }
  }
  return { partitions, throttleMs: body.readInt32BE(at) };
}
