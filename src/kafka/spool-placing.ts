// Places a spool's records anew for another number of partitions, in order, a batch in memory at a time.
import { join } from 'node:path';
import type { SpoolLayout } from '../spool/layout.ts';
import { SpoolLog } from '../spool/spool-log.ts';
import type { BatchLimits } from './batch-merger.ts';
import type { Codec } from './compression.ts';
import { partitionOf } from './partitioner.ts';
import { HEADER_BYTES, keyOf, NO_PRODUCER, RecordBatchWriter, stamp } from './record-batch.ts';
import { unpack } from './split-batch.ts';

export interface PlacingOptions {
  readonly partitions: number;
  readonly limits: BatchLimits;
  readonly codec: Codec;
}

/** @param sources the sealed batches of each old partition, in order; a key's records lie in one of them */
export async function placeAnew(
  layout: SpoolLayout,
  sources: readonly AsyncIterable<Buffer>[],
  options: PlacingOptions,
): Promise<void> {
  await layout.beginPlacing();
  const target = new PlacingTarget(layout, options);
  try {
    for (const source of sources) {
      for await (const batch of source) {
        for (const { timestampMs, body } of await unpack(batch)) await target.add(timestampMs, body);
      }
    }
    await target.flush();
  } finally {
    // Also if the disk fails: it is tried again and again.
    await target.close();
  }
  await layout.markPlaced();
}

class PlacingTarget {
  readonly #layout: SpoolLayout;
  readonly #options: PlacingOptions;
  readonly #writers = new Map<number, RecordBatchWriter>();
  readonly #logs = new Map<number, SpoolLog>();

  constructor(layout: SpoolLayout, options: PlacingOptions) {
    this.#layout = layout;
    this.#options = options;
  }

  async add(timestampMs: number, body: Uint8Array): Promise<void> {
    const partition = partitionOf(keyOf(body), this.#options.partitions);
    const writer = this.#writers.get(partition);
    if (writer === undefined || writer.bytes + body.length + HEADER_BYTES > this.#options.limits.bytes) {
      await this.#flush(partition);
    }
    const open = this.#writers.get(partition) ?? new RecordBatchWriter(HEADER_BYTES);
    this.#writers.set(partition, open);
    open.appendRaw(timestampMs, body);
    if (open.count >= this.#options.limits.records) await this.#flush(partition);
  }

  async flush(): Promise<void> {
    for (const partition of [...this.#writers.keys()]) await this.#flush(partition);
  }

  async close(): Promise<void> {
    for (const log of this.#logs.values()) await log.close();
  }

  async #flush(partition: number): Promise<void> {
    const writer = this.#writers.get(partition);
    if (writer === undefined) return;
    this.#writers.delete(partition);
    const { bytes: sealed } = await writer.seal(this.#options.codec);
    stamp(sealed, NO_PRODUCER);
    await (await this.#log(partition)).append([sealed]);
  }

  async #log(partition: number): Promise<SpoolLog> {
    const known = this.#logs.get(partition);
    if (known !== undefined) return known;
    const { log } = await SpoolLog.open({
      // The spool's own name: dead letters are spooled under a name that is not their topic's.
      directory: join(this.#layout.placingDirectory, `${this.#layout.topic}-${partition}`),
      segmentBytes: 2 ** 24,
      sync: 'batch',
      // The old set is still there: the cap counts again once it is gone.
      reserve: () => true,
      claim: () => undefined,
      release: () => undefined,
    });
    this.#logs.set(partition, log);
    return log;
  }
}
