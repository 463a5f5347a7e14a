// Reads the topic and hands batches to the store. A batch is committed to Kafka only after PostgreSQL has it, so a kill
// makes records come again and never lets one go. Memory is bounded: a partition is fetched again only when its last fetch
// is stored, so a slow database slows the reading down.
import { setTimeout as pause } from 'node:timers/promises';
import type kafkajs from 'kafkajs';
import { CodecError } from './codecs.ts';
import { log, reasonOf } from './log.ts';
import type { SourceRecord } from './record.ts';
import type { Settings } from './settings.ts';
import type { RecordBatch, Store } from './store.ts';

/** One transaction. Larger ones gain little, and a split for a bad record costs more. */
const MAX_BATCH_RECORDS = 1_000;
const MAX_BATCH_BYTES = 4 * 2 ** 20;
/** Partitions that are stored at the same time. */
export const CONCURRENCY = 3;
const SESSION_TIMEOUT_MS = 10_000;
const HEARTBEAT_MS = 3_000;
const RETRY_MS = { first: 500, longest: 10_000 } as const;

/** Kafka can be reached, but its records cannot be read here. A new try would end in the same way. */
export class UnreadableError extends Error {
  readonly code = 'UNREADABLE';
}

/** What the health port says of the reading. */
export interface Reading {
  problem: string | undefined;
}

export interface ReaderOptions {
  readonly kafka: kafkajs.Kafka;
  readonly settings: Settings;
  readonly store: Store;
  readonly state: Reading;
  readonly signal: AbortSignal;
}

/** Reads until the signal. @throws UnreadableError */
export async function readTopic(options: ReaderOptions): Promise<void> {
  const { settings, state, signal } = options;
  for (
    let waitMs: number = RETRY_MS.first;
    !signal.aborted;
    waitMs = Math.min(2 * waitMs, RETRY_MS.longest)
  ) {
    const begun = performance.now();
    const error = await readUntilItFails(options);
    if (error === undefined) return;
    if (isHopeless(error)) throw new UnreadableError(reasonOf(error), { cause: error });
    const reason = reasonOf(error);
    // Told once: the tries go on in silence until it works or fails in another way.
    if (reason !== state.problem)
      log.warn('Kafka cannot be read. It is tried again until it works.', { reason, topic: settings.topic });
    state.problem = reason;
    if (performance.now() - begun > 60_000) waitMs = RETRY_MS.first;
    await pause(waitMs, undefined, { signal }).catch(() => {});
  }
}

/** @returns why it ended, or undefined after the signal. It has left the group then */
async function readUntilItFails({
  kafka,
  settings,
  store,
  state,
  signal,
}: ReaderOptions): Promise<Error | undefined> {
  const consumer = kafka.consumer({
    groupId: settings.group,
    sessionTimeout: SESSION_TIMEOUT_MS,
    heartbeatInterval: HEARTBEAT_MS,
    allowAutoTopicCreation: false,
    // How long new partitions of the topic can go unseen. The default is 5 minutes.
    metadataMaxAge: 30_000,
    // Fetches of a quarter of a megabyte, or of what came in 250 ms, so that transactions are not for single records.
    minBytes: 256 * 1024,
    maxWaitTimeInMs: 250,
    maxBytesPerPartition: 1024 * 1024,
    maxBytes: 8 * 2 ** 20,
    retry: { retries: 3, restartOnFailure: async () => false },
  });
  let onStop = () => {};
  const ended = new Promise<Error | undefined>((resolve) => {
    consumer.on('consumer.crash', ({ payload }) => resolve(payload.error));
    onStop = () => resolve(undefined);
    signal.addEventListener('abort', onStop);
  });
  consumer.on('consumer.group_join', ({ payload }) => {
    state.problem = undefined;
    const partitions = payload.memberAssignment[settings.topic] ?? [];
    log.info('Kafka gave this consumer its partitions.', { partitions: partitions.join() });
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [settings.topic], fromBeginning: true });
    await consumer.run({
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: CONCURRENCY,
      eachBatch: async (payload) => {
        for (const batch of batchesOf(payload.batch)) {
          // Stale: the partition is another consumer's, or was set to another place.
          if (signal.aborted || !payload.isRunning() || payload.isStale()) return;
          await withHeartbeats(payload.heartbeat, signal, (stop) => store.store(batch, stop));
          const last = batch.at(-1);
          if (last !== undefined) payload.resolveOffset(last.offset);
          await payload.heartbeat();
        }
      },
    });
    return await ended;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    signal.removeEventListener('abort', onStop);
    await consumer.disconnect().catch(() => {});
  }
}

function* batchesOf({ topic, partition, messages }: kafkajs.Batch): Generator<RecordBatch> {
  let batch: SourceRecord[] = [];
  let bytes = 0;
  for (const { offset, timestamp, value } of messages) {
    batch.push({ topic, partition, offset, at: timestamp, value });
    bytes += value?.length ?? 0;
    if (batch.length < MAX_BATCH_RECORDS && bytes < MAX_BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

/**
 * Tells Kafka that we are alive while PostgreSQL works or is away: else Kafka would give the partitions to others, who
 * cannot store either. If Kafka takes the partitions away, the work is stopped at its next try.
 */
async function withHeartbeats(
  heartbeat: () => Promise<void>,
  signal: AbortSignal,
  work: (stop: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const onStop = () => stop.abort(signal.reason);
  signal.addEventListener('abort', onStop);
  if (signal.aborted) onStop();
  const timer = setInterval(() => {
    heartbeat().catch((error: unknown) => stop.abort(error));
  }, HEARTBEAT_MS);
  try {
    await work(stop.signal);
  } catch (error) {
    // kafkajs must see its own error, to join the group again. After a stop any error will do: the offset stays.
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', onStop);
  }
}

/** The codec of a batch is missing here. */
function isHopeless(error: Error): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof CodecError || cause.name === 'KafkaJSNotImplemented') return true;
  return false;
}
