import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ProcessScript, playWithProcesses, playWithSimulatedProcesses } from './process-stage.ts';

const HALF_OPEN = { allowHalfOpen: true };

const SCRIPTS: Readonly<Record<string, ProcessScript>> = {
  'a stopped process: its kernel takes connections and bytes': async ({ start, call, until, see }) => {
    const server = await start({ isDeaf: false });
    server.stop();
    const client = call(server.port, HALF_OPEN);
    client.resume();
    await until('client', 'ready');
    client.end('hello');
    await until('client', 'finish');
    see('client', 'the process goes on');
    server.goOn();
    await until('client', 'close false');
  },

  'a killed process has read everything: its peers hear the end': async ({ start, call, until, see }) => {
    const server = await start({ isDeaf: false });
    const client = call(server.port, HALF_OPEN);
    client.resume();
    client.write('hello');
    await until('client', '5 bytes');
    await server.kill();
    await until('client', 'end');
    see('client', 'connects again');
    call(server.port);
    await until('client', 'close true');
    client.destroy();
  },

  'a killed process with unread bytes: its peers are reset': async ({ start, call, until, wait }) => {
    const server = await start({ isDeaf: true });
    const client = call(server.port, HALF_OPEN);
    client.resume();
    await until('client', 'ready');
    client.write('hello');
    await wait();
    await server.kill();
    await until('client', 'close true');
  },

  'a killed process with a connection that it never accepted': async ({ start, call, until }) => {
    const server = await start({ isDeaf: false });
    server.stop();
    const client = call(server.port, HALF_OPEN);
    client.resume();
    await until('client', 'ready');
    await server.kill();
    await until('client', 'close true');
  },

  'one of two processes on a socket dies, and the other takes over': async ({
    start,
    bind,
    call,
    until,
    see,
  }) => {
    const bound = bind();
    const [first, second] = await Promise.all([
      start({ isDeaf: false, inherits: bound }),
      start({ isDeaf: false, inherits: bound }),
    ]);
    first.stop();
    second.stop();
    const client = call(first.port, HALF_OPEN);
    client.resume();
    client.write('hello');
    await until('client', 'ready');
    await first.kill();
    see('client', 'the second process goes on');
    second.goOn();
    await until('client', '5 bytes');
    await second.kill();
    await until('client', 'end');
    client.destroy();
    see('client', 'nobody accepts any more');
    const waiting = call(first.port, HALF_OPEN);
    waiting.resume();
    await until('client', 'ready');
    bound.handle.close();
    await until('client', 'close true');
  },
};

describe('processes that stop or die leave sockets as real ones do', () => {
  for (const [name, script] of Object.entries(SCRIPTS)) {
    it(name, async () => {
      const real = await playWithProcesses(script);
      assert.deepEqual(await playWithSimulatedProcesses(script), real);
    });
  }
});
