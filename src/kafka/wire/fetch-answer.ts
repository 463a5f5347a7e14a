// Decodes the answers to Fetch requests for a single partition, versions 4 to 11
// (https://kafka.apache.org/protocol#The_Messages_Fetch). It unpacks no batch.

/** The first versions whose answers have these fields. */
const SINCE = { logStart: 5, session: 7, throttledByClient: 8, readReplica: 11 } as const;

export interface FetchAnswer {
  /** Kafka's error code of the request or of the partition. */
  readonly errorCode: number;
  /** The offset after the last record that readers may have. */
  readonly highWatermark: number;
  /** Whole batches, of which the last may be cut short. */
  readonly records: Buffer;
  /** Under this name kafkajs waits before the next request. */
  readonly clientSideThrottleTime: number;
}

/**
 * Decodes an answer's body, which follows the correlation id.
 * @throws RangeError if the body is shorter than it says
 */
export function decodeFetchAnswer(body: Buffer, version: number): FetchAnswer {
  const throttleMs = body.readInt32BE(0);
  const clientSideThrottleTime = version >= SINCE.throttledByClient ? throttleMs : 0;
  let at = 4;
  const failed = version >= SINCE.session ? body.readInt16BE(at) : 0;
  if (version >= SINCE.session) at += 6;
  const topics = body.readInt32BE(at);
  at += 4;
  if (topics < 1)
    return { errorCode: failed, highWatermark: -1, records: body.subarray(0, 0), clientSideThrottleTime };
  at += 2 + body.readUInt16BE(at);
  // The number of partitions, which is 1, and the partition.
  at += 8;
  const errorCode = body.readInt16BE(at) || failed;
  const highWatermark = Number(body.readBigInt64BE(at + 2));
  at += version >= SINCE.logStart ? 26 : 18;
  // Each aborted transaction has a producer id and an offset. The list may be null.
  at += 4 + 16 * Math.max(0, body.readInt32BE(at));
  if (version >= SINCE.readReplica) at += 4;
  const bytes = Math.max(0, body.readInt32BE(at));
  const records = body.subarray(at + 4, at + 4 + bytes);
  if (records.length < bytes) throw new RangeError('the answer is cut short');
  return { errorCode, highWatermark, records, clientSideThrottleTime };
}
