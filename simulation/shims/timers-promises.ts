// node:timers/promises in a world.

interface Options {
  readonly signal?: AbortSignal | undefined;
  readonly ref?: boolean;
}

export function setTimeout<T>(delayMs?: number, value?: T, options: Options = {}): Promise<T | undefined> {
  return waited(
    (done) => {
      const timer = globalThis.setTimeout(done, delayMs);
      return () => clearTimeout(timer);
    },
    { ...options, value },
  );
}

export function setImmediate<T>(value?: T, options: Options = {}): Promise<T | undefined> {
  return waited(
    (done) => {
      const immediate = globalThis.setImmediate(done);
      return () => clearImmediate(immediate);
    },
    { ...options, value },
  );
}

/** @param begin returns the function that ends the wait */
function waited<T>(
  begin: (done: () => void) => () => void,
  { signal, value }: Options & { value: T | undefined },
): Promise<T | undefined> {
  if (signal?.aborted) return Promise.reject(aborted(signal));
  return new Promise((resolve, reject) => {
    const cancel = begin(() => {
      signal?.removeEventListener('abort', abort);
      resolve(value);
    });
    const abort = () => {
      cancel();
      reject(aborted(signal));
    };
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** As Node's AbortError. */
function aborted(signal: AbortSignal | undefined): Error {
  const error = new Error('The operation was aborted', { cause: signal?.reason });
  return Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' });
}
