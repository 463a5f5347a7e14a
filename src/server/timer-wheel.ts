// One coarse timer for all connections' deadlines. Setting one is a few instructions, moving it is free (the
// owner looks again when it fires), and its clock stands still while the event loop does: a process that was
// stopped for five seconds does not find every device idle.

export interface TimerOwner {
  /** The wheel's own links; only the wheel touches it. */
  wheelSlot: number;
  /** Called once at or up to one tick after the time asked for. The owner may schedule itself again. */
  onTimer(nowMs: number): void;
}

export interface TimerWheelOptions {
  /** Resolution in milliseconds. */
  readonly tickMs: number;
  /** Monotonic milliseconds. */
  readonly clock: () => number;
}

export const TIMER_WHEEL_DEFAULTS: TimerWheelOptions = { tickMs: 100, clock: () => performance.now() };

const SLOTS = 512;
const UNSCHEDULED = -1;

export class TimerWheel {
  readonly #options: TimerWheelOptions;
  readonly #slots: Set<TimerOwner>[] = Array.from({ length: SLOTS }, () => new Set());
  #tick = 0;
  #lastTickAt: number;
  #timer: NodeJS.Timeout | undefined;
  #size = 0;

  constructor(options: Partial<TimerWheelOptions> = {}) {
    this.#options = { ...TIMER_WHEEL_DEFAULTS, ...options };
    this.#lastTickAt = this.#options.clock();
  }

  /** Scheduled timers. */
  get size(): number {
    return this.#size;
  }

  /** Milliseconds of event loop life, in whole ticks: deadlines are compared with this and no other clock. */
  get nowMs(): number {
    return this.#tick * this.#options.tickMs;
  }

  start(): void {
    this.#lastTickAt = this.#options.clock();
    this.#timer = setInterval(() => this.#advance(), this.#options.tickMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const slot of this.#slots) {
      for (const owner of slot) owner.wheelSlot = UNSCHEDULED;
      slot.clear();
    }
    this.#size = 0;
  }

  /** Calls owner.onTimer in `delayMs`, sooner where the wheel is too small for it; replaces its earlier timer. */
  schedule(owner: TimerOwner, delayMs: number): void {
    this.cancel(owner);
    // One tick more than asked: the current one is already partly over.
    const ticks = Math.min(SLOTS - 1, Math.ceil(delayMs / this.#options.tickMs) + 1);
    owner.wheelSlot = (this.#tick + ticks) % SLOTS;
    this.#slots[owner.wheelSlot]?.add(owner);
    this.#size++;
  }

  cancel(owner: TimerOwner): void {
    if (owner.wheelSlot === UNSCHEDULED) return;
    this.#slots[owner.wheelSlot]?.delete(owner);
    owner.wheelSlot = UNSCHEDULED;
    this.#size--;
  }

  #advance(): void {
    const now = this.#options.clock();
    // At most two ticks a turn: after a stall devices' bytes are read first, then time goes on.
    const due = Math.min(2, Math.floor((now - this.#lastTickAt) / this.#options.tickMs));
    this.#lastTickAt = due === 2 ? now : this.#lastTickAt + due * this.#options.tickMs;
    for (let i = 0; i < due; i++) this.#turn();
  }

  #turn(): void {
    this.#tick++;
    const slot = this.#slots[this.#tick % SLOTS];
    if (slot === undefined || slot.size === 0) return;
    for (const owner of [...slot]) {
      this.cancel(owner);
      owner.onTimer(this.nowMs);
    }
  }
}

/** The value of TimerOwner.wheelSlot before it is scheduled. */
export const NOT_SCHEDULED = UNSCHEDULED;
