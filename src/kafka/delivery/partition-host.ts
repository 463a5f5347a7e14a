// The interfaces between a partition, the delivery that it belongs to, and its loop from the disk (disk-drain.ts).
import type { LimitedLines } from '../../log/limited-lines.ts';
import type { Log } from '../../log/log.ts';
import type { DiskTrouble } from '../../spool/partition-spool.ts';
import type { TopicSpool } from '../../spool/topic-spool.ts';
import type { WakeUp } from '../../time/wake-up.ts';
import type { Batch } from '../batches/batch.ts';
import type { DiskBatch } from '../batches/producer-batch.ts';
import type { ProducerIdentity } from '../batches/record-batch.ts';
import type { RefusedRecord } from '../batches/split-batch.ts';
import type { BatchAccounts } from './batch-accounts.ts';
import type { DiskRouteOptions } from './disk-route.ts';
import type { Failed, Outcome, Rejected } from './outcome.ts';
import type { ProducerSequence } from './producer-sequence.ts';
import type { SendingPartition } from './sender.ts';

export interface PartitionOptions {
  readonly topic: string;
  /** How many times a batch is tried before its partition goes to the disk (KAFKA_MAX_ATTEMPTS). */
  readonly maxAttempts: number;
  readonly disk: DiskRouteOptions;
  /** A record that Kafka refuses is given up even if Kafka takes no other one. */
  readonly givesUpAlone?: boolean | undefined;
  readonly log: Log;
  /** Of all partitions of the topic. */
  readonly lines: LimitedLines;
}

export interface PartitionHost
  extends Pick<BatchAccounts, 'seal' | 'spooled' | 'passed' | 'settle' | 'acknowledged'> {
  /** Undefined before the spool is open, and without a spool. */
  spool(): TopicSpool | undefined;
  /** The process's producer. Undefined before Kafka gave one, and without idempotence. */
  identity(): ProducerIdentity | undefined;
  /** The cluster that the identity belongs to. Undefined before Kafka was reached. */
  cluster(): bigint | undefined;
  /** The leaders are known, and so is the producer identity if one is needed. */
  canSend(): boolean;
  /** Leaders are known and the gateway does not stop: batches may go to Kafka from memory. */
  isReachable(): boolean;
  initProducerId(): Promise<ProducerIdentity>;
  /** The partition may have something to send. */
  ready(partition: SendingPartition): void;
  /** The partition can take the next batch. */
  idle(partition: number): void;
  /** The partition gets more batches than Kafka takes, or does not any more. */
  congested(partition: number, isCongested: boolean): void;
  /** Kafka has a batch from memory, which leaves memory. */
  confirmed(batch: Batch): void;
  /** Resolves once the refused record is durable as a dead letter. */
  refuse(record: RefusedRecord, reason: string, partition: number): Promise<void>;
  /** @param attempts failures of the partition's oldest batch in a row */
  failed(partition: number, failure: Failed | Rejected, attempts: number): void;
  /** Kafka takes a record of a held partition again: somebody has changed the topic. */
  released(): void;
  /** Why the partition's log cannot be read or written, or null. */
  trouble(partition: number, direction: 'read' | 'write', trouble: DiskTrouble | null): void;
}

/** The loop's view of its partition. */
export interface DrainingPartition {
  readonly number: number;
  readonly sequence: ProducerSequence;
  /** Raised when anything changes that the loop may be waiting for. */
  readonly changed: WakeUp;
  readonly isOnDisk: boolean;
  readonly isHeld: boolean;
  /** Nothing is sent from the partition or read from its log any more. */
  readonly hasEnded: boolean;
  /** Batches in memory are on their way to the disk. */
  readonly isSpilling: boolean;
  /** Batches in memory follow the disk's last one, or memory has none. */
  readonly isMemoryNext: boolean;
  /** Nothing is sent before this time, in monotonic milliseconds. */
  readonly notBeforeMs: number;
  /** Sends a batch with nothing else in flight. 'interrupted': the batch must not be sent any more. */
  sendAlone(batch: DiskBatch): Promise<Outcome | 'interrupted'>;
  /** Takes a new producer id. Rejects if Kafka does not give one. */
  renew(): Promise<ProducerIdentity>;
  /** Does what renew() does, and warns that Kafka lost track of the sequence. */
  renewLost(reason: string): Promise<ProducerIdentity>;
  /** The batches are synced to the disk. @param end the spool's offset after the last of them */
  durable(batches: readonly Batch[], end: number): void;
  /** Every record below the offset `end` is in Kafka or durable as a dead letter. */
  passed(end: number, counts: { readonly stored: number; readonly refused: number }): void;
  /** The disk's last batch is about to be sent: new batches wait in memory behind it. */
  catchUp(): void;
  /** The last batch cannot be sent yet: the batches in memory are written to the disk. */
  stopCatchingUp(): void;
  /** Kafka refuses a record of the batch that was sent last. */
  rejected(records: number, rejected: Rejected): void;
  /** The partition goes on from memory. @param taken batches that could not be written to the disk */
  leaveDisk(taken: readonly Batch[]): void;
  /** Kafka refuses every record: try only now and then. */
  hold(rejected: Rejected): void;
  /** Kafka has taken a record again, so the partition is no longer held. */
  release(): void;
  failed(failure: Failed): void;
}
