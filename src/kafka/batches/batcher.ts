// Gathers records into one open batch per partition, and closes a batch when it reaches its limit of records, bytes or
// time. How long it waits for more records is decided in time/batch-wait.ts, and all open batches leave together, in one
// request. The time limit does not count while the partition is busy. While an earlier batch is in flight, a batch may
// outgrow the other limits as well: it could not be sent yet, and a far Kafka takes one batch per partition and round
// trip (docs/decisions/0012). It never sends a batch.
import { USUAL_FRAME_BYTES } from '../../protocol/record-frame.ts';
import { Congestion } from '../../queue/congestion.ts';
import type { IdentifiedSession } from '../../queue/job.ts';
import { isCheap, isWorthWaiting, shortWaitMs } from '../../time/batch-wait.ts';
import type { BatchTicket, Reading, RecordSink } from '../../workers/record-sink.ts';
import { Batch } from './batch.ts';
import type { BufferBudget } from './buffer-budget.ts';
import { Placement, UNPLACED } from './placement.ts';
import { HEADER_BYTES, recordBound } from './record-batch.ts';

export interface BatcherOptions {
  /** Records of a batch (KAFKA_BATCH_SIZE). */
  readonly maxRecords: number;
  /** Bytes of a batch before compression (KAFKA_BATCH_BYTES). A larger record gets a batch of its own. */
  readonly maxBytes: number;
  /** The longest time that a batch waits for more records, milliseconds (KAFKA_BATCH_TIMEOUT). */
  readonly lingerMs: number;
  /** The topic's max.message.bytes. Kafka applies it to a whole batch, and so to each record. */
  readonly maxMessageBytes: number;
  /**
   * The number of partition 0 in sessions and congestion, so that partitions of several topics have different numbers
   * there. Left out, 0.
   */
  readonly firstPartition?: number | undefined;
}

/** Where closed batches go. Delivery implements it. */
export interface BatchSink {
  /** True while the partition has an earlier batch to send. */
  isBusy(partition: number): boolean;
  /**
   * Growth factor for a batch while an earlier one is in flight. It rises with the round-trip time. At 1 or less the
   * batch may not grow.
   */
  growth(partition: number): number;
  /** Uncompressed bytes per compressed byte, of the recent batch that compressed worst. */
  readonly compressionRatio: number;
  deliver(batch: Batch): void;
}

const FIRST_BUFFER_BYTES = 16 * 1024;
const NEXT_BUFFER_FACTOR = 1.125;
/** A batch grows by this part of its usual size before the growth factor is looked up again. */
const GROWTH_STEP = 0.1;
/** Upper bound of the growth factor. */
const MAX_GROWTH = 16;
/** Upper bound of a grown batch before compression: compressing it blocks the event loop. */
const MAX_GROWN_BYTES = 4 * 2 ** 20;
/** Margin below max.message.bytes: these records may compress worse than recent ones. */
const SAFE_SHARE = 0.85;

export class Batcher implements RecordSink {
  /** Records accepted since the start. */
  accepted = 0;
  /** Of these, records whose key is the connection's id, since they cannot have the key that the settings ask for. */
  withoutKey = 0;
  /** The partitions for which nobody should append a record now. If somebody does, it is taken all the same. */
  readonly congestion: Congestion;

  readonly #options: BatcherOptions;
  readonly #budget: BufferBudget;
  readonly #sink: BatchSink;
  readonly #firstPartition: number;
  readonly #placement: Placement;
  #maxMessageBytes: number;
  // By partition, from UNPLACED on. Not a Map: batches come and go so often that its old tables would fill V8's old
  // generation (docs/decisions/0081).
  readonly #open: (Batch | undefined)[] = [];
  readonly #lastBytes = new Map<number, number>();
  #openRecords = 0;
  // Lines are being read. Batches that are due by time are closed when the read window ends.
  #inReadWindow = false;
  #isBehind = false;
  #lastReceivedMs = 0;
  /** Devices wait for `stored` of open records. */
  #isAwaited = false;
  #wantsAnswer = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    options: BatcherOptions,
    deps: { budget: BufferBudget; sink: BatchSink; congestion?: Congestion | undefined },
  ) {
    this.#options = options;
    this.#budget = deps.budget;
    this.#sink = deps.sink;
    this.congestion = deps.congestion ?? new Congestion();
    this.#firstPartition = options.firstPartition ?? 0;
    this.#placement = new Placement(this.#firstPartition);
    this.#maxMessageBytes = options.maxMessageBytes;
  }

  /** Limits of a batch that is merged from smaller ones on disk. They may grow as in memory: each takes a round trip. */
  get mergeLimits(): { bytes: number; records: number } {
    const bytes = Math.min(this.#maxBytes * MAX_GROWTH, this.#maxGrownBytes);
    return { bytes, records: this.#options.maxRecords * MAX_GROWTH };
  }

  get maxReadingBytes(): number {
    return Math.max(0, this.#maxMessageBytes - USUAL_FRAME_BYTES);
  }

  get maxMessageBytes(): number {
    return this.#maxMessageBytes;
  }

  set maxMessageBytes(bytes: number) {
    this.#maxMessageBytes = bytes;
    for (const batch of this.#open)
      if (batch !== undefined) batch.allowedBytes = Math.min(batch.allowedBytes, this.#maxBytes);
  }

  // max.message.bytes limits the batch, so a larger KAFKA_BATCH_BYTES is clamped to it.
  get #maxBytes(): number {
    return Math.min(this.#options.maxBytes, this.#maxMessageBytes);
  }

  /** Upper bound of a grown batch: compressed it must still fit into max.message.bytes. */
  get #maxGrownBytes(): number {
    const taken = this.#maxMessageBytes * SAFE_SHARE * this.#sink.compressionRatio;
    return Math.max(this.#maxBytes, Math.min(MAX_GROWN_BYTES, taken));
  }

  /** Undefined until Kafka or the spool has told it. Until then records go to UNPLACED. */
  get partitions(): number | undefined {
    return this.#placement.partitions;
  }

  get openRecords(): number {
    return this.#openRecords;
  }

  get oldestOpenMs(): number | undefined {
    let oldestMs: number | undefined;
    for (const batch of this.#open)
      if (batch !== undefined) oldestMs = Math.min(batch.openedAtMs, oldestMs ?? batch.openedAtMs);
    return oldestMs;
  }

  hasRoom(): boolean {
    return this.#budget.hasRoom();
  }

  room(): Promise<boolean> {
    return this.#budget.room();
  }

  append(session: IdentifiedSession, reading: Reading): BatchTicket {
    const { key } = reading;
    if (key !== undefined) this.#placement.placeRecord(session, key);
    else if (session.generation !== this.#placement.generation) this.#placement.place(session);
    const bound = recordBound(session.frame, reading.end - reading.start, key);
    const batch = this.#openFor(session.partition - this.#firstPartition, bound);
    this.#added(batch, batch.writer.append(session.frame, reading));
    this.accepted++;
    if (session.frame.lacksKey && (key === undefined || key === session.frame.key)) this.withoutKey++;
    batch.received.add(reading.receivedAtMs);
    this.#lastReceivedMs = reading.receivedAtMs;
    if (reading.confirms && reading.seq >= 0) {
      this.#isAwaited = true;
      batch.confirm(session, reading.seq);
      batch.awaited.add(reading.receivedAtMs);
    }
    if (this.#isFull(batch)) {
      if (this.#sink.isBusy(batch.partition)) this.#isBehind = true;
      this.#close(batch);
    }
    return batch;
  }

  /** Until endReadWindow no batch is closed because of its time: more records for it are about to be read. */
  beginReadWindow(): void {
    this.#inReadWindow = true;
  }

  /**
   * Closes the open batches if one of them would be due within `withinMs` milliseconds. Batches of busy partitions stay
   * open.
   * @returns false if a batch became full while an earlier one of its partition had to be sent
   */
  endReadWindow(withinMs: number): boolean {
    this.#inReadWindow = false;
    this.#closeDue(withinMs);
    const keepsUp = !this.#isBehind;
    this.#isBehind = false;
    return keepsUp;
  }

  /** True once after batches were closed for whose `stored` devices wait, or few were due in a partition that was busy. */
  takeWantsAnswer(): boolean {
    const was = this.#wantsAnswer;
    this.#wantsAnswer = false;
    return was;
  }

  /**
   * Appends an encoded record to a partition of the caller's choice. If the topic no longer has that partition, another
   * takes its place, since a batch for a missing partition would never be sent.
   */
  appendRaw(wanted: number, timestampMs: number, body: Uint8Array): BatchTicket {
    const { partitions } = this;
    const partition = partitions === undefined ? UNPLACED : wanted % partitions;
    const batch = this.#openFor(partition, body.length + HEADER_BYTES);
    this.#added(batch, batch.writer.appendRaw(timestampMs, body));
    this.accepted++;
    batch.received.add(timestampMs);
    if (this.#isFull(batch)) this.#close(batch);
    return batch;
  }

  /** The partition gets more records than Kafka takes, or no longer. */
  congested(partition: number, isCongested: boolean): void {
    this.congestion.set(this.#firstPartition + partition, isCongested);
  }

  /** The partition has nothing left to send, so its open batch is closed if it is due. */
  partitionIdle(partition: number): void {
    const batch = this.#open[partition - UNPLACED];
    if (batch === undefined || this.#inReadWindow) return;
    const left = this.#leftMs(batch, this.#age(batch));
    if (left <= 0) this.#close(batch);
    else this.#wakeIn(left);
  }

  /** Closes every open batch now. */
  flush(): void {
    for (const batch of this.#open) if (batch !== undefined) this.#close(batch);
  }

  /**
   * Sets the topic's number of partitions. A connection keeps its partition as long as the topic has it, so that its
   * records stay in order. If the number is the first or a smaller one, all open batches are delivered now.
   */
  setPartitions(count: number): void {
    if (this.#placement.setPartitions(count)) this.flush();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #openFor(partition: number, recordBytes: number): Batch {
    const current = this.#open[partition - UNPLACED];
    if (current !== undefined) {
      const bytes = current.writer.bytes + recordBytes;
      if (bytes <= current.allowedBytes || this.#grow(current, bytes)) return current;
      this.#close(current);
    }
    // Batches of a partition resemble each other, so the next one begins with a bit more memory than the last one used.
    const initialBytes = NEXT_BUFFER_FACTOR * (this.#lastBytes.get(partition) ?? FIRST_BUFFER_BYTES);
    const room = { initialBytes, records: this.#options.maxRecords, bytes: this.#maxBytes };
    const batch = new Batch(partition, performance.now(), room);
    this.#open[partition - UNPLACED] = batch;
    this.#wakeIn(shortWaitMs(this.#options.lingerMs));
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

  /** Raises the batch's limits by one step. False if it may not have `bytes` bytes or one more record. */
  #grow(batch: Batch, bytes: number): boolean {
    const { maxRecords } = this.#options;
    const growth = Math.min(MAX_GROWTH, this.#sink.growth(batch.partition));
    const recordLimit = maxRecords * growth;
    const byteLimit = Math.min(this.#maxBytes * growth, this.#maxGrownBytes);
    if (batch.count >= recordLimit || bytes > byteLimit) return false;
    batch.allowedRecords = Math.min(recordLimit, batch.count + GROWTH_STEP * maxRecords);
    batch.allowedBytes = Math.min(byteLimit, bytes + GROWTH_STEP * this.#maxBytes);
    return true;
  }

  #close(batch: Batch): void {
    this.#lastBytes.set(batch.partition, batch.writer.bytes);
    this.#open[batch.partition - UNPLACED] = undefined;
    this.#openRecords -= batch.count;
    if (this.#isAwaited) this.#wantsAnswer = true;
    if (this.#openRecords === 0) this.#isAwaited = false;
    this.#sink.deliver(batch);
  }

  #wakeIn(ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (!this.#inReadWindow) this.#closeDue(0);
    }, ms);
  }

  /**
   * Closes all open batches if the time of one of them is up in `withinMs`: one request instead of one for each. Else
   * sets the timer. A busy partition's batch is closed by partitionIdle, or when it is full.
   */
  #closeDue(withinMs: number): void {
    let leftMs = Number.POSITIVE_INFINITY;
    for (const batch of this.#open) {
      if (batch === undefined) continue;
      const batchLeftMs = this.#leftMs(batch, this.#age(batch) + withinMs);
      if (!this.#sink.isBusy(batch.partition)) leftMs = Math.min(leftMs, batchLeftMs);
      // With many records Kafka sets the pace, and looking for each answer would cost more than it brings.
      else if (batchLeftMs <= 0 && !isCheap(this.#openRecords)) this.#wantsAnswer = true;
    }
    if (leftMs <= 0) {
      for (const batch of this.#open)
        if (batch !== undefined && !this.#sink.isBusy(batch.partition)) this.#close(batch);
    } else if (leftMs !== Number.POSITIVE_INFINITY) this.#wakeIn(Math.max(1, leftMs + withinMs));
  }

  /** How long a batch of this age waits on. 0 or less if it is due. */
  #leftMs(batch: Batch, ageMs: number): number {
    if (this.#isDue(batch)) return 0;
    const { lingerMs } = this.#options;
    const shortMs = shortWaitMs(lingerMs);
    if (ageMs < shortMs) return shortMs - ageMs;
    const gathered = {
      records: this.#openRecords,
      silentMs: Date.now() - this.#lastReceivedMs,
      isAwaited: this.#isAwaited,
    };
    return isWorthWaiting(gathered, lingerMs) ? lingerMs - ageMs : 0;
  }

  #age(batch: Batch): number {
    return performance.now() - batch.openedAtMs;
  }
}
