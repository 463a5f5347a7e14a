// Takes profiles of the process that it runs in, one at a time, into a file that has no name any more when the first byte is
// written. So the kernel frees it with the last descriptor, however the processes end. It opens no port.

import { constants } from 'node:fs';
import { type FileHandle, open, rmdir, statfs, unlink } from 'node:fs/promises';
import { freemem } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { getHeapSnapshot, getHeapStatistics } from 'node:v8';
import type { ProfileAnswer, ProfileKind, ProfileQuestion } from '../inspect/profile-question.ts';

/** A profile that nobody asks for any more is given up. */
const LAPSE_MS = 15_000;
const LOOK_MS = 1_000;
/** Before the process stands still, the answer that it has begun must leave. */
const ANSWER_MS = 50;
/** Measured with 134 MB of small objects: V8 takes 8.4 times the used heap while it makes a snapshot, the file 1.2 times. */
const MEMORY_FACTOR = 9;
const FILE_FACTOR = 1.5;
const SPARE_BYTES = 64 * 2 ** 20;
const CPU_PROFILE_BYTES = 64 * 2 ** 20;

interface Running {
  answer: ProfileAnswer;
  readonly cancel: AbortController;
  /** Monotonic. */
  askedAtMs: number;
}

export class Profiler {
  #running: Running | undefined;

  async answer(question: ProfileQuestion): Promise<ProfileAnswer> {
    if (question.do === 'begin')
      return this.#running === undefined ? this.#begin(question) : { state: 'busy' };
    const running = this.#running;
    if (running === undefined) return { state: 'none' };
    running.askedAtMs = performance.now();
    if (question.do === 'end') running.cancel.abort();
    const { answer } = running;
    if (question.do === 'end' && answer.state !== 'running') this.#running = undefined;
    return answer;
  }

  stop(): void {
    this.#running?.cancel.abort();
  }

  async #begin({ kind, seconds, path }: Extract<ProfileQuestion, { do: 'begin' }>): Promise<ProfileAnswer> {
    const running: Running = {
      answer: { state: 'running' },
      cancel: new AbortController(),
      askedAtMs: performance.now(),
    };
    this.#running = running;
    let file: FileHandle | undefined;
    try {
      const shortage = await shortageFor(kind, path);
      if (shortage !== undefined) throw new Error(shortage);
      file = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW);
      await unlink(path);
      await rmdir(dirname(path));
    } catch (error) {
      await file?.close();
      this.#running = undefined;
      return { state: 'failed', reason: (error as Error).message };
    }
    void this.#run(running, file, { kind, seconds });
    return running.answer;
  }

  async #run(
    running: Running,
    file: FileHandle,
    wish: { kind: ProfileKind; seconds: number },
  ): Promise<void> {
    const { signal } = running.cancel;
    const watch = setInterval(() => {
      if (performance.now() - running.askedAtMs > LAPSE_MS) running.cancel.abort();
    }, LOOK_MS).unref();
    try {
      if (wish.kind === 'cpu') await file.writeFile(await cpuProfile(wish.seconds, signal));
      else {
        await sleep(ANSWER_MS, undefined, { signal });
        const snapshot = getHeapSnapshot();
        // Nobody could ask while the process stood still.
        running.askedAtMs = performance.now();
        for await (const text of snapshot) {
          signal.throwIfAborted();
          // Goes on behind the text before, and writes all of it.
          await file.writeFile(text as string);
        }
      }
      running.answer = { state: 'done', bytes: (await file.stat()).size };
    } catch (error) {
      running.answer = { state: 'failed', reason: (error as Error).message };
    }
    clearInterval(watch);
    await file.close().catch(() => {});
    if (signal.aborted) this.#running = undefined;
    // The answer is kept for a while.
    else setTimeout(() => this.#forget(running), LAPSE_MS).unref();
  }

  #forget(running: Running): void {
    if (this.#running === running) this.#running = undefined;
  }
}

/** The JSON of a CPU profile. Rejects if the signal aborts. */
async function cpuProfile(seconds: number, signal: AbortSignal): Promise<string> {
  const { Session } = await import('node:inspector');
  const session = new Session();
  session.connect();
  try {
    const post = (method: string) =>
      new Promise<object>((resolve, reject) =>
        session.post(method, (error: Error | null, result?: object) =>
          error === null ? resolve(result ?? {}) : reject(error),
        ),
      );
    await post('Profiler.enable');
    await post('Profiler.start');
    await sleep(seconds * 1000, undefined, { signal });
    const { profile } = (await post('Profiler.stop')) as { profile: object };
    return JSON.stringify(profile);
  } finally {
    session.disconnect();
  }
}

/** Why the profile would hurt the process or its machine. */
async function shortageFor(kind: ProfileKind, path: string): Promise<string | undefined> {
  const heapBytes = getHeapStatistics().used_heap_size;
  const needed = MEMORY_FACTOR * heapBytes + SPARE_BYTES;
  const memory = process.availableMemory?.() ?? freemem();
  if (kind === 'heap' && memory < needed)
    return `memory is short: a heap snapshot may need ${mib(needed)}, and ${mib(memory)} are free`;
  const fileBytes = kind === 'heap' ? FILE_FACTOR * heapBytes + SPARE_BYTES : CPU_PROFILE_BYTES;
  const { bavail, bsize } = await statfs(dirname(path));
  if (bavail * bsize < fileBytes)
    return `the disk is short: the profile may need ${mib(fileBytes)} in the directory for temporary files, and ${mib(bavail * bsize)} are free`;
  return undefined;
}

function mib(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
