// Asks a path of the admin port again and again, each time on a connection of its own, and measures the answers.
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface PollResult {
  readonly asked: number;
  /** Questions without an answer in time, or whose connection failed. */
  readonly unanswered: number;
  /** Milliseconds of the slowest answer; the time-out if one did not come. */
  readonly slowestMs: number;
  /** How often each status came. */
  readonly statuses: Readonly<Record<number, number>>;
}

const TIMEOUT_MS = 3_000;

export class AdminPoll {
  readonly #port: number;
  readonly #path: string;
  readonly #stopped = new AbortController();
  readonly #running: Promise<void>;
  readonly #statuses: Record<number, number> = {};
  #asked = 0;
  #unanswered = 0;
  #slowestMs = 0;

  constructor({ port, path, everyMs }: { port: number; path: string; everyMs: number }) {
    this.#port = port;
    this.#path = path;
    this.#running = this.#run(everyMs);
  }

  /** Resolves once the last question has its answer. */
  async stop(): Promise<PollResult> {
    this.#stopped.abort();
    await this.#running;
    return {
      asked: this.#asked,
      unanswered: this.#unanswered,
      slowestMs: this.#slowestMs,
      statuses: this.#statuses,
    };
  }

  async #run(everyMs: number): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const startMs = performance.now();
      const status = await ask(this.#port, this.#path);
      this.#asked++;
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - startMs);
      if (status === undefined) this.#unanswered++;
      else this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
      await sleep(everyMs, undefined, { signal }).catch(() => {});
    }
  }
}

/** The status of the answer; undefined if none came in time. */
export function ask(port: number, path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const request = get({
      host: '127.0.0.1',
      port,
      path,
      agent: false,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    request.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
      response.on('error', () => resolve(undefined));
    });
    request.on('error', () => resolve(undefined));
  });
}
