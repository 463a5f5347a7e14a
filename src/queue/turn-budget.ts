// The time that lines and their replies may cost in one turn of the event loop, shared by everybody who handles lines.
// Other lines wait for the next turn, so that sockets, timers and answers of Kafka come in between. It never handles a
// line itself.
//
// If the budget of a turn is used up, the next one is a quarter of the time of everything else in between. Otherwise lines
// would starve while that is long: thousands of sockets are ready, or the process waits for a core. It is not more because
// lines cause up to three times their own time elsewhere (reads, compression, writes to Kafka): more lines would make
// larger budgets, and those more lines. Replies cause even more, so their time does not count.
//
// While small reads are coalesced, a turn may also be as long as a pause between reads: `Turns.minMs`.

/** Milliseconds a turn, at least. One that follows an idle one may have it twice: while it reads, and after. */
export const TURN_BUDGET_MS = 2;
export const MAX_TURN_BUDGET_MS = 50;
const PART_OF_REST = 1 / 4;
/** From turn to turn. A single long turn, such as one of the garbage collector, must not make the next one long as well. */
const MAX_GROWTH = 1.5;
/** The clock is looked at once lines of this cost were handled: a look costs 50 ns, a usual line 300 ns. */
const LOOK_AFTER_NS = 200_000;

/** Asked by the budget before each turn of the event loop in which lines wait. */
export interface Turns {
  /** May bring work for the turn. */
  begin(): void;
  /** The least budget of the turn in milliseconds, if it is longer than the usual one. */
  minMs(): number;
}

const USUAL_TURNS: Turns = { begin: () => {}, minMs: () => 0 };

export class TurnBudget {
  readonly #clock: () => number;
  readonly #turns: Turns;
  #turnMs = TURN_BUDGET_MS;
  #leftMs = TURN_BUDGET_MS;
  #sinceMs = 0;
  #isWorkLeft = false;
  /** Time that lines and their replies have taken since the start. */
  #costMs = 0;
  /** Since when somebody waits for the next turn, and #costMs then. */
  #waitSinceMs = 0;
  #costBeforeMs = 0;
  /** Cost of the lines since the last look at the clock. */
  #unseenNs = 0;
  #callbacks: (() => void)[] = [];

  /** @param clock monotonic milliseconds */
  constructor(clock = () => performance.now(), turns = USUAL_TURNS) {
    this.#clock = clock;
    this.#turns = turns;
  }

  /** Monotonic milliseconds. */
  now(): number {
    return this.#clock();
  }

  get usedUp(): boolean {
    return this.#leftMs <= 0;
  }

  /** The budget of this turn in milliseconds. */
  get turnMs(): number {
    return this.#turnMs;
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
    this.#leftMs -= this.#timed(work);
  }

  /** A line has caused work for later in this turn. @param ns its cost, roughly */
  owe(ns: number): void {
    this.#leftMs -= ns / 1e6;
  }

  /** Does work that was charged by owe(). */
  pay(work: () => void): void {
    this.#timed(work);
  }

  /** There was too much work for this turn, although its budget may not be used up: the next one is sized as if it was. */
  workIsLeft(): void {
    this.#isWorkLeft = true;
  }

  /** Calls back once, in the next turn, when there is time again. All callbacks share one immediate. */
  nextTurn(callback: () => void): void {
    if (this.#callbacks.push(callback) > 1) return;
    this.#waitSinceMs = this.#clock();
    this.#costBeforeMs = this.#costMs;
    setImmediate(() => this.#renew());
  }

  #timed(work: () => void): number {
    const startMs = this.#clock();
    work();
    const ms = this.#clock() - startMs;
    this.#costMs += ms;
    return ms;
  }

  #look(): void {
    const nowMs = this.#clock();
    const ms = nowMs - this.#sinceMs;
    this.#leftMs -= ms;
    this.#costMs += ms;
    this.#sinceMs = nowMs;
    this.#unseenNs = 0;
  }

  // Immediates run once a turn, and those that are set meanwhile wait for the next one.
  #renew(): void {
    this.#turns.begin();
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    const restMs = this.usedUp || this.#isWorkLeft ? this.#restMs() : 0;
    const minMs = Math.max(TURN_BUDGET_MS, this.#turns.minMs());
    const maxMs = Math.min(MAX_TURN_BUDGET_MS, MAX_GROWTH * this.#turnMs);
    this.#turnMs = Math.max(minMs, Math.min(maxMs, PART_OF_REST * restMs));
    this.#leftMs = this.#turnMs;
    this.#isWorkLeft = false;
    for (const callback of callbacks) callback();
  }

  /** Time since somebody began to wait, without that of lines and their replies. The idle time before does not count. */
  #restMs(): number {
    return this.#clock() - this.#waitSinceMs - (this.#costMs - this.#costBeforeMs);
  }
}
