// The partition of a connection, or of a record with a key of its own. It stays the same as long as the topic has it, so that
// the records of a key stay in order while partitions are added.
import type { IdentifiedSession } from '../../queue/job.ts';
import { partitionOf } from './partitioner.ts';

/** The partition number of batches that are gathered while the number of partitions is not known. */
export const UNPLACED = -1;

export class Placement {
  /** How many counts a connection that is placed has followed. */
  generation = 0;
  /** The number of partition 0 in sessions. */
  readonly #first: number;
  #partitions: number | undefined;
  /** The partition counts that moved connections to other partitions, oldest first. */
  readonly #counts: number[] = [];

  constructor(firstPartition: number) {
    this.#first = firstPartition;
  }

  /** Undefined until Kafka or the spool has told it. Until then records go to UNPLACED. */
  get partitions(): number | undefined {
    return this.#partitions;
  }

  /** True if the number is the first or a smaller one: connections may have another partition now. */
  setPartitions(count: number): boolean {
    const isFewer = count < (this.#partitions ?? Number.POSITIVE_INFINITY);
    this.#partitions = count;
    if (isFewer) this.generation = this.#counts.push(count);
    return isFewer;
  }

  /** Follows each change in turn, as the connection's records on disk do. A partition that was left may exist again. */
  place(session: IdentifiedSession): void {
    const { key } = session.frame;
    const isNew = session.generation < 0;
    const counts = isNew ? [this.#partitions ?? 0] : this.#counts.slice(session.generation);
    const partition = isNew ? UNPLACED : session.partition - this.#first;
    session.partition = this.#first + afterAll(counts, key, partition);
    session.generation = this.generation;
  }

  /**
   * For a record with a key of its own: as if a connection had sent all records of the key since the start. Its session's
   * partition is that of its last record.
   */
  placeRecord(session: IdentifiedSession, key: Buffer): void {
    session.partition = this.#first + afterAll(this.#counts, key, UNPLACED);
  }
}

/** The partition of the key after these counts, one after the other. @param partition before them */
function afterAll(counts: readonly number[], key: Buffer, partition: number): number {
  let current = partition;
  for (const count of counts) {
    const isGone = current < 0 || current >= count;
    if (isGone && count > 0) current = partitionOf(key, count);
  }
  return current;
}
