// The figures of one server process as the first process knows them, and whether the process answers.
import type { Figures } from '../admin/snapshot.ts';

/**
 * Polls in a row without an answer. The first of them waited for a beat and the others for LATE_POLL_MS each: 2 and 10 s.
 * Polls are counted instead of seconds: if the whole machine stalls, nobody polls.
 */
const MAX_MISSED_POLLS = { answering: 5, alive: 37 } as const;
/** Time between two polls of a process that has not answered the last one. Others are polled once a beat. */
export const LATE_POLL_MS = 250;
/** If the process does not answer within this time, read() resolves with the latest known figures. */
const READ_TIMEOUT_MS = 250;

export class ProcessFigures {
  readonly #ask: (request: number) => void;
  readonly #readers = new Map<number, () => void>();
  /** Those that wait for the answer to the last poll. */
  #pollReaders: (() => void)[] = [];
  #lastPoll = -1;
  /** Until the code that polled has ended, so that no answer can have come. */
  #isPolling = false;
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

  /** True if the process has not answered the poll before the last one. */
  get isLate(): boolean {
    return this.#missed > 0;
  }

  /** To be called once a beat, and every LATE_POLL_MS while the process is late. */
  poll(): void {
    this.#missed = this.#hasAnswered ? 0 : this.#missed + 1;
    this.#hasAnswered = false;
    this.#endPollReaders();
    this.#lastPoll = this.#nextRequest++;
    this.#isPolling = true;
    queueMicrotask(() => {
      this.#isPolling = false;
    });
    this.#ask(this.#lastPoll);
  }

  /** The figures of now, or the latest known. */
  read(): Promise<Figures | undefined> {
    if (!this.areFresh) return Promise.resolve(this.#latest);
    // Whoever reads in the beat of a poll shares its request. The next poll ends the wait, so it needs no timer, which
    // would wake this process up once a second.
    if (this.#isPolling) return new Promise((resolve) => this.#pollReaders.push(() => resolve(this.#latest)));
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
    if (request >= this.#lastPoll) this.#endPollReaders();
  }

  /** The process has ended: nobody answers any more. */
  end(): void {
    for (const done of this.#readers.values()) done();
    this.#endPollReaders();
    this.#missed = 0;
    this.#hasAnswered = true;
  }

  /** The figures were of a process that is gone for good. */
  forget(): void {
    this.#latest = undefined;
  }

  #endPollReaders(): void {
    for (const done of this.#pollReaders.splice(0)) done();
  }
}
