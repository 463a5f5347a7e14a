// Bytes and lines a second of the open connections. It costs nothing while nobody asks: the first question takes a sample of
// all counters and waits, later ones take the next sample on their way. Without questions the samples are dropped.
//
// Passes go over the connections in the order in which they came. A sample has them in the same order, so it is read along
// with the pass, and needs no object for each connection.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionFacts } from '../../server/connection-facts.ts';

export interface Rates {
  readonly bytesPerSecond: number;
  readonly linesPerSecond: number;
}

/** A rate over less time would jump. */
const MIN_WINDOW_MS = 500;
const SAMPLE_EVERY_MS = 1000;
const KEPT_MS = 10_000;

/** Columns, a row for each connection. Ids only: closed connections must not stay in memory. */
class Sample {
  readonly takenAtMs = performance.now();
  readonly #ids: string[] = [];
  readonly #atMs: number[] = [];
  readonly #bytes: number[] = [];
  readonly #lines: number[] = [];

  add({ id, receivedBytes, receivedLines }: ConnectionFacts, nowMs: number): void {
    this.#ids.push(id);
    this.#atMs.push(nowMs);
    this.#bytes.push(receivedBytes);
    this.#lines.push(receivedLines);
  }

  /** The row of the connection, from row `from` on. If there is none, the number of rows: all further ones are newer. */
  find(id: string, from: number): number {
    let row = from;
    while (row < this.#ids.length && this.#ids[row] !== id) row++;
    return row;
  }

  /** Undefined behind the last row. */
  ratesSince(row: number, one: ConnectionFacts, nowMs: number): Rates | undefined {
    const atMs = this.#atMs[row];
    if (atMs === undefined) return undefined;
    return rates(one, { bytes: this.#bytes[row] ?? 0, lines: this.#lines[row] ?? 0, overMs: nowMs - atMs });
  }
}

export class ConnectionRates {
  #newest: Sample | undefined;
  #older: Sample | undefined;
  #forget: NodeJS.Timeout | undefined;

  /** For a pass over the open connections. `takeSample` makes a pass that only samples, if there was no question lately. */
  async begin(takeSample: (pass: RatePass) => Promise<void>): Promise<RatePass> {
    if (this.#newest === undefined) {
      const first = new RatePass(undefined, new Sample());
      await takeSample(first);
      this.end(first);
      await sleep(MIN_WINDOW_MS);
    }
    const newest = this.#newest;
    const ageMs = newest === undefined ? SAMPLE_EVERY_MS : performance.now() - newest.takenAtMs;
    const base = ageMs < MIN_WINDOW_MS ? (this.#older ?? newest) : newest;
    return new RatePass(base, ageMs < SAMPLE_EVERY_MS ? undefined : new Sample());
  }

  end({ sample }: RatePass): void {
    if (sample !== undefined) {
      this.#older = this.#newest;
      this.#newest = sample;
    }
    this.#forget ??= setTimeout(() => this.#drop(), KEPT_MS).unref();
    this.#forget.refresh();
  }

  #drop(): void {
    this.#forget = undefined;
    this.#newest = undefined;
    this.#older = undefined;
  }
}

export class RatePass {
  /** That of this pass, if one is due. */
  readonly sample: Sample | undefined;
  readonly #base: Sample | undefined;
  #row = 0;

  constructor(base: Sample | undefined, sample: Sample | undefined) {
    this.#base = base;
    this.sample = sample;
  }

  /** To be called for each connection in order. Rates over about the last second, or up to 10 s if questions are rare. */
  next(one: ConnectionFacts): Rates {
    const nowMs = performance.now();
    this.sample?.add(one, nowMs);
    const base = this.#base;
    if (base === undefined) return meanRates(one);
    const row = base.find(one.id, this.#row);
    const since = base.ratesSince(row, one, nowMs);
    this.#row = since === undefined ? row : row + 1;
    return since ?? meanRates(one);
  }
}

/** Over the whole life of the connection. */
export function meanRates(one: ConnectionFacts): Rates {
  const untilMs = one.end?.atMs ?? performance.now();
  return rates(one, { bytes: 0, lines: 0, overMs: untilMs - one.openedAtMs });
}

interface Since {
  readonly bytes: number;
  readonly lines: number;
  readonly overMs: number;
}

function rates({ receivedBytes, receivedLines }: ConnectionFacts, { bytes, lines, overMs }: Since): Rates {
  const seconds = Math.max(MIN_WINDOW_MS, overMs) / 1000;
  return {
    bytesPerSecond: (receivedBytes - bytes) / seconds,
    linesPerSecond: (receivedLines - lines) / seconds,
  };
}
