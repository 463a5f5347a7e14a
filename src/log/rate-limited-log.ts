// Keeps a repeated warning from filling the log: the first is said at once, the others are counted and said
// together. Knows no logger; the caller says what to write.

export interface RateLimitOptions {
  readonly everyMs: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

export interface RateLimited {
  /** Something happened once more. */
  (): void;
  /** Says at once what is still counted, if anything; for the end of the process. */
  flush(): void;
}

/** `emit` gets the number of calls it stands for: 1 for the first, then at most one call each `everyMs`. */
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
    // Unref'ed: a warning still counted is no reason to stay alive.
    else timer ??= setTimeout(flush, Math.ceil(restMs)).unref();
  };

  return Object.assign(happened, { flush });
}
