// The state of idempotent producers on a replica (KIP-98, KIP-360): the epoch of each and its last five batches. It follows
// ProducerStateManager and ProducerAppendInfo of Kafka 4.1.
import { CODE } from './error-codes.ts';
import type { StoredBatch } from './stored-batch.ts';

const REMEMBERED = 5;
const SEQUENCES = 2 ** 31;

interface Remembered {
  readonly first: number;
  readonly last: number;
  readonly baseOffset: number;
  readonly lastMs: number;
}

interface ProducerState {
  epoch: number;
  batches: Remembered[];
}

/** The part of a batch that its producer stamped. */
export interface Stamp {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  /** Number of sequences that it takes. */
  readonly span: number;
}

export type Sequenced =
  | { readonly kind: 'next' }
  /** The batch is here already, from this offset on, and the time of its last record is this. */
  | { readonly kind: 'duplicate'; readonly baseOffset: number; readonly lastMs: number }
  | { readonly kind: 'refused'; readonly code: number };

export class ProducerStates {
  readonly #byId = new Map<bigint, ProducerState>();
  readonly #takesUnknown: boolean;

  /** @param takesUnknown true as since Kafka 2.5: any sequence begins a producer; else only 0 does (error 59) */
  constructor(takesUnknown: boolean) {
    this.#takesUnknown = takesUnknown;
  }

  check({ producerId, producerEpoch, firstSequence, span }: Stamp): Sequenced {
    if (producerId < 0n) return { kind: 'next' };
    const state = this.#byId.get(producerId);
    if (state === undefined) {
      if (this.#takesUnknown || firstSequence === 0) return { kind: 'next' };
      return { kind: 'refused', code: CODE.unknownProducerId };
    }
    const last = lastSequence(firstSequence, span);
    if (producerEpoch === state.epoch) {
      const copy = state.batches.find((one) => one.first === firstSequence && one.last === last);
      if (copy !== undefined) return { ...copy, kind: 'duplicate' };
    }
    if (producerEpoch < state.epoch) return { kind: 'refused', code: CODE.invalidProducerEpoch };
    const before = producerEpoch === state.epoch ? (state.batches.at(-1)?.last ?? -1) : -1;
    if (firstSequence === (before + 1) % SEQUENCES) return { kind: 'next' };
    return { kind: 'refused', code: CODE.outOfOrderSequence };
  }

  add(stored: StoredBatch): void {
    const { producerId, producerEpoch, firstSequence, baseOffset, lastOffset, lastMs } = stored;
    if (producerId < 0n) return;
    const state = this.#byId.get(producerId);
    const last = lastSequence(firstSequence, lastOffset - baseOffset + 1);
    const batch = { first: firstSequence, last, baseOffset, lastMs };
    if (state === undefined || state.epoch !== producerEpoch)
      this.#byId.set(producerId, { epoch: producerEpoch, batches: [batch] });
    else state.batches = [...state.batches, batch].slice(-REMEMBERED);
  }

  /** As after producer.id.expiration.ms. */
  forget(): void {
    this.#byId.clear();
  }
}

const lastSequence = (first: number, span: number) => (first + span - 1) % SEQUENCES;
