// Finds the records that made Kafka refuse a batch, by halving the batch and sending the parts in order. A refused
// record is at fault only if Kafka takes other records of the partition: errors such as INVALID_TIMESTAMP can also mean
// that the clock, the topic or the broker is wrong for every record. So if the first `maxSuspects` records sent alone
// are all refused, the search stops and no record is given up.
import type { Codec } from '../batches/compression.ts';
import type { DiskBatch } from '../batches/producer-batch.ts';
import { onlyRecord, type RefusedRecord, splitBatch } from '../batches/split-batch.ts';
import type { Rejected } from './outcome.ts';

export interface SearchSteps {
  /** Sends a part until Kafka takes or refuses it. 'interrupted': the search must end now. */
  send(part: DiskBatch): Promise<'stored' | 'interrupted' | Rejected>;
  /** True once the record is durable elsewhere. False if the search must end now. */
  refuse(record: RefusedRecord, reason: string): Promise<boolean>;
  /** Every record below the spool's offset `end` is stored, or refused and durable elsewhere. */
  passed(end: number, counts: { readonly stored: number; readonly refused: number }): Promise<void>;
  /** The batch on disk behind those that the search has. Undefined if there is none. */
  following(): Promise<DiskBatch | undefined>;
}

export interface SearchLimits {
  /** The search stops if Kafka refuses this many single records before it takes one. */
  readonly maxSuspects: number;
  /** A record is at fault even if Kafka takes no other one. */
  readonly givesUpAlone: boolean;
}

export type SearchEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'interrupted' }
  /** Kafka refused every record so far, `suspects` of them sent alone. Records that did not pass are sent again. */
  | { readonly kind: 'held'; readonly rejected: Rejected; readonly suspects: number };

interface Suspect {
  readonly part: DiskBatch;
  readonly rejected: Rejected;
}

export class RejectionSearch {
  readonly #codec: Codec;
  readonly #steps: SearchSteps;
  readonly #maxSuspects: number;
  #parts: DiskBatch[] = [];
  #suspects: Suspect[] = [];
  #isAnyStored: boolean;

  constructor(codec: Codec, steps: SearchSteps, { maxSuspects, givesUpAlone }: SearchLimits) {
    this.#codec = codec;
    this.#steps = steps;
    this.#maxSuspects = maxSuspects;
    this.#isAnyStored = givesUpAlone;
  }

  /** Searches a batch that Kafka refused with `rejected`. */
  async begin(batch: DiskBatch, rejected: Rejected): Promise<SearchEnd> {
    this.#parts = [batch];
    return (await this.#rejected(batch, rejected)) ?? this.#run();
  }

  /** Tries the first batch of a held partition, beginning with its first records alone. */
  async probe(batch: DiskBatch): Promise<SearchEnd> {
    const singles = Array.from({ length: this.#maxSuspects }, (_, index) => index + 1);
    const ends = [...singles.filter((end) => end < batch.count), batch.count];
    this.#parts = await splitBatch(batch, ends, this.#codec);
    return this.#run();
  }

  async #run(): Promise<SearchEnd> {
    for (;;) {
      const part = this.#parts[0] ?? (await this.#more());
      if (part === undefined) return this.#end();
      const outcome = await this.#steps.send(part);
      if (outcome === 'interrupted') return { kind: 'interrupted' };
      const end = outcome === 'stored' ? await this.#stored(part) : await this.#rejected(part, outcome);
      if (end !== undefined) return end;
    }
  }

  // Suspects are at fault only if Kafka takes another record, so fetch one.
  async #more(): Promise<DiskBatch | undefined> {
    const next = this.#suspects.length > 0 ? await this.#steps.following() : undefined;
    if (next !== undefined) this.#parts.push(next);
    return next;
  }

  #end(): SearchEnd {
    const rejected = this.#suspects.at(-1)?.rejected;
    return rejected === undefined ? { kind: 'done' } : this.#held(rejected);
  }

  async #stored(part: DiskBatch): Promise<SearchEnd | undefined> {
    this.#isAnyStored = true;
    for (const suspect of this.#suspects) {
      if (!(await this.#refuse(suspect))) return { kind: 'interrupted' };
    }
    await this.#steps.passed(part.end, { stored: part.count, refused: this.#suspects.length });
    this.#suspects = [];
    this.#parts.shift();
    return undefined;
  }

  async #rejected(part: DiskBatch, rejected: Rejected): Promise<SearchEnd | undefined> {
    this.#parts.shift();
    if (part.count > 1) {
      const halves = await splitBatch(part, [Math.ceil(part.count / 2), part.count], this.#codec);
      this.#parts.unshift(...halves);
      return undefined;
    }
    if (this.#isAnyStored) {
      if (!(await this.#refuse({ part, rejected }))) return { kind: 'interrupted' };
      await this.#steps.passed(part.end, { stored: 0, refused: 1 });
      return undefined;
    }
    this.#suspects.push({ part, rejected });
    return this.#suspects.length < this.#maxSuspects ? undefined : this.#held(rejected);
  }

  #held(rejected: Rejected): SearchEnd {
    return { kind: 'held', rejected, suspects: this.#suspects.length };
  }

  async #refuse({ part, rejected }: Suspect): Promise<boolean> {
    return this.#steps.refuse(await onlyRecord(part), rejected.reason);
  }
}
