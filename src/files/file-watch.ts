// Watches all files of one process for changes. Every five seconds it looks at them. A change is taken over once the files
// have not changed for another second, so that it reads no half-written file and no certificate without its new key.
// reload() reads all of them at once. Nothing is watched after stop().
//
//   const files = new FileWatch({ log });                // one for each process
//   const keys = files.watch({ name: 'TCP_TLS_CERT and TCP_TLS_KEY', paths: [cert, key], parse, changed });
//   keys.value; await files.reload(); files.stop();

import type { Fingerprint } from '../config/file-content.ts';
import type { Log } from '../log/log.ts';
import { equal, WatchedFile, type WatchedFileOptions } from './watched-file.ts';

export interface FileWatchOptions {
  readonly log: Log;
  readonly everyMs?: number;
  /** How long files must not change before they are read. */
  readonly stillMs?: number;
}

const EVERY_MS = 5000;
const STILL_MS = 1000;

export class FileWatch {
  readonly #log: Log;
  readonly #everyMs: number;
  readonly #stillMs: number;
  /** With the fingerprints of a change that is waited for. */
  readonly #files = new Map<WatchedFile<unknown>, readonly Fingerprint[] | undefined>();
  #timer: NodeJS.Timeout | undefined;
  /** Looks and reloads run one after the other. */
  #work: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor({ log, everyMs = EVERY_MS, stillMs = STILL_MS }: FileWatchOptions) {
    this.#log = log;
    this.#everyMs = everyMs;
    this.#stillMs = stillMs;
  }

  /** Reads the files synchronously. Without a fallback it throws a FileError, or the error of `parse`. */
  watch<T>(options: WatchedFileOptions<T>): WatchedFile<T> {
    const file = new WatchedFile(options, this.#log);
    this.#files.set(file as WatchedFile<unknown>, undefined);
    this.#arm(this.#everyMs);
    return file;
  }

  /** Reads all files now. Resolves when valid contents are in use. Never rejects because of the files. */
  reload(): Promise<void> {
    return this.#next(async () => {
      await Promise.all([...this.#files.keys()].map((file) => file.read()));
      for (const file of this.#files.keys()) this.#files.set(file, undefined);
    });
  }

  /** The values stay as they are from now on. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const file of this.#files.keys()) file.close();
    this.#files.clear();
  }

  #arm(ms: number): void {
    if (this.#stopped) return;
    // Unref'ed: a watch must not keep the process alive.
    this.#timer ??= setTimeout(() => {
      void this.#next(async () => {
        const waits = await Promise.all([...this.#files.keys()].map((file) => this.#look(file)));
        this.#timer = undefined;
        this.#arm(waits.includes(true) ? this.#stillMs : this.#everyMs);
      });
    }, ms).unref();
  }

  /** @returns true if the file has changed and may still be changing */
  async #look(file: WatchedFile<unknown>): Promise<boolean> {
    const now = await file.changes();
    const before = this.#files.get(file);
    const isStill = now !== undefined && before !== undefined && equal(now, before);
    if (this.#files.has(file)) this.#files.set(file, isStill ? undefined : now);
    if (isStill && !this.#stopped) await file.read();
    return now !== undefined && !isStill;
  }

  #next(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(() => (this.#stopped ? undefined : work()));
    return this.#work;
  }
}
