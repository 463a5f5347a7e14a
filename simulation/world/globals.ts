// Replaces the globals of Node that know the real time, chance or process while a world is there, and gives them back at
// its end. kafkajs and the gateway use them without an import.
import { createRequire } from 'node:module';
import { timerFunctions } from './timers.ts';
import type { World } from './world.ts';

/** Node's own, for the machinery of the world. */
const real = {
  setImmediate: globalThis.setImmediate,
  clearTimeout: globalThis.clearTimeout,
  clearImmediate: globalThis.clearImmediate,
  process: globalThis.process,
};

export interface Globals {
  readonly real: typeof real;
  restore(): void;
}

/** kafkajs asks for random bytes and for the key of a SCRAM login. */
const crypto = createRequire(import.meta.url)('node:crypto') as typeof import('node:crypto');

export function installGlobals(world: World): Globals {
  const undo: (() => void)[] = [];
  const replace = (object: object, name: string, value: PropertyDescriptor) => {
    const before = Object.getOwnPropertyDescriptor(object, name);
    Object.defineProperty(object, name, {
      configurable: true,
      enumerable: before?.enumerable ?? true,
      ...value,
    });
    undo.push(() => {
      if (before === undefined) delete (object as Record<string, unknown>)[name];
      else Object.defineProperty(object, name, before);
    });
  };
  const set = (object: object, name: string, value: unknown) =>
    replace(object, name, { value, writable: true });

  for (const [name, value] of Object.entries(timerFunctions(world, real))) set(globalThis, name, value);
  set(globalThis, 'Date', simulatedDate(world));
  set(performance, 'now', () => world.look() - world.current.startedAtMs);
  // As all CPU time: a real one would differ from run to run.
  set(performance, 'eventLoopUtilization', () => ({ idle: 0, active: 0, utilization: 0 }));
  set(Math, 'random', () => world.current.random.next());
  // The read-coalescer sleeps on memory that nobody ever writes.
  const { wait } = Atomics;
  set(Atomics, 'wait', (array: Int32Array, index: number, value: number, ms = Number.POSITIVE_INFINITY) => {
    if (!Number.isFinite(ms)) return wait(array, index, value, ms);
    world.spend(ms);
    return 'timed-out';
  });
  replace(globalThis, 'process', { get: () => world.processObject(world.current)?.facade ?? real.process });
  set(crypto, 'randomBytes', (bytes: number) => world.random('kafkajs').bytes(bytes));
  set(
    crypto,
    'pbkdf2',
    (...args: [...Parameters<typeof crypto.pbkdf2Sync>, (e: null, key: Buffer) => void]) => {
      const [password, salt, iterations, length, digest, done] = args;
      const key = crypto.pbkdf2Sync(password, salt, iterations, length, digest);
      world.after(1, () => done(null, key));
    },
  );
  takeUnhandled(world, undo);

  return {
    real,
    restore: () => {
      for (const step of undo.reverse()) step();
    },
  };
}

function simulatedDate(world: World): DateConstructor {
  const now = () => {
    world.look();
    return world.wallMs;
  };
  return new Proxy(Date, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as Date,
    apply: (target) => new target(now()).toString(),
    get: (target, name, receiver) => (name === 'now' ? now : Reflect.get(target, name, receiver)),
  });
}

/** A rejection that nobody handles is a bug of the process whose code runs. Others, such as a test runner, must not judge it. */
function takeUnhandled(world: World, undo: (() => void)[]): void {
  const event = 'unhandledRejection';
  const before = real.process.rawListeners(event) as NodeJS.UnhandledRejectionListener[];
  real.process.removeAllListeners(event);
  const take = (error: unknown) => world.failed(error, event);
  real.process.on(event, take);
  undo.push(() => {
    real.process.off(event, take);
    for (const listener of before) real.process.on(event, listener);
  });
}
