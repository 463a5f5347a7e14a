// One partition's batch from its first record to its confirmation, and what has to happen then.
import type { Session } from '../queue/job.ts';
import type { BatchTicket } from '../workers/record-sink.ts';
import { type ProducerStamp, RecordBatchWriter } from './record-batch.ts';

export class Batch implements BatchTicket {
  readonly partition: number;
  /** Monotonic milliseconds of its first record. */
  readonly openedAtMs: number;
  readonly writer: RecordBatchWriter;
  /** For each connection that asked, the highest seq whose message ends in this batch. */
  readonly confirmations = new Map<Session, number>();
  /** What it takes of the budget now. */
  heldBytes = 0;
  /** Set by seal(). */
  bytes: Buffer | undefined;
  /** Set before it is first sent, and kept for every retry. */
  producer: ProducerStamp | undefined;
  attempts = 0;

  #settled = false;
  #waiters: (() => void)[] = [];

  constructor(partition: number, openedAtMs: number, initialBytes: number) {
    this.partition = partition;
    this.openedAtMs = openedAtMs;
    this.writer = new RecordBatchWriter(initialBytes);
  }

  get count(): number {
    return this.writer.count;
  }

  settled(): Promise<void> {
    return this.#settled ? Promise.resolve() : new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Its records are durable: tells the connections that asked, and whoever waits. */
  settle(): void {
    for (const [session, seq] of this.confirmations) session.stored(seq);
    this.release();
  }

  /** Lets waiters go without telling the connections anything. */
  release(): void {
    this.#settled = true;
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}
