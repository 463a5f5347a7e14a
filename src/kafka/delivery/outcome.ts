// The outcomes of sending one batch, and the outcome that each error code of a broker means.
import { kafkaError, refusesCodec } from '../wire/errors.ts';
import type { PartitionAnswer } from '../wire/produce-request.ts';

export type Outcome =
  /** The topic has the batch, or acks is 0 and the batch was written to the socket. */
  | { readonly kind: 'stored' }
  | Failed
  /** The broker does not accept the producer's sequence. The partition needs a new producer id. */
  | { readonly kind: 'lost-sequence'; readonly reason: string }
  | Rejected;

/** The batch is not in the topic, or nobody knows whether it is. The same bytes are sent again. */
export interface Failed {
  readonly kind: 'failed';
  readonly reason: string;
  /** Advice for the operator, if the failure does not pass by itself. */
  readonly remedy?: string | undefined;
  /** No answer came within the time limit. */
  readonly isOverdue?: boolean;
  /** The broker may not lead the partition any more. */
  readonly isLeaderStale?: boolean;
  /** The broker does not take the codec of the batch, so other bytes with the same records may help. */
  readonly isCodecRefused?: boolean;
}

/** The broker refuses the batch, perhaps because of a single record. */
export interface Rejected {
  readonly kind: 'rejected';
  readonly reason: string;
  readonly remedy?: string | undefined;
  /** The broker closed connections instead of answering. It may have the batch after all. */
  readonly isUnanswered?: boolean;
}

const STORED: Outcome = { kind: 'stored' };

/** @param answer undefined if acks is 0 */
export function outcomeOf(answer: PartitionAnswer | undefined): Outcome {
  const code = answer?.errorCode ?? 0;
  if (code === 0) return STORED;
  const { name: reason, outcome, remedy } = kafkaError(code);
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
      return { kind: 'failed', reason, remedy, ...(refusesCodec(code) && { isCodecRefused: true }) };
  }
}
