// The figures of one server process as the first process knows them, and whether the process answers.
import type { Figures } from '../admin/snapshot.ts';

/** Polls in a row without an answer. Polls are counted instead of seconds: if the whole machine stalls, nobody polls. */
const MAX_MISSED_POLLS = { answering: 8, alive: 40 } as const;
/** Time between two polls. The last figures of a process that crashes are at most this old. */
export const POLL_MS = 250;
/** If the process does not answer within this time, read() resolves with the latest known figures. */
const READ_TIMEOUT_MS = 250;

export class ProcessFigures {
  readonly #ask: (request: number) => void;
  readonly #readers = new Map<number, () => void>();
  #latest: Figures | undefined;
  #nextRequest = 0;
  #missed = 0;
  #hasAnswered = true;

  /** @param ask sends a request, to be answered by take() */
  constructor(ask: (request: number) => void) {
    this.#ask = ask;
  }

  /** Undefined if the process has never answered. */
  get latest(): Figures | undefined {
    return this.#latest;
  }

  /** False after 2 s without an answer: the latest figures are old. */
  get areFresh(): boolean {
    return this.#missed < MAX_MISSED_POLLS.answering;
  }

  /** True after 10 s without an answer. */
  get areLost(): boolean {
    return this.#missed >= MAX_MISSED_POLLS.alive;
  }

  /** To be called every POLL_MS. */
  poll(): void {
    this.#missed = this.#hasAnswered ? 0 : this.#missed + 1;
    this.#hasAnswered = false;
    this.#ask(this.#nextRequest++);
  }

  /** The figures of now, or the latest known. */
  read(): Promise<Figures | undefined> {
    if (!this.areFresh) return Promise.resolve(this.#latest);
    const request = this.#nextRequest++;
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#readers.delete(request);
        resolve(this.#latest);
      };
      const timer = setTimeout(done, READ_TIMEOUT_MS);
      this.#readers.set(request, done);
      this.#ask(request);
    });
  }

  take(request: number, figures: Figures): void {
    this.#latest = figures;
    this.#hasAnswered = true;
    this.#missed = 0;
    this.#readers.get(request)?.();
  }

  /** The process has ended: nobody answers any more. */
  end(): void {
    for (const done of this.#readers.values()) done();
    this.#missed = 0;
    this.#hasAnswered = true;
  }

  /** The figures were of a process that is gone for good. */
  forget(): void {
    this.#latest = undefined;
  }
}
