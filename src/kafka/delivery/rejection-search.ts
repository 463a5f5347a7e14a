// Finds the records that Kafka refuses in a batch that it does not take, by halving the batch and sending the parts
// in order. A refused record is at fault only if Kafka takes other records of the partition: errors such as
// INVALID_TIMESTAMP can also mean that the clock, the topic or the broker is wrong for every record. So if the first
// three records that stand alone are all refused, the search stops and nothing is given up.
import type { Codec } from '../batches/compression.ts';
import { onlyRecord, type RefusedRecord, split } from '../batches/split-batch.ts';
import type { Rejected } from './outcome.ts';
import type { DiskBatch } from './producer-batch.ts';

/** Refused records that stand alone, before Kafka has taken any, until the search stops. */
export const MAX_SUSPECTS = 3;

export interface SearchSteps {
  /** Sends a part until Kafka took or refused it. 'interrupted' means that the search must end now. */
  send(part: DiskBatch): Promise<'stored' | 'interrupted' | Rejected>;
  /** Resolves with true once the record is durable elsewhere, with false if the search must end now. */
  refuse(record: RefusedRecord, reason: string): Promise<boolean>;
  /** Everything up to the spool's offset `end` is settled: stored, or refused and durable elsewhere. */
  passed(end: number, counts: { readonly stored: number; readonly refused: number }): Promise<void>;
  /** The batch on disk behind those the search has, undefined if there is none. */
  following(): Promise<DiskBatch | undefined>;
}

export type SearchEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'interrupted' }
  /** Kafka refuses every record so far, `suspects` of them alone. All that was not passed has still to be sent. */
  | { readonly kind: 'held'; readonly rejected: Rejected; readonly suspects: number };

interface Suspect {
  readonly part: DiskBatch;
  readonly rejected: Rejected;
}

export interface SearchOptions {
  readonly codec: Codec;
  readonly steps: SearchSteps;
}

/** @param batch the batch that Kafka refused with `rejected` */
export function searchRejected(
  batch: DiskBatch,
  rejected: Rejected,
  { codec, steps }: SearchOptions,
): Promise<SearchEnd> {
  return new Search(codec, steps, MAX_SUSPECTS).begin(batch, rejected);
}

/** Tries a batch after a search that was held. @param maxSuspects records to try alone, from the first one on */
export function probeHeld(
  batch: DiskBatch,
  maxSuspects: number,
  { codec, steps }: SearchOptions,
): Promise<SearchEnd> {
  return new Search(codec, steps, maxSuspects).probe(batch);
}

class Search {
  readonly #codec: Codec;
  readonly #steps: SearchSteps;
  readonly #maxSuspects: number;
  #parts: DiskBatch[] = [];
  #suspects: Suspect[] = [];
  #isAnyStored = false;

  constructor(codec: Codec, steps: SearchSteps, maxSuspects: number) {
    this.#codec = codec;
    this.#steps = steps;
    this.#maxSuspects = maxSuspects;
  }

  async begin(batch: DiskBatch, rejected: Rejected): Promise<SearchEnd> {
    this.#parts = [batch];
    return (await this.#rejected(batch, rejected)) ?? this.#run();
  }

  async probe(batch: DiskBatch): Promise<SearchEnd> {
    const singles = Array.from({ length: this.#maxSuspects }, (_, index) => index + 1);
    const ends = [...singles.filter((end) => end < batch.count), batch.count];
    this.#parts = await split(batch, ends, this.#codec);
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

  // Suspects need another record to be judged by.
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
      const halves = await split(part, [Math.ceil(part.count / 2), part.count], this.#codec);
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
