// The log of one partition on one broker: its batches in order, its producers, and which part readers may have.
import { ProducerStates } from './producer-states.ts';
import type { StoredBatch, StoredRecord } from './stored-batch.ts';
import { thinned } from './stored-batch.ts';

export class ReplicaLog {
  batches: StoredBatch[] = [];
  /** The first offset that is still here. */
  startOffset = 0;
  /** The offset after the last record that all replicas in sync have. */
  highWatermark = 0;
  /** Records that readers could have, until compaction or retention removed them. */
  removed: readonly StoredRecord[] = [];
  #end = 0;
  #producers: ProducerStates;
  readonly #takesUnknown: boolean;

  constructor(takesUnknown: boolean) {
    this.#takesUnknown = takesUnknown;
    this.#producers = new ProducerStates(takesUnknown);
  }

  /** The offset of the next record. */
  get end(): number {
    return this.#end;
  }

  /** The number of the next batch. */
  get nextNumber(): number {
    return (this.batches.at(-1)?.number ?? -1) + 1;
  }

  get producers(): ProducerStates {
    return this.#producers;
  }

  append(batch: StoredBatch): void {
    this.batches.push(batch);
    this.#end = batch.lastOffset + 1;
    this.#producers.add(batch);
  }

  /** Becomes the same as the leader's log. Batches that the leader lacks are dropped. @returns true if it changed */
  copyFrom(leader: ReplicaLog): boolean {
    const before = this.#end;
    let shared = Math.min(this.batches.length, leader.batches.length);
    while (shared > 0 && !isSame(this.batches[shared - 1], leader.batches[shared - 1])) shared--;
    if (shared < this.batches.length || leader.startOffset !== this.startOffset) {
      this.batches = leader.batches.slice(0, shared);
      this.startOffset = leader.startOffset;
      this.#end = Math.max(this.startOffset, (this.batches.at(-1)?.lastOffset ?? -1) + 1);
      this.#producers = new ProducerStates(this.#takesUnknown);
      for (const batch of this.batches) this.#producers.add(batch);
    }
    for (const batch of leader.batches.slice(shared)) this.append(batch);
    this.removed = leader.removed;
    this.#end = leader.end;
    this.highWatermark = Math.min(Math.max(this.highWatermark, leader.highWatermark), this.#end);
    return this.#end !== before;
  }

  forgetProducers(): void {
    this.#producers.forget();
  }

  /** Batches from the one that has this offset on, up to the high watermark, of at most so many bytes but at least one. */
  read(offset: number, maxBytes: number): Buffer {
    const found: Buffer[] = [];
    let bytes = 0;
    for (const batch of this.batches) {
      if (batch.lastOffset < offset) continue;
      if (batch.lastOffset >= this.highWatermark) break;
      if (found.length > 0 && bytes + batch.bytes.length > maxBytes) break;
      found.push(batch.bytes);
      bytes += batch.bytes.length;
    }
    return Buffer.concat(found);
  }

  /** Records below the high watermark. */
  records(): StoredRecord[] {
    return this.batches
      .filter(({ lastOffset }) => lastOffset < this.highWatermark)
      .flatMap(({ records }) => records)
      .filter(({ offset }) => offset >= this.startOffset);
  }

  /** All records that readers ever could have, those that are gone included, by offset. */
  history(): StoredRecord[] {
    return [...this.removed, ...this.records()].sort((a, b) => a.offset - b.offset);
  }

  /** As retention or DeleteRecords: records below the offset go, and batches that have no others. */
  deleteBefore(offset: number): void {
    const before = this.records();
    this.startOffset = Math.min(Math.max(offset, this.startOffset), this.highWatermark);
    this.removed = [...this.removed, ...before.filter((record) => record.offset < this.startOffset)];
    this.batches = this.batches.filter(({ lastOffset }) => lastOffset >= this.startOffset);
  }

  /** Keeps the last record of each key below the high watermark. The last batch stays as it is. */
  compact(): void {
    const before = this.records();
    const last = new Map(before.map(({ key, offset }) => [nameOf(key), offset]));
    const keeps = ({ key, offset }: StoredRecord) => key === null || last.get(nameOf(key)) === offset;
    const mayThin = ({ lastOffset }: StoredBatch, i: number) =>
      i < this.batches.length - 1 && lastOffset < this.highWatermark;
    this.batches = this.batches
      .map((batch, i) => (mayThin(batch, i) ? thinned(batch, keeps) : batch))
      .filter(({ records }) => records.length > 0);
    const kept = new Set(this.records().map(({ offset }) => offset));
    this.removed = [...this.removed, ...before.filter(({ offset }) => !kept.has(offset))];
  }
}

const nameOf = (key: Buffer | null) => key?.toString('latin1') ?? null;

/** A batch is the same object on each replica, until one of them compacts it. */
function isSame(a: StoredBatch | undefined, b: StoredBatch | undefined): boolean {
  return a !== undefined && b !== undefined && a.baseOffset === b.baseOffset && a.epoch === b.epoch;
}
