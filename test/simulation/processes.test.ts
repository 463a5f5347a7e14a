// Processes that other processes fork in a simulated world: messages in order, ends that are heard of, signals.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { type ChildProcess, fork } from '../../simulation/shims/child-process.ts';
import type { SimProcess } from '../../simulation/world/sim-process.ts';
import { World } from '../../simulation/world/world.ts';

describe('a forked process of a simulated world', () => {
  let world: World;
  let child: ChildProcess;
  const heard: unknown[] = [];

  afterEach(() => {
    world.end();
    heard.splice(0);
  });

  /** Starts a parent that forks one child, which runs `program`. */
  async function family(program: () => void): Promise<SimProcess> {
    world = new World(3);
    Object.assign(world, { network: { inherit: () => {} } });
    const parent = world.startProcess('parent', { program });
    await Promise.all([
      world.as(parent, () => {
        child = fork('program.js', ['serve']);
        for (const event of ['message', 'exit', 'disconnect'])
          child.on(event, (...args) => heard.push([event, ...args]));
      }),
      world.play({ ms: 1 }),
    ]);
    return parent;
  }

  it('gets the messages in order, also those from before its program has started, as copies', async () => {
    const parent = await family(() => {
      process.on('message', (message) => process.send?.({ back: message, argv: process.argv.slice(2) }));
    });
    const given = { list: [1, 2], left: undefined };
    await Promise.all([
      world.as(parent, () => {
        for (let number = 0; number < 20; number++) child.send({ ...given, number });
        given.list.push(3);
      }),
      world.play({ ms: 1000 }),
    ]);
    assert.equal(heard.length, 20);
    assert.deepEqual(heard[19], ['message', { back: { list: [1, 2], number: 19 }, argv: ['serve'] }]);
  });

  it('is heard of when it ends, and messages that it sent before still arrive', async () => {
    await family(() => {
      process.send?.('last words');
      setTimeout(() => process.exit(4), 1);
    });
    await world.play({ ms: 1000 });
    assert.deepEqual(heard.map(String).sort(), ['disconnect', 'exit,4,', 'message,last words']);
    assert.equal(child.connected, false);
    assert.equal(child.kill(), false);
  });

  it('is killed by a signal, and its parent hears which', async () => {
    const parent = await family(() => {});
    await Promise.all([world.as(parent, () => child.kill('SIGKILL')), world.play({ ms: 1000 })]);
    assert.deepEqual(
      heard.find((event) => String(event).startsWith('exit')),
      ['exit', null, 'SIGKILL'],
    );
  });

  it('acts on signals for which it listens', async () => {
    const parent = await family(() => {
      process.on('SIGTERM', () => process.send?.('asked to end'));
    });
    await world.play({ ms: 1000 });
    await Promise.all([world.as(parent, () => child.kill()), world.play({ ms: 1000 })]);
    assert.deepEqual(heard, [['message', 'asked to end']]);
  });

  it('hears of the end of its parent, also if that came before its program has started', async () => {
    for (const waitMs of [0, 1000]) {
      const parent = await family(() => {
        process.on('disconnect', () => heard.push(process.connected));
      });
      await world.play({ ms: waitMs });
      parent.kill();
      await world.play({ ms: 1000 });
      assert.deepEqual(heard.splice(0), [false], `killed after ${waitMs} ms`);
      world.end();
    }
  });
});
