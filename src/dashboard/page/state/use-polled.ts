// Asks a path again and again while the page is seen, one request at a time. A page that nobody sees asks nothing.
import { useEffect, useState } from 'preact/hooks';
import { get } from '../api/client.ts';

export interface Polled<T> {
  /** The last answer, also while the next one fails. */
  readonly value: T | null;
  /** Why the last request failed. */
  readonly problem: string | null;
  /** The path that `value` is the answer of. */
  readonly path: string | null;
}

/** @param isPaused keeps the last answer */
export function usePolled<T>(path: string, intervalMs: number, isPaused = false): Polled<T> {
  const [polled, setPolled] = useState<Polled<T>>({ value: null, problem: null, path: null });
  useEffect(() => {
    if (isPaused) return;
    let hasEnded = false;
    let timer: ReturnType<typeof setTimeout>;
    const ask = async () => {
      if (!document.hidden) {
        const answer = await get<T>(path);
        if (hasEnded) return;
        setPolled((last) =>
          answer.ok ? { value: answer.value, problem: null, path } : { ...last, problem: answer.text },
        );
      }
      timer = setTimeout(() => void ask(), intervalMs);
    };
    void ask();
    return () => {
      hasEnded = true;
      clearTimeout(timer);
    };
  }, [path, intervalMs, isPaused]);
  return polled;
}
