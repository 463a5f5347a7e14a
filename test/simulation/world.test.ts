// The simulated world: order of events, timers as Node has them, processes that die, freeze and fork, and histories that
// depend on the seed alone.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { ProcessGone } from '../../simulation/world/sim-process.ts';
import { World } from '../../simulation/world/world.ts';

describe('a simulated world', () => {
  let world: World;
  afterEach(() => world.end());

  /** Names of what has happened, in order. */
  const told: string[] = [];
  const tell = (name: string) => () => void told.push(name);
  afterEach(() => void told.splice(0));

  it('plays events by their time, and those of the same time in the order of their making', async () => {
    world = new World(1);
    world.after(2, tell('c'));
    world.after(1, tell('a'));
    world.after(1, tell('b'));
    assert.equal(await world.play({}), 'idle');
    assert.deepEqual(told, ['a', 'b', 'c']);
    assert.equal(world.nowMs, 2);
  });

  it('runs all promises and process.nextTick() of an event before the next event', async () => {
    world = new World(1);
    world.after(0, async () => {
      for (let turn = 0; turn < 100; turn++) {
        await null;
        await new Promise<void>((resolve) => process.nextTick(resolve));
      }
      told.push('long');
    });
    world.after(0, tell('next'));
    await world.play({});
    assert.deepEqual(told, ['long', 'next']);
  });

  it('has timers of whole milliseconds that can be cleared, refreshed and repeated', async () => {
    world = new World(1);
    clearTimeout(setTimeout(tell('cleared'), 1));
    const refreshed = setTimeout((word: string) => told.push(word), 3.9, 'refreshed');
    const ticks = setInterval(tell('tick'), 2);
    setImmediate(tell('immediate'));
    world.after(2.5, () => refreshed.refresh());
    world.after(6.5, () => clearInterval(ticks));
    assert.equal(await world.play({}), 'idle');
    assert.deepEqual(told, ['immediate', 'tick', 'tick', 'refreshed', 'tick']);
  });

  it('moves the clocks of all code', async () => {
    world = new World(1);
    const process = world.startProcess('one');
    const times: number[] = [];
    world.after(
      1000,
      () => times.push(performance.now(), Date.now(), Date.parse(new Date().toISOString())),
      process,
    );
    await world.play({});
    assert.ok(times[0] !== undefined && times[0] >= 1000 && times[0] < 1001);
    assert.equal(times[1], times[2]);
    world.setWallClock(5_000_000);
    const outside = Date.now();
    const [inside] = [world.inside(process, () => Date.now())];
    assert.equal(inside, 5_000_000);
    assert.notEqual(outside, 5_000_000, 'only the clock of the gateway jumps');
  });

  it('lets a process do one thing at a time: its next event waits, those of others do not', async () => {
    world = new World(1);
    const [busy, other] = [world.startProcess('busy'), world.startProcess('other')];
    const at = (name: string) => () => told.push(`${name} ${world.nowMs.toFixed(0)}`);
    world.after(1, () => world.spend(50), busy);
    world.after(2, at('busy'), busy);
    world.after(2, at('other'), other);
    await world.play({});
    assert.deepEqual(told, ['other 2', 'busy 51']);
  });

  it('runs nothing of a killed process any more', async () => {
    world = new World(1);
    const killed = world.startProcess('killed');
    world.after(
      0,
      () => {
        setTimeout(tell('timeout'), 10);
        setInterval(tell('interval'), 4);
        setImmediate(() => setTimeout(tell('later'), 10));
      },
      killed,
    );
    world.after(5, () => killed.kill());
    world.after(6, tell('never'), killed);
    killed.onDeath(({ signal }) => told.push(`${signal}`));
    // Bounded: if the interval of the dead process went on, the world would never be idle.
    assert.equal(await world.play({ ms: 100 }), 'idle');
    assert.deepEqual(told, ['interval', 'SIGKILL']);
    assert.equal(world.after(0, tell('never'), killed) !== undefined, true);
    await world.play({ ms: 100 });
    assert.equal(told.includes('never'), false);
  });

  it('holds the events of a frozen process until it goes on, in their order', async () => {
    world = new World(1);
    const frozen = world.startProcess('frozen');
    world.after(1, tell('one'), frozen);
    world.after(2, tell('two'), frozen);
    world.after(100, tell('three'), frozen);
    frozen.freeze();
    assert.equal(await world.play({ ms: 50 }), 'time');
    assert.deepEqual(told, []);
    frozen.thaw();
    await world.play({});
    assert.deepEqual(told, ['one', 'two', 'three']);
  });

  it('gives the result of as() in an event of the caller', async () => {
    world = new World(1);
    const one = world.startProcess('one');
    const names: string[] = [];
    const asked = async () => {
      names.push(await world.as(one, async () => world.current.name));
      names.push(world.current.name);
      await assert.rejects(
        world.as(one, () => Promise.reject(new Error('refused'))),
        /refused/,
      );
      world.after(5, () => one.kill());
      await assert.rejects(
        world.as(one, () => new Promise(() => {})),
        ProcessGone,
      );
    };
    const done = asked();
    await world.play({});
    await done;
    assert.deepEqual(names, ['one', 'outside']);
  });

  it('ends a process by exit() and by errors that nobody catches, and keeps the error', async () => {
    world = new World(1);
    const [exits, throws, rejects] = ['exits', 'throws', 'rejects'].map((name) => world.startProcess(name));
    assert.ok(exits && throws && rejects);
    world.after(
      0,
      () => {
        process.on('exit', (code) => told.push(`exit ${code}`));
        process.exit(3);
      },
      exits,
    );
    world.after(
      0,
      () => {
        throw new Error('thrown');
      },
      throws,
    );
    world.after(0, () => void Promise.reject(new Error('rejected')), rejects);
    await world.play({});
    assert.deepEqual(told, ['exit 3']);
    assert.equal(exits.end?.code, 3);
    assert.equal(throws.end?.code, 1);
    assert.match(String(throws.crash), /thrown/);
    assert.equal(rejects.end?.code, 1);
    assert.match(String(rejects.crash), /rejected/);
  });

  it('rejects play() with an error of the outside', async () => {
    world = new World(1);
    world.after(0, () => {
      throw new Error('bug of the test');
    });
    await assert.rejects(world.play({}), /bug of the test/);
  });

  it('draws the same numbers for the same seed, and leaves other streams alone', () => {
    const draws = (seed: number, before: number) => {
      world = new World(seed);
      for (let draw = 0; draw < before; draw++) world.random('other').next();
      const random = world.random('one');
      const drawn = [
        random.next(),
        random.between(1, 1000),
        random.chance(0.5),
        random.bytes(4).toString('hex'),
      ];
      world.end();
      return drawn;
    };
    assert.deepEqual(draws(7, 0), draws(7, 5));
    assert.notDeepEqual(draws(7, 0), draws(8, 0));
  });

  it('gives the globals back', () => {
    const names = ['setTimeout', 'setImmediate', 'Date', 'process'] as const;
    const before = names.map((name) => globalThis[name]);
    world = new World(1);
    assert.notEqual(globalThis.setTimeout, before[0]);
    world.end();
    assert.deepEqual(
      names.map((name) => globalThis[name]),
      before,
    );
    assert.notEqual(Math.random(), Math.random());
  });
});
