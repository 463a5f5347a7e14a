// One coarse timer for the deadlines of all connections. Its clock is the real one, however busy the process is. Only a
// stall of the whole process does not count, once. Moving a deadline is free, because the owner checks it again when its
// timer fires. It ticks while its clock is read, and otherwise sleeps until the next slot that has a timer.
import { BEAT_MS, beat } from '../time/beat.ts';

export interface TimerOwner {
  /** For the wheel only. NOT_SCHEDULED at first. */
  wheelSlot: number;
  /** Called once, up to two ticks late, or early for a delay beyond the wheel. May schedule itself again. */
  onTimer(nowMs: number): void;
}

export interface TimerWheelOptions {
  /** Resolution in milliseconds. */
  readonly tickMs: number;
  /** Monotonic milliseconds. */
  readonly clock: () => number;
  readonly timers: WheelTimers;
}

/** Each function returns one that ends its calls. */
export interface WheelTimers {
  after(ms: number, call: () => void): () => void;
  everySecond(call: () => void): () => void;
}

const TIMERS: WheelTimers = {
  after(ms, call) {
    const timer = setTimeout(call, ms).unref();
    return () => clearTimeout(timer);
  },
  everySecond: (call) => beat.follow(call),
};

const SLOTS = 512;
/** Owners with delays beyond the wheel are called in whole groups of ticks, so that 10,000 of them wake nobody each tick. */
const FAR_TICKS = 10;
/** Time for owners in one turn. Thousands of devices that came at once are due at once, and sockets must be read between. */
const TURN_MS = 2;
/** A longer gap between two turns is a stall: the machine slept, or the process was stopped. */
const STALL_MS = 1000;
/** After a forgiven stall, no further one is forgiven for this long: a busy event loop stalls again and again. */
const FORGIVE_AGAIN_MS = 60_000;
/** If a tick is later than this many, the event loop is late. */
const PUNCTUAL_TICKS = 2;
/** The slot behind those of the ticks: owners that are due. */
const DUE = SLOTS;
/** TimerOwner.wheelSlot of an owner without a timer. */
export const NOT_SCHEDULED = -1;

export class TimerWheel {
  readonly tickMs: number;
  readonly #clock: () => number;
  readonly #timers: WheelTimers;
  readonly #due = new Set<TimerOwner>();
  readonly #slots: readonly Set<TimerOwner>[] = [
    ...Array.from({ length: SLOTS }, () => new Set<TimerOwner>()),
    this.#due,
  ];
  #tick = 0;
  /** The last tick whose timers have fired. */
  #firedTick = 0;
  #lastTickAt: number;
  /** When the next call of #advance() is expected. */
  #dueAt: number;
  #forgivenAt = Number.NEGATIVE_INFINITY;
  #isRunning = false;
  #isAsleep = false;
  /** Its clock was read since the last tick. */
  #isRead = false;
  /** The event loop was late since the last timers fired. */
  #isLate = false;
  #endTimer = () => {};
  #endBeat = () => {};
  #size = 0;

  constructor({
    tickMs = 100,
    clock = () => performance.now(),
    timers = TIMERS,
  }: Partial<TimerWheelOptions> = {}) {
    this.tickMs = tickMs;
    this.#clock = clock;
    this.#timers = timers;
    this.#lastTickAt = clock();
    this.#dueAt = this.#lastTickAt;
  }

  /** Number of scheduled timers. */
  get size(): number {
    return this.#size;
  }

  /** Owners that are due wait for the next turn. */
  get isBehind(): boolean {
    return this.#due.size > 0;
  }

  /** Milliseconds without forgiven stalls, in whole ticks. Deadlines must not be compared with another clock. */
  get nowMs(): number {
    return this.now * this.tickMs;
  }

  /** The same in ticks. */
  get now(): number {
    this.#isRead = true;
    if (this.#isAsleep) this.#wake();
    return this.#tick;
  }

  msSince(tick: number): number {
    return (this.now - tick) * this.tickMs;
  }

  start(): void {
    this.#isRunning = true;
    this.#lastTickAt = this.#clock();
    this.#rest();
    // A sleep of many seconds is looked at in each of them. Otherwise it would hide a stall.
    this.#endBeat = this.#timers.everySecond(() => this.#advance());
  }

  stop(): void {
    this.#isRunning = false;
    this.#isAsleep = false;
    this.#endTimer();
    this.#endBeat();
    for (const slot of this.#slots) {
      for (const owner of slot) owner.wheelSlot = NOT_SCHEDULED;
      slot.clear();
    }
    this.#size = 0;
  }

  /** Calls owner.onTimer after `delayMs`, earlier if the wheel is too small. Replaces the earlier timer of the owner. */
  schedule(owner: TimerOwner, delayMs: number): void {
    this.cancel(owner);
    // Reading the clock wakes the wheel, which sees the new timer before it sleeps again.
    const { now } = this;
    // One tick more, because part of the current one has passed.
    const at = now + Math.ceil(delayMs / this.tickMs) + 1;
    const farthest = now + SLOTS - 1;
    owner.wheelSlot = (at <= farthest ? at : farthest - (farthest % FAR_TICKS)) % SLOTS;
    this.#slots[owner.wheelSlot]?.add(owner);
    this.#size++;
  }

  cancel(owner: TimerOwner): void {
    if (owner.wheelSlot === NOT_SCHEDULED) return;
    this.#slots[owner.wheelSlot]?.delete(owner);
    owner.wheelSlot = NOT_SCHEDULED;
    this.#size--;
  }

  #advance(): void {
    this.#catchUp();
    // If the event loop is late, sockets are read first: a device that sent meanwhile must not count as silent.
    if (this.#isLate) setImmediate(() => this.#fire());
    else this.#fire();
  }

  #catchUp(): void {
    const now = this.#clock();
    const lateMs = now - this.#dueAt;
    if (lateMs + this.tickMs > STALL_MS && now - this.#forgivenAt > FORGIVE_AGAIN_MS) {
      this.#forgivenAt = now;
      // The time until then was no stall.
      this.#tick += Math.floor((this.#dueAt - this.#lastTickAt) / this.tickMs);
      this.#lastTickAt = now;
    } else {
      const ticks = Math.floor((now - this.#lastTickAt) / this.tickMs);
      this.#lastTickAt += ticks * this.tickMs;
      this.#tick += ticks;
    }
    this.#isLate ||= lateMs > PUNCTUAL_TICKS * this.tickMs;
  }

  #fire(): void {
    if (!this.#isRunning) return;
    const wasRead = this.#isRead;
    this.#isAsleep = false;
    this.#isLate = false;
    const first = Math.max(this.#firedTick + 1, this.#tick - SLOTS + 1);
    this.#firedTick = this.#tick;
    const isFiring = this.isBehind;
    for (let tick = first; tick <= this.#firedTick; tick++) {
      const slot = this.#slots[tick % SLOTS];
      for (const owner of slot ?? []) {
        owner.wheelSlot = DUE;
        this.#due.add(owner);
      }
      slot?.clear();
    }
    if (!isFiring) this.#fireDue();
    // The owners have read the clock of now, and their timers are in the slots.
    this.#isRead = wasRead;
    this.#rest();
  }

  #fireDue(): void {
    const untilMs = this.#clock() + TURN_MS;
    for (const owner of this.#due) {
      if (this.#clock() > untilMs) break;
      this.cancel(owner);
      owner.onTimer(this.nowMs);
    }
    if (this.isBehind) setImmediate(() => this.#fireDue());
  }

  /** Its clock is read: it ticks until nobody has read it for a tick. */
  #wake(): void {
    this.#catchUp();
    this.#wait(1);
  }

  /** Ticks on, or sleeps until the next slot with a timer. */
  #rest(): void {
    const ticks = this.#isRead ? 1 : this.#ticksToNext();
    this.#isRead = false;
    this.#wait(ticks);
  }

  #wait(ticks: number): void {
    const now = this.#clock();
    const leftMs = this.#lastTickAt + ticks * this.tickMs - now;
    this.#isAsleep = ticks > 1;
    this.#dueAt = now + Math.min(leftMs, BEAT_MS);
    this.#endTimer();
    if (ticks < SLOTS)
      this.#endTimer = this.#timers.after(Math.max(1, Math.ceil(leftMs)), () => this.#advance());
  }

  /** SLOTS if there is none. */
  #ticksToNext(): number {
    let ticks = 1;
    while (ticks < SLOTS && this.#slots[(this.#tick + ticks) % SLOTS]?.size === 0) ticks++;
    return ticks;
  }
}
