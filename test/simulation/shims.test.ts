// The small shims of Node's modules, held to Node's own: the same calls give the same results, in simulated time.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import * as realTimers from 'node:timers/promises';
import * as realZlib from 'node:zlib';
import { createWorld } from '../../simulation/create-world.ts';
import * as crypto from '../../simulation/shims/crypto.ts';
import { lookup } from '../../simulation/shims/dns-promises.ts';
import { perProcess } from '../../simulation/shims/per-process.ts';
import * as timers from '../../simulation/shims/timers-promises.ts';
import * as zlib from '../../simulation/shims/zlib.ts';
import type { World } from '../../simulation/world/world.ts';

describe('a shim', () => {
  let world: World;
  beforeEach(() => {
    world = createWorld(5);
  });
  afterEach(() => world.end());

  /** The results of the promises, once the world has played for a simulated second. */
  async function settled(promises: readonly Promise<unknown>[]): Promise<unknown[]> {
    const results = Promise.allSettled(promises);
    await world.play({ ms: 1000 });
    return results;
  }

  const facts = (results: readonly unknown[]) =>
    (results as PromiseSettledResult<unknown>[]).map((result) => {
      if (result.status === 'fulfilled') return result.value;
      const { name, code, message } = result.reason as Error & { code?: string };
      return { name, code, message };
    });

  it('of timers/promises resolves, and rejects when it is aborted, as Node does', async () => {
    const script = ({ setTimeout, setImmediate }: Pick<typeof realTimers, 'setTimeout' | 'setImmediate'>) => {
      const later = new AbortController();
      const promises = [
        setTimeout(1, 'value'),
        setImmediate('at once'),
        setTimeout(20, 'never', { signal: AbortSignal.abort() }),
        setTimeout(20, 'never', { signal: later.signal }),
        setTimeout(1, 'in time', { signal: later.signal }),
      ];
      return { promises, abort: () => later.abort() };
    };
    const simulated = script(timers as unknown as typeof realTimers);
    world.after(5, simulated.abort);
    const told = facts(await settled(simulated.promises));
    world.end();
    const real = script(realTimers);
    setTimeout(real.abort, 5);
    assert.deepEqual(told, facts(await Promise.allSettled(real.promises)));
  });

  it('of crypto draws from the seed, and hashes as Node does', async () => {
    const drawn = () => [crypto.randomBytes(8).toString('hex'), crypto.randomInt(1000), crypto.randomUUID()];
    const first = drawn();
    assert.match(String(first[2]), /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    world.end();
    world = createWorld(5);
    assert.deepEqual(drawn(), first);
    assert.notDeepEqual(drawn(), first);
    assert.equal(crypto.createHash('sha256').update('a').digest('hex').slice(0, 8), 'ca978112');
  });

  it('of zlib gives the bytes and errors of Node, later', async () => {
    const gzip = (bytes: Buffer) =>
      new Promise((resolve, reject) => {
        zlib.gzip(bytes, { level: 1 }, (error, result) => (error ? reject(error) : resolve(result)));
      });
    const gunzip = (bytes: Buffer) =>
      new Promise((resolve, reject) => {
        zlib.gunzip(bytes, (error, result) => (error ? reject(error) : resolve(result)));
      });
    const bytes = Buffer.from('reading '.repeat(100));
    const packed = realZlib.gzipSync(bytes, { level: 1 });
    const [one, other, damaged] = facts(await settled([gzip(bytes), gunzip(packed), gunzip(bytes)]));
    assert.deepEqual(one, packed);
    assert.deepEqual(other, bytes);
    assert.equal((damaged as { code: string }).code, 'Z_DATA_ERROR');
  });

  it('of dns/promises knows the machines of the network', async () => {
    const [own, address, unknown] = facts(await settled(['gateway', '127.0.0.1', 'nobody'].map(lookup)));
    assert.equal((own as { family: number }).family, 4);
    assert.deepEqual(address, { address: '127.0.0.1', family: 4 });
    assert.equal((unknown as { code: string }).code, 'ENOTFOUND');
  });

  it('of an object of which each process has one keeps the processes apart', () => {
    const counter = perProcess(() => ({ value: 0, add: (by: number) => by, list: [] as number[] }));
    const [one, other] = [world.startProcess('one'), world.startProcess('other')];
    world.inside(one, () => counter.list.push(1));
    assert.deepEqual(
      [one, other].map((process) => world.inside(process, () => counter.list)),
      [[1], []],
    );
    assert.equal(counter.add(3), 3);
  });
});
