// Answers Fetch (versions 4 to 11) and ListOffsets (1 to 3). Only leaders answer, and only with records that
// all replicas in sync have.
import type { ApiContext, Reply, Request } from './apis.ts';
import type { BrokerNode } from './broker-node.ts';
import { CODE } from './error-codes.ts';
import { Reader, Writer } from './wire.ts';

const FETCH = { logStart: 5, session: 7, epoch: 9, rack: 11 } as const;
/** Kafka answers a waiting Fetch when a record comes; the simulated one looks so often. */
const LOOK_MS = 20;
const END = -1;
const FIRST = -2;

interface Wanted {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly maxBytes: number;
}

interface Found {
  readonly code: number;
  readonly highWatermark: number;
  readonly startOffset: number;
  readonly records: Buffer;
}

export function answerFetch(request: Request, { node }: ApiContext, done: (reply: Reply) => void): void {
  const { version } = request;
  const read = new Reader(request.body);
  read.int32();
  const [maxWaitMs, minBytes, maxBytes] = [read.int32(), read.int32(), read.int32()];
  read.int8();
  if (version >= FETCH.session) read.bigint();
  const wanted = read
    .array(() => {
      const topic = read.string();
      return read.array((): Wanted => {
        const partition = read.int32();
        if (version >= FETCH.epoch) read.int32();
        const offset = read.int64();
        if (version >= FETCH.logStart) read.bigint();
        return { topic, partition, offset, maxBytes: Math.min(maxBytes, read.int32()) };
      });
    })
    .flat();
  const endsAtMs = node.context.clock.nowMs() + maxWaitMs;
  const look = () => {
    const found = wanted.map((one) => fetched(one, node));
    const bytes = found.reduce((sum, { records }) => sum + records.length, 0);
    const isDue = bytes >= minBytes || found.some(({ code }) => code !== CODE.none);
    if (isDue || node.context.clock.nowMs() >= endsAtMs)
      done({ body: encodeFetched(wanted, found, version) });
    else node.after(LOOK_MS, look);
  };
  look();
}

function fetched({ topic, partition, offset, maxBytes }: Wanted, node: BrokerNode): Found {
  const failed = (code: number) => ({ code, highWatermark: -1, startOffset: -1, records: Buffer.alloc(0) });
  if (node.context.denied('read', topic)) return failed(CODE.topicAuthorizationFailed);
  const replica = node.leaderOf(topic, partition);
  if (typeof replica === 'number') return failed(replica);
  const { log } = replica;
  const { highWatermark, startOffset } = log;
  if (offset < startOffset || offset > log.end) return failed(CODE.offsetOutOfRange);
  return { code: CODE.none, highWatermark, startOffset, records: log.read(offset, maxBytes) };
}

function encodeFetched(wanted: readonly Wanted[], found: readonly Found[], version: number): Buffer {
  const answer = new Writer().int32(0);
  if (version >= FETCH.session) answer.int16(CODE.none).int32(0);
  const parts = wanted.map((one, i) => ({ ...one, ...(found[i] as Found) }));
  const topics = [...new Set(parts.map(({ topic }) => topic))];
  return answer.array(topics, (write, topic) => {
    const ours = parts.filter((one) => one.topic === topic);
    write.string(topic).array(ours, (_, { partition, code, highWatermark, startOffset, records }) => {
      write.int32(partition).int16(code).int64(highWatermark).int64(highWatermark);
      if (version >= FETCH.logStart) write.int64(startOffset);
      // No aborted transactions.
      write.int32(-1);
      if (version >= FETCH.rack) write.int32(-1);
      write.bytes(records);
    });
  }).buffer;
}

export function answerListOffsets(
  request: Request,
  { node }: ApiContext,
  done: (reply: Reply) => void,
): void {
  const { version } = request;
  const read = new Reader(request.body);
  read.int32();
  if (version >= 2) read.int8();
  const topics = read.array(() => {
    const topic = read.string();
    const partitions = read.array(() => ({ partition: read.int32(), timeMs: read.int64() }));
    return { topic, partitions };
  });
  const answer = new Writer();
  if (version >= 2) answer.int32(0);
  answer.array(topics, (write, { topic, partitions }) =>
    write.string(topic).array(partitions, (_, { partition, timeMs }) => {
      const { code, timestampMs, offset } = offsetOf({ topic, partition, timeMs }, node);
      write.int32(partition).int16(code).int64(timestampMs).int64(offset);
    }),
  );
  done({ body: answer.buffer });
}

function offsetOf(
  { topic, partition, timeMs }: { topic: string; partition: number; timeMs: number },
  node: BrokerNode,
) {
  const none = { timestampMs: -1, offset: -1 };
  if (node.context.denied('describe', topic)) return { code: CODE.topicAuthorizationFailed, ...none };
  const replica = node.leaderOf(topic, partition);
  if (typeof replica === 'number') return { code: replica, ...none };
  const { log } = replica;
  if (timeMs === END) return { code: CODE.none, timestampMs: -1, offset: log.highWatermark };
  if (timeMs === FIRST) return { code: CODE.none, timestampMs: -1, offset: log.startOffset };
  const found = log.records().find(({ timestampMs }) => timestampMs >= timeMs);
  return { code: CODE.none, ...(found ?? none) };
}
