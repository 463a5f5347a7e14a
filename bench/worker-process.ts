// A helper process of the bench and the calls into it, over Node's own channel. Helpers are processes so that
// their CPU is never the server's, nor that of whoever watches the clock.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

type Calls<C> = { readonly [K in keyof C]: (args: never) => unknown };
type Answer = { readonly result?: unknown; readonly error?: string };

/** One call at a time. `C` is the interface that the worker hands to `serveCalls`. */
export class WorkerProcess<C extends Calls<C>> {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  /** @param file the compiled worker, beside this module; `signal` kills it */
  constructor(file: string, signal: AbortSignal) {
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)), {
      execArgv: [],
      // Its own process group: Ctrl-C is for us, and the closed channel ends it should we be killed.
      detached: true,
      signal,
      killSignal: 'SIGKILL',
    });
    this.#child.on('error', () => {});
    this.#exited = once(this.#child, 'exit').catch(() => {});
  }

  /** Rejects with the worker's error, or when it ends. */
  call<K extends keyof C>(name: K, args: Parameters<C[K]>[0]): Promise<Awaited<ReturnType<C[K]>>> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#child.off('message', onAnswer).off('exit', onExit);
      };
      const onAnswer = (answer: Answer): void => {
        done();
        if (answer.error !== undefined) reject(new Error(answer.error));
        else resolve(answer.result as Awaited<ReturnType<C[K]>>);
      };
      const onExit = (code: number | null, signal: string | null): void => {
        done();
        reject(new Error(`a helper process ended (${signal ?? `exit code ${code}`})`));
      };
      this.#child.on('message', onAnswer).on('exit', onExit);
      if (this.#child.connected) this.#child.send({ name, args });
      else onExit(this.#child.exitCode, this.#child.signalCode);
    });
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

/** The other side, called by the worker's module. Ends with its parent. */
export function serveCalls<C extends Calls<C>>(calls: C): void {
  process.on('disconnect', () => process.exit());
  process.on('message', async ({ name, args }: { name: keyof C; args: never }) => {
    let answer: Answer;
    try {
      answer = { result: await calls[name](args) };
    } catch (error) {
      answer = { error: error instanceof Error ? error.message : String(error) };
    }
    process.send?.(answer);
  });
}
