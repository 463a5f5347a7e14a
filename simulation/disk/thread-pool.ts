// The four threads of libuv in each process, on which the asynchronous calls of files run. Calls that hang hold up the
// calls behind them, as they do in Node.
import type { DiskProcess } from './host.ts';

const THREADS = 4;

interface Pool {
  free: number;
  readonly waiting: ((done: () => void) => void)[];
}

export class ThreadPools {
  readonly #pools = new WeakMap<DiskProcess, Pool>();

  /** Begins the work once a thread of the process is free. The work calls `done` at its end. */
  add(process: DiskProcess, work: (done: () => void) => void): void {
    let pool = this.#pools.get(process);
    if (pool === undefined) {
      pool = { free: THREADS, waiting: [] };
      this.#pools.set(process, pool);
    }
    pool.waiting.push(work);
    begin(pool);
  }
}

function begin(pool: Pool): void {
  while (pool.free > 0) {
    const work = pool.waiting.shift();
    if (work === undefined) return;
    pool.free--;
    work(() => {
      pool.free++;
      begin(pool);
    });
  }
}
