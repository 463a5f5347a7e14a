// A process of the load and the calls into it, over Node's own channel. Processes, so that devices use several
// cores and the reading of the topic never delays a device.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

type Calls<C> = { readonly [K in keyof C]: (args: never) => unknown };

interface Call {
  readonly id: number;
  readonly name: string;
  readonly args: unknown;
}

type FromChild =
  | { readonly id: number; readonly result?: unknown; readonly error?: string }
  | { readonly report: unknown };

/** A failure that the child told in words meant for people. */
export class ChildError extends Error {}

/** `C` is the interface that the child hands to `serveCalls`, `R` what it reports unasked. */
export class Child<C extends Calls<C>, R> {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #open = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #lastId = 0;

  /** @param module the compiled file, beside this one */
  constructor(module: string, onReport: (report: R) => void) {
    this.#child = fork(fileURLToPath(new URL(module, import.meta.url)), {
      execArgv: [],
      // Typed arrays and buffers go over as they are.
      serialization: 'advanced',
      // Its own process group: Ctrl-C is for us, and the closed channel ends it should we be killed.
      detached: true,
    });
    this.#child.on('error', () => {});
    this.#child.on('message', (message: FromChild) => {
      if ('report' in message) onReport(message.report as R);
      else this.#onAnswer(message);
    });
    this.#child.on('exit', (code, signal) => {
      const error = new Error(`a process of the load ended (${signal ?? `exit code ${code}`})`);
      for (const { reject } of this.#open.values()) reject(error);
      this.#open.clear();
    });
    this.#exited = once(this.#child, 'exit').catch(() => {});
  }

  /** Rejects with the child's error, or when it ends. */
  call<K extends keyof C & string>(name: K, args: Parameters<C[K]>[0]): Promise<Awaited<ReturnType<C[K]>>> {
    const { promise, resolve, reject } = newPromise<Awaited<ReturnType<C[K]>>>();
    if (!this.#child.connected) {
      reject(new Error('a process of the load has ended'));
      return promise;
    }
    const id = ++this.#lastId;
    this.#open.set(id, { resolve: (result) => resolve(result as Awaited<ReturnType<C[K]>>), reject });
    const call: Call = { id, name, args };
    this.#child.send(call);
    return promise;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  #onAnswer(answer: { readonly id: number; readonly result?: unknown; readonly error?: string }): void {
    const open = this.#open.get(answer.id);
    this.#open.delete(answer.id);
    if (answer.error === undefined) open?.resolve(answer.result);
    else open?.reject(new ChildError(answer.error));
  }
}

/** The other side, called by the child's module. Ends with its parent. */
export function serveCalls<C extends Calls<C>>(calls: C): { report(report: unknown): void } {
  process.on('disconnect', () => process.exit());
  process.on('message', async ({ id, name, args }: Call) => {
    try {
      const result = await calls[name as keyof C](args as never);
      process.send?.({ id, result });
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? error.message : String(error) });
    }
  });
  return { report: (report) => process.send?.({ report }) };
}

/** Promise.withResolvers, which Node 20 does not have. */
function newPromise<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
