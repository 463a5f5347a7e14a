// One open batch a partition. A batch is closed at the first of records, bytes and time. While its partition is busy
// the time does not count, and while an earlier batch is on its way it may outgrow records and bytes: it could not be
// sent anyway, and what a far Kafka takes a round trip is a batch a partition (docs/decisions/0012).
import type { Session } from '../../queue/job.ts';
import type { BatchTicket, Reading, RecordSink } from '../../workers/record-sink.ts';
import { Batch } from './batch.ts';
import type { BufferBudget } from './buffer-budget.ts';
import { partitionOf } from './partitioner.ts';
import { HEADER_BYTES, recordBound } from './record-batch.ts';

export interface BatcherOptions {
  /** Records a batch has at most (KAFKA_BATCH_SIZE). */
  readonly maxRecords: number;
  /** Bytes of a batch at most, before compression (KAFKA_BATCH_BYTES); one larger record makes its own batch. */
  readonly maxBytes: number;
  /** How long a batch waits for more records, milliseconds (KAFKA_BATCH_TIMEOUT). */
  readonly lingerMs: number;
  /** Bytes the topic takes at most (max.message.bytes), which counts for a record and for a whole batch. */
  readonly maxMessageBytes: number;
}

/** The partition of batches that are gathered while the topic's partitions are not known. */
export const UNPLACED = -1;

/** Takes closed batches over. */
export interface BatchSink {
  /** True while the partition has an earlier batch to send. */
  isBusy(partition: number): boolean;
  /**
   * How many times its usual size a batch may have because it has to wait for an earlier one: the more, the farther
   * Kafka is. 1 or less: not at all.
   */
  growth(partition: number): number;
  /** How many bytes of records become one compressed byte, at the least. */
  readonly compressionRatio: number;
  deliver(batch: Batch): void;
}

const FIRST_BUFFER_BYTES = 16 * 1024;
const MORE_THAN_LAST = 1.125;
/** How far a batch grows before it is asked again whether it may, in units of its usual size. */
const GROWTH_STEP = 0.1;
/** Beyond that many times its usual size a batch never grows. */
const MAX_GROWTH = 16;
/** And the most uncompressed bytes, which are to be compressed in one go. */
const MAX_GROWN_BYTES = 4 * 2 ** 20;
/** Of what the topic takes at once: other records may compress less well than those before. */
const SAFE_SHARE = 0.85;
/** A record's bytes around its reading, generously: key, head with a 128-character city, ids. */
const MAX_FRAME_BYTES = 1536;

export class Batcher implements RecordSink {
  /** Records accepted since the start. */
  accepted = 0;

  readonly #options: BatcherOptions;
  readonly #budget: BufferBudget;
  readonly #sink: BatchSink;
  #partitions: number | undefined;
  #maxMessageBytes: number;
  // The numbers of partitions that made connections change their partition, in order. A connection has a generation:
  // how many of them it has followed.
  readonly #placings: number[] = [];
  readonly #open = new Map<number, Batch>();
  readonly #lastBytes = new Map<number, number>();
  #openRecords = 0;
  // Lines are being read in rounds: batches leave at a round's end.
  #inReadWindow = false;
  #isBehind = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BatcherOptions, deps: { budget: BufferBudget; sink: BatchSink }) {
    this.#options = options;
    this.#budget = deps.budget;
    this.#sink = deps.sink;
    this.#maxMessageBytes = options.maxMessageBytes;
  }

  /** What a batch may hold at most. */
  get batchLimits(): { bytes: number; records: number } {
    return { bytes: this.#maxBytes, records: this.#options.maxRecords };
  }

  get maxReadingBytes(): number {
    return this.#maxMessageBytes - MAX_FRAME_BYTES;
  }

  set maxMessageBytes(bytes: number) {
    this.#maxMessageBytes = bytes;
    for (const batch of this.#open.values())
      batch.allowedBytes = Math.min(batch.allowedBytes, this.#maxBytes);
  }

  // A batch is one message to the broker: the topic's limit on it is a limit on the batch.
  get #maxBytes(): number {
    return Math.min(this.#options.maxBytes, this.#maxMessageBytes);
  }

  /** What any batch may hold: compressed it still has to be one message. */
  get #maxGrownBytes(): number {
    const taken = this.#maxMessageBytes * SAFE_SHARE * this.#sink.compressionRatio;
    return Math.max(this.#maxBytes, Math.min(MAX_GROWN_BYTES, taken));
  }

  /** Undefined until it is known; records have no partition before. */
  get partitions(): number | undefined {
    return this.#partitions;
  }

  get openRecords(): number {
    return this.#openRecords;
  }

  get oldestOpenMs(): number | undefined {
    const first = this.#open.values().next();
    return first.done ? undefined : first.value.openedAtMs;
  }

  hasRoom(): boolean {
    return this.#budget.hasRoom();
  }

  room(): Promise<boolean> {
    return this.#budget.room();
  }

  append(session: Session, reading: Reading): BatchTicket {
    if (session.generation !== this.#placings.length) this.#place(session);
    const bound = recordBound(session.frame, reading.end - reading.start);
    const batch = this.#openFor(session.partition, bound);
    this.#added(batch, batch.writer.append(session.frame, reading));
    this.accepted++;
    if (reading.confirms && reading.seq >= 0) batch.confirm(session, reading.seq);
    if (this.#isFull(batch)) {
      if (this.#sink.isBusy(batch.partition)) this.#isBehind = true;
      this.#close(batch);
    }
    return batch;
  }

  /** From now until endReadWindow no batch is closed for its time: more of what it could hold is about to be read. */
  beginReadWindow(): void {
    this.#inReadWindow = true;
  }

  /**
   * Closes the batches whose time is up within `withinMs` milliseconds; of busy partitions they stay.
   * @returns false if a full batch has to wait for an earlier one
   */
  endReadWindow(withinMs: number): boolean {
    this.#inReadWindow = false;
    this.#closeDue(this.#options.lingerMs - withinMs);
    const keepsUp = !this.#isBehind;
    this.#isBehind = false;
    return keepsUp;
  }

  /**
   * Appends a record that is encoded already, to a partition of the caller's choice. If the topic no longer has that one,
   * another takes its place: nothing would be sent from it.
   */
  appendRaw(wanted: number, timestampMs: number, body: Uint8Array): BatchTicket {
    const partition = this.#partitions === undefined ? UNPLACED : wanted % this.#partitions;
    const batch = this.#openFor(partition, body.length + HEADER_BYTES);
    this.#added(batch, batch.writer.appendRaw(timestampMs, body));
    this.accepted++;
    if (this.#isFull(batch)) this.#close(batch);
    return batch;
  }

  /** The partition has nothing left to send: an open batch that is due follows at once. */
  partitionIdle(partition: number): void {
    const batch = this.#open.get(partition);
    if (batch === undefined || this.#inReadWindow) return;
    const left = this.#options.lingerMs - this.#age(batch);
    if (left <= 0 || this.#isDue(batch)) this.#close(batch);
    else this.#timer ??= setTimeout(() => this.#onLinger(), left);
  }

  /** Closes every open batch now. */
  flush(): void {
    for (const batch of [...this.#open.values()]) this.#close(batch);
  }

  /**
   * Tells how many partitions the topic has. A connection stays in its partition as long as the topic has that one, so
   * that its order holds. Batches that were gathered before partitions were known, or for more of them, are delivered now.
   */
  setPartitions(count: number): void {
    const isFewer = count < (this.#partitions ?? Number.POSITIVE_INFINITY);
    this.#partitions = count;
    if (!isFewer) return;
    this.#placings.push(count);
    this.flush();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** One step after the other, as its records on disk are placed: a partition that it left may exist again. */
  #place(session: Session): void {
    const { key } = session.frame;
    const isNew = session.generation < 0;
    const steps = isNew ? [this.#partitions ?? 0] : this.#placings.slice(session.generation);
    if (isNew) session.partition = UNPLACED;
    for (const count of steps) {
      const isGone = session.partition < 0 || session.partition >= count;
      if (isGone && count > 0) session.partition = partitionOf(key, count);
    }
    session.generation = this.#placings.length;
  }

  #openFor(partition: number, recordBytes: number): Batch {
    const current = this.#open.get(partition);
    if (current !== undefined) {
      const bytes = current.writer.bytes + recordBytes;
      if (bytes <= current.allowedBytes || this.#grow(current, bytes)) return current;
      this.#close(current);
    }
    // Batches of a partition resemble each other: the next one begins with about what the last one needed.
    const initialBytes = MORE_THAN_LAST * (this.#lastBytes.get(partition) ?? FIRST_BUFFER_BYTES);
    const room = { initialBytes, records: this.#options.maxRecords, bytes: this.#maxBytes };
    const batch = new Batch(partition, performance.now(), room);
    this.#open.set(partition, batch);
    this.#timer ??= setTimeout(() => this.#onLinger(), this.#options.lingerMs);
    return batch;
  }

  #added(batch: Batch, bytes: number): void {
    batch.heldBytes += bytes;
    this.#budget.take(bytes);
    this.#openRecords++;
  }

  #isDue(batch: Batch): boolean {
    return batch.count >= this.#options.maxRecords || batch.writer.bytes >= this.#maxBytes;
  }

  #isFull(batch: Batch): boolean {
    const { bytes } = batch.writer;
    if (batch.count < batch.allowedRecords && bytes < batch.allowedBytes) return false;
    return !this.#grow(batch, bytes + 1);
  }

  /** Allows the batch some more than its usual size. False if it may not have so many bytes, or no more records. */
  #grow(batch: Batch, bytes: number): boolean {
    const { maxRecords } = this.#options;
    const growth = Math.min(MAX_GROWTH, this.#sink.growth(batch.partition));
    const mostRecords = maxRecords * growth;
    const mostBytes = Math.min(this.#maxBytes * growth, this.#maxGrownBytes);
    if (batch.count >= mostRecords || bytes > mostBytes) return false;
    batch.allowedRecords = Math.min(mostRecords, batch.count + GROWTH_STEP * maxRecords);
    batch.allowedBytes = Math.min(mostBytes, bytes + GROWTH_STEP * this.#maxBytes);
    return true;
  }

  #close(batch: Batch): void {
    this.#lastBytes.set(batch.partition, batch.writer.bytes);
    this.#open.delete(batch.partition);
    this.#openRecords -= batch.count;
    this.#sink.deliver(batch);
  }

  // Batches past half their time go with the one whose time is up: one request instead of one a partition.
  #onLinger(): void {
    this.#timer = undefined;
    if (!this.#inReadWindow) this.#closeDue(this.#options.lingerMs / 2);
  }

  /** Closes batches that are at least so old, and has the others looked at when the first of them is due. */
  #closeDue(ageMs: number): void {
    let next = Number.POSITIVE_INFINITY;
    for (const batch of [...this.#open.values()]) {
      // A busy partition's batch is closed by partitionIdle or by its size.
      if (this.#sink.isBusy(batch.partition)) continue;
      const age = this.#age(batch);
      if (age >= ageMs || this.#isDue(batch)) this.#close(batch);
      else next = Math.min(next, this.#options.lingerMs - age);
    }
    if (next !== Number.POSITIVE_INFINITY)
      this.#timer ??= setTimeout(() => this.#onLinger(), Math.max(1, next));
  }

  #age(batch: Batch): number {
    return performance.now() - batch.openedAtMs;
  }
}
