// The interface through which a partition reaches its delivery: shared state, sending, and reports of what happened.
import type { Logger } from 'pino';
import type { TopicSpool } from '../../spool/topic-spool.ts';
import type { Batch } from '../batches/batch.ts';
import type { Codec } from '../batches/compression.ts';
import type { RefusedRecord } from '../batches/split-batch.ts';
import type { DiskRouteOptions } from './disk-route.ts';
import type { Failed, Rejected } from './outcome.ts';
import type { ProducerIdentity } from './producer-sequence.ts';
import type { SendingPartition } from './sender.ts';

export interface PartitionOptions {
  readonly topic: string;
  /** How many times a batch is tried before its partition goes to the disk (KAFKA_MAX_ATTEMPTS). */
  readonly maxAttempts: number;
  readonly codec: Codec;
  readonly disk: DiskRouteOptions;
  readonly log: Logger;
}

export interface PartitionHost {
  /** Undefined before the spool is open, and without a spool. */
  readonly spool: TopicSpool | undefined;
  /** The process's producer. Undefined before Kafka gave one, and without idempotence. */
  readonly identity: ProducerIdentity | undefined;
  /** The cluster that the identity belongs to. Undefined before Kafka was reached. */
  readonly cluster: bigint | undefined;
  /** The leaders are known, and so is the producer identity if one is needed. */
  readonly canSend: boolean;
  /** Leaders are known and the gateway does not stop: batches may go to Kafka from memory. */
  readonly isReachable: boolean;
  initProducerId(): Promise<ProducerIdentity>;
  /** Compresses the batch, once. */
  seal(batch: Batch): Promise<void>;
  /** The partition may have something to send. */
  ready(partition: SendingPartition): void;
  /** The partition can take the next batch. */
  idle(partition: number): void;
  /** Kafka has a batch from memory, which leaves memory. */
  confirmed(batch: Batch): void;
  /** Records on the disk are settled: Kafka has the stored ones, and the refused ones are durable as dead letters. */
  passed(counts: { readonly stored: number; readonly refused: number }): void;
  /** The disk has the batches, which leave memory. The partition tells their devices. */
  spooled(batches: readonly Batch[]): void;
  /** Resolves once the refused record is durable as a dead letter. */
  refuse(record: RefusedRecord, reason: string, partition: number): Promise<void>;
  /** @param attempts failures of the partition's oldest batch in a row */
  failed(partition: number, failure: Failed | Rejected, attempts: number): void;
  /** Kafka takes a record of a held partition again: somebody has changed the topic. */
  released(): void;
  warn(partition: number, fields: object, message: string): void;
  /** Why the partition's log cannot be read or written, or null. */
  trouble(partition: number, direction: 'read' | 'write', reason: string | null): void;
}
