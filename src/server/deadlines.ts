// The deadlines of one connection, on one timer of the wheel. Moving a deadline is free: only
// when the timer fires it checks which ones have passed. The connection decides how it ends.
import { NOT_SCHEDULED, type TimerOwner, type TimerWheel } from './timer-wheel.ts';

/** In the order in which they are checked. */
const DEADLINES = [
  'linger',
  'refusal',
  'replies',
  'errors',
  'memory',
  'kick',
  'parting',
  'slowed',
  'identify',
  'line',
  'inactive',
  'age',
] as const;

export type Deadline = (typeof DEADLINES)[number];

const NEVER = Number.POSITIVE_INFINITY;

export class Deadlines implements TimerOwner {
  wheelSlot = NOT_SCHEDULED;
  readonly #wheel: TimerWheel;
  readonly #passed: (deadline: Deadline) => void;
  readonly #at: Record<Deadline, number> = {
    linger: NEVER,
    refusal: NEVER,
    replies: NEVER,
    errors: NEVER,
    memory: NEVER,
    kick: NEVER,
    parting: NEVER,
    slowed: NEVER,
    identify: NEVER,
    line: NEVER,
    inactive: NEVER,
    age: NEVER,
  };
  #nextCheckMs = NEVER;

  /** @param passed may set deadlines. The one that has passed is cleared before the call */
  constructor(wheel: TimerWheel, passed: (deadline: Deadline) => void) {
    this.#wheel = wheel;
    this.#passed = passed;
  }

  get nowMs(): number {
    return this.#wheel.nowMs;
  }

  isSet(deadline: Deadline): boolean {
    return this.#at[deadline] !== NEVER;
  }

  /** Replaces the time of this deadline. */
  set(deadline: Deadline, inMs: number): void {
    const atMs = this.#wheel.nowMs + inMs;
    this.#at[deadline] = atMs;
    if (atMs < this.#nextCheckMs) this.#checkAt(atMs);
  }

  /** Like set(), unless it has a later time already. */
  postpone(deadline: Deadline, inMs: number): void {
    const atMs = this.#at[deadline];
    if (atMs === NEVER || atMs < this.#wheel.nowMs + inMs) this.set(deadline, inMs);
  }

  clear(deadline: Deadline): void {
    this.#at[deadline] = NEVER;
  }

  clearAll(): void {
    for (const deadline of DEADLINES) this.#at[deadline] = NEVER;
    this.#nextCheckMs = NEVER;
    this.#wheel.cancel(this);
  }

  onTimer(nowMs: number): void {
    this.#nextCheckMs = NEVER;
    for (const deadline of DEADLINES) {
      if (this.#at[deadline] > nowMs) continue;
      this.#at[deadline] = NEVER;
      this.#passed(deadline);
    }
    const next = Math.min(...Object.values(this.#at));
    if (next < this.#nextCheckMs) this.#checkAt(next);
  }

  #checkAt(atMs: number): void {
    this.#nextCheckMs = atMs;
    this.#wheel.schedule(this, atMs - this.#wheel.nowMs);
  }
}
