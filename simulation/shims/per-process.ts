// An object of which the gateway has one for each operating system process. In a world many processes share one module, so
// each simulated process gets its own, and a killed one takes its state with it.
import type { SimProcess } from '../world/sim-process.ts';
import { hasWorld, world } from '../world/world.ts';

/** Stands for the object of the process whose code runs. Without a world there is one for all. */
export function perProcess<T extends object>(make: () => T): T {
  const objects = new WeakMap<SimProcess, T>();
  let withoutWorld: T | undefined;
  const own = (): T => {
    if (!hasWorld()) {
      withoutWorld ??= make();
      return withoutWorld;
    }
    const { current } = world();
    let object = objects.get(current);
    if (object === undefined) {
      object = make();
      objects.set(current, object);
    }
    return object;
  };
  return new Proxy({} as T, {
    get: (_, name) => {
      const object = own();
      const value: unknown = Reflect.get(object, name, object);
      return typeof value === 'function' ? value.bind(object) : value;
    },
  });
}
