// One coarse timer for the deadlines of all connections. Its clock stands still while the event loop does: after a stall
// of five seconds no device counts as idle for that time. To move a deadline is free, because the owner checks it again
// when its timer fires.

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
/** TimerOwner.wheelSlot of an owner without a timer. */
export const NOT_SCHEDULED = -1;

export class TimerWheel {
  readonly #tickMs: number;
  readonly #clock: () => number;
  readonly #slots: Set<TimerOwner>[] = Array.from({ length: SLOTS }, () => new Set());
  #tick = 0;
  #lastTickAt: number;
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

  /** Milliseconds in which the event loop ran, in whole ticks. Deadlines must not be compared with another clock. */
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
    // At most two ticks a turn: after a stall the bytes of devices have to be read before time goes on.
    const due = Math.min(2, Math.floor((now - this.#lastTickAt) / this.#tickMs));
    this.#lastTickAt = due === 2 ? now : this.#lastTickAt + due * this.#tickMs;
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
