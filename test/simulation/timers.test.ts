// The timers of a world against those of Node: the same scripts give the same order of callbacks.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { World } from '../../simulation/world/world.ts';

type Tell = (name: string) => void;

const MAX_AGAIN = 5;

/** Each takes less than 40 ms. Timers of a script differ by 5 ms at least, unless the order is that of their making. */
const SCRIPTS: Readonly<Record<string, (tell: Tell) => void>> = {
  'microtasks and nextTick() run before anything else': (tell) => {
    setImmediate(() => {
      setImmediate(() => tell('immediate'));
      queueMicrotask(() => process.nextTick(() => tell('tick of a microtask')));
      process.nextTick(() => {
        tell('tick');
        void Promise.resolve().then(() => tell('promise of a tick'));
      });
      void Promise.resolve().then(() => tell('promise'));
    });
  },
  'timers of the same time keep their order, and one may clear another': (tell) => {
    const second = () => setTimeout(() => tell('second'), 5);
    const timers: NodeJS.Timeout[] = [];
    setTimeout(() => {
      tell('first');
      clearTimeout(timers[0]);
    }, 5);
    timers.push(second());
    setTimeout(() => tell('third'), 5);
  },
  'an immediate made by an immediate comes in a later turn': (tell) => {
    setImmediate(() => {
      setImmediate(() => tell('later'));
      tell('one');
    });
    setImmediate(() => tell('two'));
    clearImmediate(setImmediate(() => tell('never')));
  },
  'an interval goes on until it is cleared, also by itself': (tell) => {
    let ticks = 0;
    const interval = setInterval(() => {
      tell(`tick ${++ticks}`);
      if (ticks === 3) clearInterval(interval);
    }, 5);
  },
  'refresh() begins the delay again': (tell) => {
    const timer = setTimeout(() => tell('refreshed'), 20);
    setTimeout(() => timer.refresh(), 5);
    setTimeout(() => tell('past the first delay'), 22);
  },
  'refresh() after the callback, or in it, arms the timer again': (tell) => {
    let fired = 0;
    const timer = setTimeout(() => {
      tell(`fired ${++fired}`);
      if (fired < 2) timer.refresh();
      if (fired === 2) setTimeout(() => timer.refresh(), 5);
    }, 5);
  },
  'a timer that was cleared stays so': (tell) => {
    const timer = setTimeout(() => tell('never'), 5);
    clearTimeout(timer);
    timer.refresh();
    setTimeout(() => tell('end'), 15);
  },
  'clearTimeout() takes undefined and numbers, and clears by the number of a timer': (tell) => {
    clearTimeout(undefined);
    clearTimeout(Number(setTimeout(() => tell('never'), 5)));
    setTimeout(() => tell('end'), 10);
  },
  'delays of 0, below 0, NaN and too much are one millisecond': (tell) => {
    for (const delay of [0, -5, Number.NaN, 2 ** 31]) setTimeout(() => tell(`${delay}`), delay);
  },
};

/** What the script tells in Node itself. */
async function inNode(script: (tell: Tell) => void): Promise<string[]> {
  const told: string[] = [];
  // A warning about a delay that is too long is no part of the test.
  const { emitWarning } = process;
  process.emitWarning = () => {};
  script((name) => told.push(name));
  process.emitWarning = emitWarning;
  await new Promise((resolve) => setTimeout(resolve, 60));
  return told;
}

async function inWorld(script: (tell: Tell) => void): Promise<string[]> {
  const told: string[] = [];
  const world = new World(1);
  try {
    const process = world.startProcess('one');
    world.after(0, () => script((name) => told.push(name)), process);
    await world.play({ ms: 60 });
  } finally {
    world.end();
  }
  return told;
}

describe('timers of a world', () => {
  for (const [name, script] of Object.entries(SCRIPTS))
    it(name, async () => {
      const expected = await inWorld(script);
      let told = await inNode(script);
      // On a busy machine Node itself is late, and then timers 2 ms apart change places.
      for (let again = 0; again < MAX_AGAIN && !isDeepStrictEqual(told, expected); again++)
        told = await inNode(script);
      assert.deepEqual(expected, told);
    });
});
