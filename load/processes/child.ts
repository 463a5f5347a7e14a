// A child process and the calls into it, over Node's own channel. Devices, readers and the bench's helpers run in
// processes of their own, so that they use several cores and never delay each other or a measurement.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

type Calls<C> = { readonly [K in keyof C]: (args: never) => unknown };

interface Call {
  readonly id: number;
  readonly name: string;
  readonly args: unknown;
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

interface OpenCall {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** An error that a child reported. Its message is for people. */
export class ChildError extends Error {}

export interface ChildOptions<R> {
  /** Takes reports that the child sends without being asked. */
  readonly onReport?: (report: R) => void;
  /** Kills the child. */
  readonly signal?: AbortSignal;
  /** Path of another Node. Absent: the one that runs this. */
  readonly node?: string | undefined;
}

/** `C` is the interface that the child hands to `serveCalls`, `R` the type of its reports. */
export class Child<C extends Calls<C>, R = never> {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #open = new Map<number, OpenCall>();
  #lastId = 0;

  /** @param module the compiled file that calls serveCalls */
  constructor(module: URL, { onReport, signal, node }: ChildOptions<R> = {}) {
    this.#child = fork(fileURLToPath(module), {
      execArgv: [],
      ...(node !== undefined && { execPath: node }),
      // Passes typed arrays and buffers as they are.
      serialization: 'advanced',
      // A process group of its own: Ctrl-C reaches the parent only. If the parent ends, the closed channel ends the child.
      detached: true,
      ...(signal !== undefined && { signal }),
      killSignal: 'SIGKILL',
    });
    this.#child.on('error', () => {});
    this.#child.on('message', (message: Answer | { readonly report: R }) => {
      if ('report' in message) onReport?.(message.report);
      else this.#onAnswer(message);
    });
    this.#child.on('exit', (code, signal) => {
      const error = new Error(`a child process ended (${signal ?? `exit code ${code}`})`);
      for (const { reject } of this.#open.values()) reject(error);
      this.#open.clear();
    });
    this.#exited = once(this.#child, 'exit').catch(() => {});
  }

  /** @throws Error if it could not be started */
  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error('a child process was not started');
    return pid;
  }

  /** Rejects with a ChildError, or with another error if the child ends first. */
  call<K extends keyof C & string>(name: K, args: Parameters<C[K]>[0]): Promise<Awaited<ReturnType<C[K]>>> {
    return new Promise((resolve, reject) => {
      if (!this.#child.connected) {
        reject(new Error('a child process has ended'));
        return;
      }
      const call: Call = { id: ++this.#lastId, name, args };
      this.#open.set(call.id, {
        resolve: (result) => resolve(result as Awaited<ReturnType<C[K]>>),
        reject,
      });
      this.#child.send(call);
    });
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  #onAnswer({ id, result, error }: Answer): void {
    const open = this.#open.get(id);
    this.#open.delete(id);
    if (error === undefined) open?.resolve(result);
    else open?.reject(new ChildError(error));
  }
}

/** Answers the parent's calls until the parent ends. Called once, by the module of the child. */
export function serveCalls<C extends Calls<C>>(calls: C): { report(report: unknown): void } {
  process.on('disconnect', () => process.exit());
  process.on('message', async ({ id, name, args }: Call) => {
    let answer: Answer;
    try {
      answer = { id, result: await calls[name as keyof C](args as never) };
    } catch (error) {
      answer = { id, error: error instanceof Error ? error.message : String(error) };
    }
    process.send?.(answer);
  });
  return { report: (report) => process.send?.({ report }) };
}
