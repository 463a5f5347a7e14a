// setTimeout(), setInterval() and setImmediate() of a world, with the habits of Node's: whole milliseconds, counted from
// the time at which the turn of the event loop began, so a timer may come up to 1 ms early by performance.now().
import type { SimProcess } from './sim-process.ts';
import type { Cancel, World } from './world.ts';

/** A longer one would fire at once, as in Node. */
const MAX_MS = 2 ** 31 - 1;

export type Callback = (...args: unknown[]) => void;

/** Timers by their number, for those who keep only that. */
class TimerNumbers {
  readonly #asked = new Map<number, SimTimer>();
  #last = 0;

  numberOf(timer: SimTimer): number {
    this.#asked.set(++this.#last, timer);
    return this.#last;
  }

  find(number: number): SimTimer | undefined {
    return this.#asked.get(number);
  }
}

interface TimerOptions {
  readonly delayMs: unknown;
  readonly repeats: boolean;
  readonly numbers: TimerNumbers;
}

/** As NodeJS.Timeout. */
export class SimTimer {
  readonly #world: World;
  readonly #owner: SimProcess;
  readonly #callback: () => void;
  readonly #delayMs: number;
  readonly #repeats: boolean;
  readonly #numbers: TimerNumbers;
  #number: number | undefined;
  /** Undefined while it is not armed. */
  #due: Cancel | undefined;
  #isClosed = false;
  #hasRef = true;

  constructor(world: World, callback: () => void, { delayMs, repeats, numbers }: TimerOptions) {
    const ms = Number(delayMs);
    this.#world = world;
    this.#owner = world.current;
    this.#callback = callback;
    this.#delayMs = ms >= 1 && ms <= MAX_MS ? Math.trunc(ms) : 1;
    this.#repeats = repeats;
    this.#numbers = numbers;
    this.#arm();
  }

  ref(): this {
    this.#hasRef = true;
    return this;
  }

  unref(): this {
    this.#hasRef = false;
    return this;
  }

  hasRef(): boolean {
    return this.#hasRef;
  }

  /** Starts its delay again, also if it has fired, but not if it was cleared. */
  refresh(): this {
    if (this.#isClosed) return this;
    this.#due?.cancel();
    this.#arm();
    return this;
  }

  close(): this {
    this.#isClosed = true;
    this.#due?.cancel();
    this.#due = undefined;
    return this;
  }

  [Symbol.toPrimitive](): number {
    this.#number ??= this.#numbers.numberOf(this);
    return this.#number;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #arm(): void {
    const atMs = Math.floor(this.#world.loopMs) + this.#delayMs;
    this.#due = this.#world.at(atMs, () => this.#fire(), this.#owner);
  }

  #fire(): void {
    this.#due = undefined;
    try {
      this.#callback();
    } finally {
      // The callback may have closed or refreshed it.
      if (this.#repeats && this.#due === undefined && !this.#isClosed) this.#arm();
    }
  }
}

/** As NodeJS.Immediate. */
export class SimImmediate {
  readonly #due: Cancel;

  constructor(world: World, callback: () => void) {
    this.#due = world.after(0, callback);
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  close(): void {
    this.#due.cancel();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The functions that replace Node's. Timers from before the world go to Node's own functions. */
export function timerFunctions(
  world: World,
  real: Pick<typeof globalThis, 'clearTimeout' | 'clearImmediate'>,
) {
  const numbers = new TimerNumbers();
  const timer = (callback: Callback, delayMs: unknown, repeats: boolean, args: unknown[]) =>
    new SimTimer(world, args.length === 0 ? callback : () => callback(...args), {
      delayMs,
      repeats,
      numbers,
    });
  const clear = (given: unknown) => {
    const own = typeof given === 'number' || typeof given === 'string' ? numbers.find(Number(given)) : given;
    if (own instanceof SimTimer) own.close();
    else real.clearTimeout(given as NodeJS.Timeout);
  };
  return {
    setTimeout: (callback: Callback, delayMs?: unknown, ...args: unknown[]) =>
      timer(callback, delayMs, false, args),
    setInterval: (callback: Callback, delayMs?: unknown, ...args: unknown[]) =>
      timer(callback, delayMs, true, args),
    setImmediate: (callback: Callback, ...args: unknown[]) =>
      new SimImmediate(world, args.length === 0 ? callback : () => callback(...args)),
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: (given: unknown) => {
      if (given instanceof SimImmediate) given.close();
      else real.clearImmediate(given as NodeJS.Immediate);
    },
  };
}
