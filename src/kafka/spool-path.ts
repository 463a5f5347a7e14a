// The longer way of a partition's batches: from memory onto the disk, and from the disk back to the head of its
// queue, each with the producer's identity that makes a second sending recognisable.
import { PartitionSpool } from '../spool/partition-spool.ts';
import type { SpooledBatch } from '../spool/segment-reader.ts';
import type { Spool } from '../spool/spool.ts';
import type { SpoolLog } from '../spool/spool-log.ts';
import { pause } from './backoff.ts';
import type { Batch } from './batch.ts';
import { type BatchLimits, BatchMerger } from './batch-merger.ts';
import type { Codec } from './compression.ts';
import { ReadyBatch } from './outgoing.ts';
import type { PartitionQueue, ProducerIdentity } from './partition-queue.ts';
import type { PartitionQueues } from './partition-queues.ts';
import { NO_PRODUCER, nextSequence, readStamp, stamp } from './record-batch.ts';

export interface SpoolPathEvents {
  /** These batches, out of the queue's memory, are durable on disk. */
  durable(queue: PartitionQueue, batches: readonly Batch[]): void;
  /** The queue has a batch from the disk to send. */
  loaded(queue: PartitionQueue): void;
  /** The disk has nothing more for this queue: it goes on from memory. */
  caughtUp(queue: PartitionQueue): void;
}

const RETRY_MS = 500;

export class SpoolPath {
  readonly spool: Spool;
  /** What a batch may hold; until it is known each goes to Kafka as it came to the disk. */
  limits: BatchLimits | undefined;

  readonly #codec: Codec;
  readonly #seal: (batch: Batch) => Promise<void>;
  readonly #identity: () => ProducerIdentity | undefined;
  readonly #isReachable: () => boolean;
  readonly #idempotent: boolean;
  readonly #events: SpoolPathEvents;
  readonly #abort = new AbortController();
  // By partition and direction: a disk that is full can still be read.
  readonly #troubles = new Map<string, string>();

  constructor(deps: {
    spool: Spool;
    codec: Codec;
    seal: (batch: Batch) => Promise<void>;
    /** The process's producer, undefined until Kafka gave one. */
    identity: () => ProducerIdentity | undefined;
    /** Kafka answers, as far as is known. */
    isReachable: () => boolean;
    idempotent: boolean;
    events: SpoolPathEvents;
  }) {
    this.spool = deps.spool;
    this.#codec = deps.codec;
    this.#seal = deps.seal;
    this.#identity = deps.identity;
    this.#isReachable = deps.isReachable;
    this.#idempotent = deps.idempotent;
    this.#events = deps.events;
  }

  /** Why the disk does not take batches or give them back, or null. */
  get trouble(): string | null {
    return this.#troubles.values().next().value ?? null;
  }

  /** Moves what the queue has in memory to the disk, in order, and goes on until its memory is empty. */
  async feed(queue: PartitionQueue): Promise<void> {
    if (queue.feeding) return;
    queue.feeding = true;
    try {
      const spool = await this.#open(queue);
      if (spool === undefined) return;
      for (;;) {
        const batch = queue.batches[0];
        if (batch === undefined) break;
        await this.#seal(batch);
        queue.batches.shift();
        this.#markForDisk(batch);
        spool.add(batch);
      }
    } finally {
      queue.feeding = false;
    }
    await this.load(queue);
  }

  /** Reads the queue's next batch back, once there is a producer to send it as. */
  async load(queue: PartitionQueue): Promise<void> {
    if (!queue.spooling || queue.loading || queue.drained !== undefined || queue.spool === undefined) return;
    if (this.#idempotent && this.#identity() === undefined) return;
    queue.loading = true;
    const { log } = queue.spool;
    let again = false;
    try {
      const first = await log.next();
      if (first !== undefined) {
        queue.drained = await this.#prepare(queue, await this.#gather(first, log));
        // Under steady load something new would be on disk after each round trip, for ever.
        queue.returning = this.#isReachable() && this.#isCaughtUp(queue);
        this.#events.loaded(queue);
      } else if (this.#isCaughtUp(queue)) {
        // Before the sequence is used from memory: a remembered assignment would hand it out a second time.
        if (log.assignment !== undefined) await log.assign(undefined);
        // Batches that became durable meanwhile found this under way.
        again = !this.#isCaughtUp(queue);
        if (!again) {
          queue.spooling = false;
          queue.returning = false;
          this.#events.caughtUp(queue);
        }
      } else if (queue.spool.failing && log.caughtUp && this.#isReachable()) {
        await this.#goRound(queue, queue.spool);
      }
      this.#troubles.delete(`read ${queue.partition}`);
    } catch (error) {
      this.#troubles.set(`read ${queue.partition}`, `the spool cannot be read: ${(error as Error).message}`);
      // A batch that was read and could not be prepared must not be passed over.
      await log.rewind().catch(() => undefined);
      setTimeout(() => void this.load(queue), RETRY_MS).unref();
    } finally {
      queue.loading = false;
    }
    if (again) await this.load(queue);
  }

  /** The drained head is in Kafka, or accounted for otherwise. */
  async finished(queue: PartitionQueue, batch: ReadyBatch): Promise<void> {
    const log = queue.spool?.log;
    if (log === undefined || batch.offset === undefined) return;
    try {
      await log.acknowledge(batch.offset + batch.count);
    } catch (error) {
      // The cursor lags, so the batch may be sent again after a restart; the broker will recognise it.
      this.#troubles.set(
        `read ${queue.partition}`,
        `the spool's cursor cannot be written: ${(error as Error).message}`,
      );
    }
  }

  /** From this offset on the queue's own position counts: its sequence was renewed. */
  async reassign(queue: PartitionQueue, fromOffset: number): Promise<void> {
    const { position } = queue;
    if (position === undefined) return;
    try {
      await queue.spool?.log.assign({ fromOffset, ...position.identity, firstSequence: position.sequence });
    } catch (error) {
      // Batches then go out under the old assignment, which the broker refuses, and the id is renewed again.
      this.#troubles.set(
        `read ${queue.partition}`,
        `the spool's cursor cannot be written: ${(error as Error).message}`,
      );
    }
  }

  /** Takes up what an earlier process left. */
  async resumeAll(queues: PartitionQueues): Promise<void> {
    for (const { partition } of this.spool.pending) {
      const queue = queues.get(partition);
      queue.spooling = true;
      await this.#open(queue);
    }
  }

  /** True where what is on disk was placed for partitions the topic does not have, or was only guessed at. */
  isMisplaced(partitions: number): boolean {
    const { current } = this.spool.layout;
    if (this.spool.records === 0) return false;
    const guessedWrong = current?.known === false && current.partitions !== partitions;
    return guessedWrong || this.spool.pending.some(({ partition }) => partition >= partitions);
  }

  /** The batches a queue still has to send, oldest first: those on disk, then these, on their way there. */
  async *remaining(queue: PartitionQueue, waiting: readonly Batch[]): AsyncGenerator<Buffer> {
    const log = queue.spool?.log;
    await log?.rewind();
    for (let batch = await log?.next(); batch !== undefined; batch = await log?.next()) yield batch.bytes;
    for (const batch of waiting) {
      await this.#seal(batch);
      if (batch.bytes !== undefined) yield batch.bytes;
    }
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.spool.close();
  }

  async #open(queue: PartitionQueue): Promise<PartitionSpool<Batch> | undefined> {
    const { signal } = this.#abort;
    while (queue.spool === undefined && !signal.aborted) {
      try {
        const log = await this.spool.log(queue.partition);
        queue.spool ??= new PartitionSpool<Batch>(
          log,
          {
            durable: (batches) => this.#events.durable(queue, batches),
            trouble: (reason) => {
              if (reason === null) this.#troubles.delete(`write ${queue.partition}`);
              else this.#troubles.set(`write ${queue.partition}`, reason);
              void this.load(queue);
            },
          },
          signal,
        );
      } catch (error) {
        this.#troubles.set(
          `read ${queue.partition}`,
          `the spool cannot be opened: ${(error as Error).message}`,
        );
        await pause(RETRY_MS, signal);
      }
    }
    return queue.spool;
  }

  // The disk has nothing and takes nothing, and Kafka is there: what waits for the disk goes to Kafka from memory.
  async #goRound(queue: PartitionQueue, spool: PartitionSpool<Batch>): Promise<void> {
    if (spool.log.assignment !== undefined) await spool.log.assign(undefined);
    if (queue.feeding || !spool.log.caughtUp) return;
    const taken = spool.takeBack();
    if (taken.length === 0) return;
    for (const batch of taken) if (batch.attempts === 0) batch.producer = undefined;
    queue.batches.unshift(...taken);
    queue.spooling = false;
    this.#events.loaded(queue);
  }

  // A batch that was sent keeps its stamp, since Kafka may have it; all others get theirs when they are sent.
  #markForDisk(batch: Batch): void {
    if (batch.bytes === undefined || batch.attempts > 0) return;
    batch.producer = NO_PRODUCER;
    stamp(batch.bytes, NO_PRODUCER);
  }

  #isCaughtUp(queue: PartitionQueue): boolean {
    const { spool } = queue;
    const isMemoryNext = queue.returning || queue.batches.length === 0;
    return spool?.log.caughtUp === true && spool.waiting === 0 && isMemoryNext && !queue.feeding;
  }

  /** The batch and those that follow it, as far as they make one for Kafka. */
  async #gather(first: SpooledBatch, log: SpoolLog): Promise<SpooledBatch> {
    if (this.limits === undefined || first.stamped) return first;
    // What was cut for a sending that may have reached Kafka is cut the same way again.
    const planned = (log.sendingEnd ?? 0) > first.offset ? log.sendingEnd : undefined;
    const merger = new BatchMerger(first, this.limits);
    while (merger.end !== planned) {
      const next = await log.peekAdjoining(merger.end);
      if (next === undefined || next.stamped || next.offset + next.count > (planned ?? Infinity)) break;
      if (!(await merger.add(next, { force: planned !== undefined }))) break;
      await log.next();
    }
    return merger.merged(this.#codec);
  }

  async #prepare(queue: PartitionQueue, batch: SpooledBatch): Promise<ReadyBatch> {
    const ready = new ReadyBatch(batch.bytes, batch.count, performance.now(), batch.offset);
    const log = queue.spool?.log;
    const identity = this.#identity();
    if (log === undefined || identity === undefined) {
      ready.producer = readStamp(batch.bytes);
      return ready;
    }
    if (batch.stamped && log.assignment?.fromOffset !== batch.offset) {
      ready.producer = readStamp(batch.bytes);
      if (log.assignment !== undefined) await log.assign(undefined);
      return ready;
    }
    if (log.assignment === undefined) {
      const { producerId, producerEpoch, baseSequence } = queue.takeStamp(identity, 0);
      await log.assign({ fromOffset: batch.offset, producerId, producerEpoch, firstSequence: baseSequence });
    }
    const end = batch.offset + batch.count;
    if (log.sendingEnd !== end) await log.plan(end);
    const { assignment } = log;
    if (assignment === undefined) return ready;
    const { fromOffset, producerId, producerEpoch, firstSequence } = assignment;
    const baseSequence = nextSequence(firstSequence, batch.offset - fromOffset);
    ready.producer = { producerId, producerEpoch, baseSequence };
    stamp(batch.bytes, ready.producer);
    // The assignment is this process's own: memory goes on where the disk ends.
    if (queue.position?.identity.producerId === producerId) {
      queue.restart({ producerId, producerEpoch }, nextSequence(baseSequence, batch.count));
    }
    return ready;
  }
}
