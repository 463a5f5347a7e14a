// Limits how often a repeated warning is logged: the first is reported at once, later ones are counted and reported
// together. It knows no logger; the caller writes the line.

export interface RateLimitOptions {
  readonly everyMs: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

export interface RateLimited {
  /** The event happened. */
  (): void;
  /** Reports at once any events still counted. Call it before the process ends. */
  flush(): void;
}

/** `emit` gets the number of events: 1 for the first, then it is called at most once every `everyMs`. */
export function rateLimited(options: RateLimitOptions, emit: (count: number) => void): RateLimited {
  const { everyMs, now = () => performance.now() } = options;
  let lastAt = Number.NEGATIVE_INFINITY;
  let waiting = 0;
  let timer: NodeJS.Timeout | undefined;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting === 0) return;
    const count = waiting;
    waiting = 0;
    lastAt = now();
    emit(count);
  };

  const happened = (): void => {
    waiting += 1;
    const restMs = lastAt + everyMs - now();
    if (restMs <= 0) flush();
    // Unref'ed: a counted warning must not keep the process alive.
    else timer ??= setTimeout(flush, Math.ceil(restMs)).unref();
  };

  return Object.assign(happened, { flush });
}
