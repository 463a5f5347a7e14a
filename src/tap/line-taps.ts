// The taps of a process. It looks at lines only while there is a tap: without one, the watch of the workers is empty. A tap
// that is not asked for any more ends by itself.
import type { TapAnswer, TapQuestion } from '../inspect/line-questions.ts';
import type { Job, LineBytes, LineOrigin, Refusal } from '../queue/job.ts';
import type { LineObserver, LineWatch } from '../workers/line-watch.ts';
import type { BatchTicket } from '../workers/record-sink.ts';
import { type RefusedRecordFacts, Tap } from './tap.ts';

/** More than the admin port allows, because an ended tap lapses a moment later. */
const MAX_TAPS = 8;
const REFILL_MS = 100;
/** The admin port asks five times a second, and waits 2 s for an answer. */
const LAPSE_MS = 10_000;

interface Open {
  readonly tap: Tap;
  /** Monotonic. */
  askedAtMs: number;
}

export class LineTaps implements LineObserver {
  /** To be given to the workers. */
  readonly watch: LineWatch = { observer: undefined };
  readonly #open = new Map<string, Open>();
  #timer: NodeJS.Timeout | undefined;
  /** The line of the latest refusal. The worker that handles it comes back to handled(). */
  #refusedLine: LineBytes | undefined;

  /** Null if there are too many taps. */
  answer({ id, filter, linesPerSecond, ends }: TapQuestion): TapAnswer | null {
    const nowMs = performance.now();
    const open = this.#open.get(id) ?? { tap: new Tap(filter, linesPerSecond), askedAtMs: nowMs };
    open.askedAtMs = nowMs;
    if (ends) this.#open.delete(id);
    else if (this.#open.has(id) || this.#open.size < MAX_TAPS) this.#open.set(id, open);
    else return null;
    this.#look();
    return open.tap.take();
  }

  handled(job: Job, ticket: BatchTicket | undefined): void {
    const wasRefused = job === this.#refusedLine;
    this.#refusedLine = undefined;
    if (wasRefused) return;
    for (const { tap } of this.#open.values()) tap.accepted(job.session, job, job.receivedAtMs, ticket);
  }

  refused(origin: LineOrigin, { code, message }: Refusal, line: LineBytes): void {
    if (this.#open.size === 0) return;
    this.#refusedLine = line;
    const nowMs = Date.now();
    for (const { tap } of this.#open.values()) tap.refused(origin, line, nowMs, { code, message });
  }

  /** Kafka refused a record after its line had been accepted. */
  recordRefused(record: RefusedRecordFacts): void {
    for (const { tap } of this.#open.values()) tap.recordRefused(record);
  }

  stop(): void {
    this.#open.clear();
    this.#look();
  }

  #look(): void {
    const isOpen = this.#open.size > 0;
    this.watch.observer = isOpen ? this : undefined;
    if (!isOpen) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#refusedLine = undefined;
    } else this.#timer ??= setInterval(() => this.#tick(), REFILL_MS).unref();
  }

  #tick(): void {
    const nowMs = performance.now();
    for (const [id, { tap, askedAtMs }] of this.#open) {
      if (nowMs - askedAtMs > LAPSE_MS) this.#open.delete(id);
      else tap.refill(REFILL_MS / 1000);
    }
    this.#look();
  }
}
