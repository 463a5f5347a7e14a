// Sorts records into new batches of their partitions: a chunk from the disk, or one batch in memory. A record's key
// decides its partition, unless its connection had stayed in another one. It writes nothing to the disk.
import { setImmediate as turn } from 'node:timers/promises';
import type { Chunk } from '../../spool/chunk-copy.ts';
import type { SpooledBatch } from '../../spool/segment-reader.ts';
import type { SpoolLog } from '../../spool/spool-log.ts';
import { Batch } from '../batches/batch.ts';
import type { BatchLimits } from '../batches/batch-merger.ts';
import type { Codec } from '../batches/compression.ts';
import { partitionOf } from '../batches/partitioner.ts';
import {
  type GatheredFor,
  gatheredFor,
  HEADER_BYTES,
  NO_PRODUCER,
  RecordBatchWriter,
  stamp,
} from '../batches/record-batch.ts';
import { isKeyless, keyOf } from '../batches/record-body.ts';
import { unpack } from '../batches/split-batch.ts';

export interface PlacingOptions {
  /** How many partitions the topic has. */
  readonly partitions: number;
  /** Limits of the new batches. */
  readonly limits: BatchLimits;
  readonly codec: Codec;
}

/** New batches of a chunk. With KAFKA_BATCH_SIZE=1 each record has a batch, and each batch a buffer. */
const MAX_BATCHES = 2000;
/** After sorting this long, in milliseconds, the event loop gets a turn. */
const SLICE_MS = 5;

/**
 * The next chunk of the source, beginning with its first record that is not acknowledged. Undefined if there is none.
 * @param bytes uncompressed. The batch that reaches this size is still part of the chunk, so a chunk is never empty
 * @throws the system's error if the disk cannot be read
 */
export async function nextChunk(
  source: SpoolLog,
  bytes: number,
  options: PlacingOptions,
): Promise<Chunk | undefined> {
  if (source.readOffset !== source.acknowledged) await source.rewind();
  const sorted = new SortedRecords(options);
  let to = source.acknowledged;
  let turnMs = performance.now();
  while (to === source.acknowledged || (sorted.bytes < bytes && sorted.batches < MAX_BATCHES)) {
    const batch = await source.next();
    if (batch === undefined) break;
    await sorted.add(batch, Math.max(0, source.acknowledged - batch.offset));
    to = batch.offset + batch.count;
    if (performance.now() - turnMs < SLICE_MS) continue;
    // Let devices and Kafka have their turn.
    await turn();
    turnMs = performance.now();
  }
  if (to === source.acknowledged) return undefined;
  return { source, to, partitions: options.partitions, batches: await sorted.sealed() };
}

/** Splits a sealed batch into batches of the records' own partitions, which take over its confirmations. */
export async function splitByPartition(
  batch: Batch,
  { partitions, codec }: PlacingOptions,
): Promise<Batch[]> {
  const parts = new Map<number, Batch>();
  const partFor = (partition: number) => {
    const found = parts.get(partition);
    if (found !== undefined) return found;
    const room = { initialBytes: HEADER_BYTES, records: batch.count, bytes: Number.POSITIVE_INFINITY };
    const part = new Batch(partition, batch.openedAtMs, room);
    parts.set(partition, part);
    return part;
  };
  for (const { timestampMs, body } of batch.bytes === undefined ? [] : await unpack(batch.bytes)) {
    const part = partFor(partitionOf(keyOf(body), partitions));
    part.heldBytes += part.writer.appendRaw(timestampMs, body);
    part.received.add(timestampMs);
  }
  // All records of a connection have one key, so one part confirms all of them.
  for (const [session, seq] of batch.confirmations) {
    const part = partFor(partitionOf(session.frame.key, partitions));
    part.confirm(session, seq);
    // Nobody knows which line is of which session, so they all count with one of the parts.
    part.awaited.takeFrom(batch.awaited);
  }
  const all = [...parts.values()];
  await Promise.all(all.map((part) => part.seal(codec)));
  void batch.follow(all);
  return all;
}

class SortedRecords {
  /** Uncompressed. */
  bytes = 0;
  batches = 0;
  readonly #options: PlacingOptions;
  readonly #writers = new Map<number, RecordBatchWriter>();
  readonly #sealed = new Map<number, Promise<Buffer>[]>();
  #keyless = 0;

  constructor(options: PlacingOptions) {
    this.#options = options;
  }

  /** @param skip records at the front of the batch that are acknowledged already */
  async add({ bytes }: SpooledBatch, skip: number): Promise<void> {
    const gathered = gatheredFor(bytes);
    for (const { timestampMs, body } of (await unpack(bytes)).slice(skip))
      this.#add(this.#partitionOf(body, gathered), timestampMs, body);
  }

  async sealed(): Promise<Map<number, Buffer[]>> {
    for (const partition of [...this.#writers.keys()]) this.#seal(partition);
    const all = new Map<number, Buffer[]>();
    for (const [partition, batches] of this.#sealed) all.set(partition, await Promise.all(batches));
    return all;
  }

  #partitionOf(body: Uint8Array, gathered: GatheredFor | undefined): number {
    const { partitions } = this.#options;
    if (gathered !== undefined && gathered.partition < partitions) {
      const isSame = gathered.partitions === partitions;
      // A connection stays in its partition when the topic shrinks, so its earlier records must stay there too.
      if (isSame || partitionOf(keyOf(body), gathered.partitions) !== gathered.partition)
        return gathered.partition;
    }
    // Records without a key have no order, so they are spread over the partitions.
    return isKeyless(body) ? this.#keyless++ % partitions : partitionOf(keyOf(body), partitions);
  }

  #add(partition: number, timestampMs: number, body: Uint8Array): void {
    const { limits } = this.#options;
    const { bytes } = this.#writers.get(partition) ?? { bytes: 0 };
    if (bytes + body.length + HEADER_BYTES > limits.bytes) this.#seal(partition);
    const writer = this.#writers.get(partition) ?? new RecordBatchWriter(HEADER_BYTES);
    this.#writers.set(partition, writer);
    this.bytes += writer.appendRaw(timestampMs, body);
    if (writer.count >= limits.records) this.#seal(partition);
  }

  #seal(partition: number): void {
    const writer = this.#writers.get(partition);
    if (writer === undefined) return;
    this.#writers.delete(partition);
    this.batches++;
    const sealed = Promise.resolve(writer.seal(this.#options.codec)).then(({ bytes }) => {
      stamp(bytes, NO_PRODUCER);
      return bytes;
    });
    this.#sealed.set(partition, [...(this.#sealed.get(partition) ?? []), sealed]);
  }
}
