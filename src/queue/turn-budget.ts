// The time that lines may cost in one turn of the event loop, shared by everybody who handles lines. Other lines wait for
// the next turn, so that sockets, timers and answers of Kafka come in between. It never handles a line itself.

/** Milliseconds a turn. A turn that follows an idle one may have it twice: while it reads, and after. */
export const TURN_BUDGET_MS = 4;
/** The clock is looked at once lines of this cost were handled: a look costs 50 ns, a usual line 300 ns. */
const LOOK_AFTER_NS = 200_000;

export class TurnBudget {
  readonly #clock: () => number;
  #leftMs = TURN_BUDGET_MS;
  #sinceMs = 0;
  /** Cost of the lines since the last look at the clock. */
  #unseenNs = 0;
  #callbacks: (() => void)[] = [];

  /** @param clock monotonic milliseconds */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** Monotonic milliseconds. */
  now(): number {
    return this.#clock();
  }

  get usedUp(): boolean {
    return this.#leftMs <= 0;
  }

  /** Lines are handled from now on, without an await until end(). */
  begin(): void {
    this.#sinceMs = this.#clock();
  }

  /** A line was handled. @param ns its cost, roughly */
  spend(ns: number): void {
    this.#unseenNs += ns;
    if (this.#unseenNs >= LOOK_AFTER_NS) this.#look();
  }

  end(): void {
    this.#look();
  }

  /** Counts the time that `work` takes, outside of begin() and end(). */
  measure(work: () => void): void {
    const startMs = this.#clock();
    work();
    this.#leftMs -= this.#clock() - startMs;
  }

  /** Calls back once, in the next turn, when there is time again. All callbacks share one immediate. */
  nextTurn(callback: () => void): void {
    if (this.#callbacks.push(callback) === 1) setImmediate(() => this.#renew());
  }

  #look(): void {
    const nowMs = this.#clock();
    this.#leftMs -= nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
    this.#unseenNs = 0;
  }

  // Immediates run once a turn, and those that are set meanwhile wait for the next one.
  #renew(): void {
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    this.#leftMs = TURN_BUDGET_MS;
    for (const callback of callbacks) callback();
  }
}
