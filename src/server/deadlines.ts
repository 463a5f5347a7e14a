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

/**
 * A tick that comes after years. All times are whole ticks, so that V8 keeps them in the object: of a fraction, infinity
 * or the milliseconds of 25 days it makes an object of its own.
 */
const NEVER = 2 ** 31 - 1;

export interface DeadlineOwner {
  /** It may set deadlines. The one that has passed is cleared before the call. */
  onDeadline(deadline: Deadline): void;
}

export class Deadlines implements TimerOwner {
  wheelSlot = NOT_SCHEDULED;
  readonly #wheel: TimerWheel;
  readonly #owner: DeadlineOwner;
  /** Ticks of the wheel. */
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
  #nextCheck = NEVER;

  constructor(wheel: TimerWheel, owner: DeadlineOwner) {
    this.#wheel = wheel;
    this.#owner = owner;
  }

  get nowMs(): number {
    return this.#wheel.nowMs;
  }

  isSet(deadline: Deadline): boolean {
    return this.#at[deadline] !== NEVER;
  }

  /** Replaces the time of this deadline. */
  set(deadline: Deadline, inMs: number): void {
    const at = this.#tickIn(inMs);
    this.#at[deadline] = at;
    if (at < this.#nextCheck) this.#checkAt(at);
  }

  /** Like set(), unless it has a later time already. */
  postpone(deadline: Deadline, inMs: number): void {
    const at = this.#at[deadline];
    if (at === NEVER || at < this.#tickIn(inMs)) this.set(deadline, inMs);
  }

  clear(deadline: Deadline): void {
    this.#at[deadline] = NEVER;
  }

  clearAll(): void {
    for (const deadline of DEADLINES) this.#at[deadline] = NEVER;
    this.#nextCheck = NEVER;
    this.#wheel.cancel(this);
  }

  onTimer(): void {
    const { now } = this.#wheel;
    this.#nextCheck = NEVER;
    for (const deadline of DEADLINES) {
      if (this.#at[deadline] > now) continue;
      this.#at[deadline] = NEVER;
      this.#owner.onDeadline(deadline);
    }
    const next = Math.min(...Object.values(this.#at));
    if (next < this.#nextCheck) this.#checkAt(next);
  }

  #tickIn(ms: number): number {
    return this.#wheel.now + Math.ceil(ms / this.#wheel.tickMs);
  }

  #checkAt(tick: number): void {
    this.#nextCheck = tick;
    this.#wheel.schedule(this, -this.#wheel.msSince(tick));
  }
}
