// The questions to one process that wait for its answer. Each wait ends: by the answer, the time limit or the end of the
// process. There are never more than QUESTION_LIMITS.maxWaiting.
import { QUESTION_LIMITS } from './questions.ts';

export class PendingAnswers {
  readonly #waiting = new Map<number, (text: string | null) => void>();
  readonly #timeoutMs: number;
  #nextRequest = 0;

  constructor(timeoutMs: number = QUESTION_LIMITS.timeoutMs) {
    this.#timeoutMs = timeoutMs;
  }

  /** @param send to be answered by take() @returns null without an answer */
  ask(send: (request: number) => void): Promise<string | null> {
    if (this.#waiting.size >= QUESTION_LIMITS.maxWaiting) return Promise.resolve(null);
    const request = this.#nextRequest++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.take(request, null), this.#timeoutMs);
      this.#waiting.set(request, (text) => {
        clearTimeout(timer);
        resolve(text);
      });
      send(request);
    });
  }

  take(request: number, text: string | null): void {
    const done = this.#waiting.get(request);
    this.#waiting.delete(request);
    done?.(text);
  }

  /** The process has ended. */
  end(): void {
    for (const request of [...this.#waiting.keys()]) this.take(request, null);
  }
}
