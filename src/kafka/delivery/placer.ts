// Sorts the records of a source into new batches, one for each partition: a chunk at a time from the disk, or a single
// batch in memory. A record goes to the partition that its batch was gathered for, if it was for one, and else by its key.
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
  isKeyless,
  keyOf,
  NO_PRODUCER,
  RecordBatchWriter,
  stamp,
} from '../batches/record-batch.ts';
import { unpack } from '../batches/split-batch.ts';

export interface PlacingOptions {
  /** How many partitions the topic has. */
  readonly partitions: number;
  /** Of the new batches. */
  readonly limits: BatchLimits;
  readonly codec: Codec;
}

/** New batches of a chunk: with KAFKA_BATCH_SIZE=1 each record has one, with a buffer of its own. */
const MAX_BATCHES = 2000;
/** Records are sorted for so long, milliseconds, before the event loop goes on with other things. */
const SLICE_MS = 5;

/**
 * The next chunk of the source, from its first record that is not acknowledged on. Undefined if the source has nothing
 * more.
 * @param bytes uncompressed; the batch that reaches them is still part of the chunk, so there is always one
 * @throws the system's error if the disk does not give it back
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
    // Devices and Kafka get their turns in between.
    await turn();
    turnMs = performance.now();
  }
  if (to === source.acknowledged) return undefined;
  return { source, to, partitions: options.partitions, batches: await sorted.sealed() };
}

/** The batch's records in batches of their own partitions, whose confirmations are the batch's. Its bytes are sealed. */
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
  }
  // A connection's records have one key, so one part confirms them all.
  for (const [session, seq] of batch.confirmations)
    partFor(partitionOf(session.frame.key, partitions)).confirm(session, seq);
  const all = [...parts.values()];
  await Promise.all(all.map((part) => part.seal(codec)));
  void Promise.all(all.map((part) => part.settled())).then(() => batch.release());
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

  /** @param passed so many of its records are elsewhere already */
  async add({ bytes }: SpooledBatch, passed: number): Promise<void> {
    const gathered = gatheredFor(bytes);
    for (const { timestampMs, body } of (await unpack(bytes)).slice(passed))
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
      // The connection stays in the partition that it had before the topic shrank: so do the records that it sent before.
      if (isSame || partitionOf(keyOf(body), gathered.partitions) !== gathered.partition)
        return gathered.partition;
    }
    // Records without a key have no order, so they are spread.
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
    const sealed = writer.seal(this.#options.codec).then(({ bytes }) => {
      stamp(bytes, NO_PRODUCER);
      return bytes;
    });
    this.#sealed.set(partition, [...(this.#sealed.get(partition) ?? []), sealed]);
  }
}
