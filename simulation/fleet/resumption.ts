// How a device resumes, and which answers to it no gateway may give (docs/protocol.md, "resume"): a stored_seq below one that
// was told before, and null without a reason.
import type { Random } from '../world/random.ts';
import type { Connection } from './connection.ts';

/** Devices with a device_id resume on each connection, on some, or on none. */
export type Resuming = 'always' | 'some' | 'never';

export interface ResumptionOptions {
  readonly random: Random;
  readonly resuming: Resuming;
  /** Whether the gateway has lived since then, over orderly restarts as well. */
  readonly remembersSince: (ms: number) => boolean;
  /** A full queue may drop lines, and from then on a connection counts as unknown. */
  readonly dropsLines: boolean;
}

/** How the next connection identifies. */
export interface Manner {
  readonly resumes: boolean;
  /** Its seqs begin at 0 again. */
  readonly beginsAnew: boolean;
}

/** A gateway answers after 5 s, if need be with null. A timer of Node may end a millisecond early. */
const WAIT_MS = 4_999;
const RESUMES = 0.6;
const BEGINS_ANEW = 0.5;

interface Heard {
  readonly connection: Connection;
  readonly resumed: boolean;
  readonly told: number | null | undefined;
}

export class Resumption {
  /** By connection_id. A later connection of the same number was told all that the earlier ones have written. */
  readonly lineages = new Map<string, number>();
  readonly #options: ResumptionOptions;
  /** The newest connection that has heard its answer. */
  #former: Heard | undefined;
  /** The connections that were made behind that one, in their order. */
  #unheard: { readonly atMs: number; readonly resumes: boolean }[] = [];
  /** One of those has sent messages. */
  #hasSentUnheard = false;
  #lineage = 0;
  /** A connection without resume has to be heard of before one may resume. */
  #mustBegin = false;

  constructor(options: ResumptionOptions) {
    this.#options = options;
  }

  /** @param isIdle everything is confirmed */
  next(isIdle: boolean): Manner {
    const { random, resuming } = this.#options;
    if (resuming === 'never') return { resumes: false, beginsAnew: false };
    if (resuming === 'always') return { resumes: true, beginsAnew: false };
    const resumes = !this.#mustBegin && random.chance(RESUMES);
    const beginsAnew = !resumes && isIdle && random.chance(BEGINS_ANEW);
    if (beginsAnew) {
      this.#mustBegin = true;
      this.#former = undefined;
    }
    return { resumes, beginsAnew };
  }

  /** @param isHasty it sends messages before it hears anything */
  made(nowMs: number, { resumes, isHasty }: { readonly resumes: boolean; readonly isHasty: boolean }): void {
    this.#unheard.push({ atMs: nowMs, resumes });
    this.#hasSentUnheard ||= isHasty;
  }

  /** @returns what is wrong with the answer, if anything */
  heard(answer: Heard, nowMs: number): string | undefined {
    const { connection, resumed, told } = answer;
    const problem = this.#problemOf(answer, nowMs);
    const isOnly = connection.madeAtMs === this.#sinceMs;
    if (typeof told !== 'number' || (this.#hasSentUnheard && !isOnly)) this.#lineage++;
    if (connection.id !== undefined) this.lineages.set(connection.id, this.#lineage);
    this.#former = answer;
    this.#unheard = [];
    this.#hasSentUnheard = false;
    if (!resumed) this.#mustBegin = false;
    return problem;
  }

  /** The newest connection lost its device_id to another one: nobody can say which of them is known. */
  replaced(): void {
    this.#former = undefined;
  }

  /** When the first of the connections was made that were not heard. */
  get #sinceMs(): number {
    return this.#unheard[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  #problemOf({ connection, told }: Heard, nowMs: number): string | undefined {
    const former = this.#former;
    if (former === undefined || told === undefined || this.#options.dropsLines) return undefined;
    // One in between that did not resume began a count of its own, whether or not its device heard the answer.
    const isFollowed = this.#unheard.some(({ atMs, resumes }) => !resumes && atMs !== connection.madeAtMs);
    if (isFollowed) return undefined;
    const least = Math.max(former.connection.storedUpTo, former.told ?? -1);
    if (told !== null) return told < least ? `stored_seq ${told}, and ${least} was told before` : undefined;
    const hasReason =
      least < 0 ||
      !former.resumed ||
      nowMs - this.#sinceMs >= WAIT_MS ||
      !this.#options.remembersSince(former.connection.madeAtMs);
    return hasReason ? undefined : `stored_seq null without a reason, and ${least} was told before`;
  }
}
