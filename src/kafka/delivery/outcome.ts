// The outcome of sending one batch, from a broker's answer or from its absence.
import { kafkaError } from '../wire/errors.ts';
import type { PartitionAnswer } from '../wire/produce-request.ts';

export type Outcome =
  /** The batch is in the log, or acks is 0 and it was written to the socket. */
  | { readonly kind: 'stored' }
  | Failed
  /** The broker does not accept the producer's sequence: a new producer id is needed. */
  | { readonly kind: 'lost-sequence'; readonly reason: string }
  | Rejected;

/** The batch is not in the log, or nobody knows. The same bytes are sent again. */
export interface Failed {
  readonly kind: 'failed';
  readonly reason: string;
  /** What an operator can do, if the reason does not go away by itself. */
  readonly remedy?: string | undefined;
  /** No answer came within the time limit. */
  readonly isOverdue?: boolean;
  /** The broker does not lead the partition, or cannot be reached. */
  readonly isLeaderStale?: boolean;
}

/** The broker refuses the batch as it is, perhaps because of a single record. */
export interface Rejected {
  readonly kind: 'rejected';
  readonly reason: string;
  readonly remedy?: string | undefined;
  /** The broker closed connections instead of saying so. It may have the batch after all. */
  readonly isUnanswered?: boolean;
}

const STORED: Outcome = { kind: 'stored' };

/** @param answer undefined with acks 0 */
export function outcomeOf(answer: PartitionAnswer | undefined): Outcome {
  const { name: reason, outcome, remedy } = kafkaError(answer?.errorCode ?? 0);
  switch (outcome) {
    case 'stored':
      return STORED;
    case 'leader':
      return { kind: 'failed', reason, isLeaderStale: true };
    case 'sequence':
      return { kind: 'lost-sequence', reason };
    case 'record':
    case 'too-large':
      return { kind: 'rejected', reason, remedy };
    case 'retry':
    case 'topic':
      return { kind: 'failed', reason, remedy };
  }
}
