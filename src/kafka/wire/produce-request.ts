// Encodes Produce requests and decodes their responses, versions 3 to 7
// (https://kafka.apache.org/protocol#The_Messages_Produce). A request carries batches of several partitions of one topic.
// Its frame is a list of buffers, so that large batches are not copied.

const PRODUCE_API_KEY = 0;
/** The first version whose response has the log's start offset. */
const LOG_START_OFFSET_SINCE = 5;
/**
 * From this version on, a broker answers before it stops reading from the connection (KIP-219). In older versions it
 * delays the answer, so the time of `throttleMs` is over when we read it.
 */
export const THROTTLE_AFTER_ANSWER_SINCE = 6;

/** Smaller frames are copied into one buffer, which costs less than writing several. */
const MIN_BYTES_IN_PARTS = 64 * 1024;

const SIZE_BYTES = 4;
/** All fields before the batches, the size included, without the bytes of the client id and the topic. */
const HEAD_BYTES = SIZE_BYTES + 2 + 2 + 4 + 2 + 2 + 2 + 4 + 4 + 2 + 4;
/** Partition and size of a batch. */
const PREFIX_BYTES = 8;

export interface ProduceRequest {
  readonly topic: string;
  readonly acks: -1 | 0 | 1;
  /** How long the broker may wait for its replicas, milliseconds. */
  readonly timeoutMs: number;
  readonly batches: readonly { readonly partition: number; readonly bytes: Buffer }[];
  /** Kafka may have one of the batches from an earlier request. Not sent. */
  readonly mayBeThere?: boolean;
}

/** The broker's answer for one partition's batch. */
export interface PartitionAnswer {
  readonly partition: number;
  readonly errorCode: number;
  readonly baseOffset: bigint;
}

export interface ProduceAnswer {
  readonly partitions: readonly PartitionAnswer[];
  readonly throttleMs: number;
  /**
   * The broker's clock, milliseconds since 1970, if the topic has message.timestamp.type=LogAppendTime. Of a batch that it
   * had already, in any topic: the time of the stored copy.
   */
  readonly logAppendMs?: number;
}

export interface ProduceHeader {
  readonly version: number;
  readonly correlationId: number;
  readonly clientId: string;
}

/** The frame with its size field, as the parts of one byte sequence. A small one is one part. */
export function encodeProduceRequest(request: ProduceRequest, header: ProduceHeader): Buffer[] {
  const { topic, batches } = request;
  const topicBytes = Buffer.byteLength(topic);
  const clientBytes = Buffer.byteLength(header.clientId);
  const headBytes = HEAD_BYTES + clientBytes + topicBytes;
  let bytes = headBytes + batches.length * PREFIX_BYTES;
  for (const batch of batches) bytes += batch.bytes.length;
  const isOnePart = bytes - SIZE_BYTES < MIN_BYTES_IN_PARTS;

  const head = Buffer.allocUnsafe(isOnePart ? bytes : headBytes);
  let at = head.writeInt32BE(bytes - SIZE_BYTES, 0);
  at = head.writeInt16BE(PRODUCE_API_KEY, at);
  at = head.writeInt16BE(header.version, at);
  at = head.writeInt32BE(header.correlationId, at);
  at = head.writeInt16BE(clientBytes, at);
  at += head.write(header.clientId, at);
  at = head.writeInt16BE(-1, at); // no transactional id
  at = head.writeInt16BE(request.acks, at);
  at = head.writeInt32BE(request.timeoutMs, at);
  at = head.writeInt32BE(1, at);
  at = head.writeInt16BE(topicBytes, at);
  at += head.write(topic, at);
  at = head.writeInt32BE(batches.length, at);

  const parts: Buffer[] = [head];
  for (const batch of batches) {
    const prefix = isOnePart ? head : Buffer.allocUnsafe(PREFIX_BYTES);
    let end = prefix.writeInt32BE(batch.partition, isOnePart ? at : 0);
    end = prefix.writeInt32BE(batch.bytes.length, end);
    if (isOnePart) {
      head.set(batch.bytes, end);
      at = end + batch.bytes.length;
    } else parts.push(prefix, batch.bytes);
  }
  return parts;
}

/**
 * Decodes a response's body, which follows the correlation id. Partitions of other topics are left out.
 * @throws RangeError if the body is shorter than it says
 */
export function decodeProduceResponse(body: Buffer, topic: string, version: number): ProduceAnswer {
  const afterOffset = version >= LOG_START_OFFSET_SINCE ? 16 : 8;
  const partitions: PartitionAnswer[] = [];
  let logAppendMs = -1;
  let at = 4;
  for (let topics = body.readInt32BE(0); topics > 0; topics--) {
    const nameBytes = body.readUInt16BE(at);
    const name = body.toString('utf8', at + 2, at + 2 + nameBytes);
    at += 2 + nameBytes;
    let count = body.readInt32BE(at);
    at += 4;
    for (; count > 0; count--) {
      // Read for other topics, too: then a wrong count ends at the end of the body, and not after 2^31 iterations.
      const answer = {
        partition: body.readInt32BE(at),
        errorCode: body.readInt16BE(at + 4),
        baseOffset: body.readBigInt64BE(at + 6),
      };
      if (name === topic) partitions.push(answer);
      // -1 with CreateTime. A number of milliseconds since 1970 is always exact as a double.
      const appendMs = body.readInt32BE(at + 14) * 2 ** 32 + body.readUInt32BE(at + 18);
      if (appendMs > logAppendMs) logAppendMs = appendMs;
      at += 4 + 2 + 8 + afterOffset;
    }
  }
  const throttleMs = body.readInt32BE(at);
  return logAppendMs < 0 ? { partitions, throttleMs } : { partitions, throttleMs, logAppendMs };
}
