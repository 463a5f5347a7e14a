// One coarse timer for the deadlines of all connections. Its clock is the real one, however busy the process is. Only a
// stall of the whole process does not count, once. Moving a deadline is free, because the owner checks it again when its
// timer fires.

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
}

const SLOTS = 512;
/** A longer gap between two turns is a stall: the machine slept, or the process was stopped. */
const STALL_MS = 1000;
/** After a forgiven stall, no further one is forgiven for this long: a busy event loop stalls again and again. */
const FORGIVE_AGAIN_MS = 60_000;
/** If more ticks pass in one turn, the event loop is late. */
const PUNCTUAL_TICKS = 2;
/** TimerOwner.wheelSlot of an owner without a timer. */
export const NOT_SCHEDULED = -1;

export class TimerWheel {
  readonly #tickMs: number;
  readonly #clock: () => number;
  readonly #slots: Set<TimerOwner>[] = Array.from({ length: SLOTS }, () => new Set());
  #tick = 0;
  /** The last tick whose timers have fired. */
  #firedTick = 0;
  #lastTickAt: number;
  #forgivenAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #size = 0;

  constructor({ tickMs = 100, clock = () => performance.now() }: Partial<TimerWheelOptions> = {}) {
    this.#tickMs = tickMs;
    this.#clock = clock;
    this.#lastTickAt = clock();
  }

  /** Number of scheduled timers. */
  get size(): number {
    return this.#size;
  }

  /** Milliseconds without forgiven stalls, in whole ticks. Deadlines must not be compared with another clock. */
  get nowMs(): number {
    return this.#tick * this.#tickMs;
  }

  start(): void {
    this.#lastTickAt = this.#clock();
    this.#timer = setInterval(() => this.#advance(), this.#tickMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const slot of this.#slots) {
      for (const owner of slot) owner.wheelSlot = NOT_SCHEDULED;
      slot.clear();
    }
    this.#size = 0;
  }

  /** Calls owner.onTimer after `delayMs`, earlier if the wheel is too small. Replaces the earlier timer of the owner. */
  schedule(owner: TimerOwner, delayMs: number): void {
    this.cancel(owner);
    // One tick more, because part of the current one has passed.
    const ticks = Math.min(SLOTS - 1, Math.ceil(delayMs / this.#tickMs) + 1);
    owner.wheelSlot = (this.#tick + ticks) % SLOTS;
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
    const now = this.#clock();
    const gapMs = now - this.#lastTickAt;
    if (gapMs > STALL_MS && now - this.#forgivenAt > FORGIVE_AGAIN_MS) {
      this.#forgivenAt = now;
      this.#lastTickAt = now;
      this.#tick++;
    } else {
      const ticks = Math.floor(gapMs / this.#tickMs);
      this.#lastTickAt += ticks * this.#tickMs;
      this.#tick += ticks;
    }
    // If the event loop is late, sockets are read first: a device that sent meanwhile must not count as silent.
    if (this.#tick - this.#firedTick > PUNCTUAL_TICKS) setImmediate(() => this.#fire());
    else this.#fire();
  }

  #fire(): void {
    const first = Math.max(this.#firedTick + 1, this.#tick - SLOTS + 1);
    this.#firedTick = this.#tick;
    for (let tick = first; tick <= this.#firedTick; tick++) {
      const slot = this.#slots[tick % SLOTS];
      if (slot === undefined || slot.size === 0) continue;
      for (const owner of [...slot]) {
        // An earlier owner may have cancelled this timer.
        if (!slot.has(owner)) continue;
        this.cancel(owner);
        owner.onTimer(this.nowMs);
      }
    }
  }
}
