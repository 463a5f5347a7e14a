// What a partition needs of the delivery that it belongs to.
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
  /** Tries of a batch before its partition goes to the disk (KAFKA_MAX_ATTEMPTS). */
  readonly maxAttempts: number;
  readonly codec: Codec;
  readonly disk: DiskRouteOptions;
  readonly log: Logger;
}

/** The delivery that a partition belongs to. */
export interface PartitionHost {
  /** Undefined until the spool is there, and without one. */
  readonly spool: TopicSpool | undefined;
  /** The process's producer; undefined until Kafka gave one, and without idempotence. */
  readonly identity: ProducerIdentity | undefined;
  /** The cluster that the identity belongs to; undefined until Kafka was reached. */
  readonly cluster: bigint | undefined;
  /** The leaders are known, and so is the producer identity if one is needed. */
  readonly canSend: boolean;
  /** Kafka answers, as far as is known, and batches may go to it from memory. */
  readonly isReachable: boolean;
  initProducerId(): Promise<ProducerIdentity>;
  /** Compresses the batch, once. */
  seal(batch: Batch): Promise<void>;
  /** The partition may have something to send. */
  ready(partition: SendingPartition): void;
  /** The partition has nothing to send from memory now. */
  idle(partition: number): void;
  /** Kafka has the batch, which leaves memory. */
  confirmed(batch: Batch): void;
  /** Kafka has these records from the disk, and the others are durable as dead letters. */
  passed(counts: { readonly stored: number; readonly refused: number }): void;
  /** The batches are on disk and leave memory. Their devices are told by the partition. */
  spooled(batches: readonly Batch[]): void;
  /** Resolves once the refused record is durable as a dead letter. */
  refuse(record: RefusedRecord, reason: string, partition: number): Promise<void>;
  /** @param attempts failures of the partition's oldest batch in a row */
  failed(partition: number, failure: Failed | Rejected, attempts: number): void;
  /** Kafka takes records again of a partition that was held: somebody has changed the topic. */
  released(): void;
  warn(partition: number, fields: object, message: string): void;
  /** The disk's trouble with this partition in one direction, null if there is none. */
  trouble(partition: number, direction: 'read' | 'write', reason: string | null): void;
}
