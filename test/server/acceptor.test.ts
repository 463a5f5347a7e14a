// The acceptor with places that the test gives: which sockets wait, which are refused, and that none waits for ever.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Acceptor, type AcceptorDeps } from '../../src/server/acceptor.ts';
import { NOBODY } from '../../src/server/byte-source.ts';
import type { Arrival } from '../../src/server/stage.ts';
import { Device } from '../support/device.ts';
import { testLog } from '../support/log.ts';
import { optionsOf } from '../support/socket-options.ts';
import { waitFor } from '../support/wait.ts';

async function acceptorFor(
  t: TestContext,
  {
    maxSockets = 100,
    keepaliveMs = 0,
    ask,
  }: { maxSockets?: number; keepaliveMs?: number; ask?: AcceptorDeps['ask'] } = {},
) {
  const asked: number[] = [];
  const descriptors: number[] = [];
  const taken = new Map<number, Arrival>();
  const gone: number[] = [];
  const acceptor = new Acceptor(
    { maxSockets, keepaliveMs },
    {
      log: testLog({ level: 'silent' }),
      hasDescriptor: (descriptor) => void descriptors.push(descriptor),
      ask: ask ?? ((number) => void asked.push(number)),
      take: (arrival, number) => void taken.set(number, arrival),
      gone: (number) => void gone.push(number),
    },
  );
  const { port } = await acceptor.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => {
    acceptor.close();
    for (const { source } of taken.values()) source.destroy();
  });
  const connect = async () => {
    const device = await Device.connect(port);
    t.after(() => device.destroy());
    return device;
  };
  return { acceptor, asked, descriptors, taken, gone, connect };
}

test('a socket waits unread for its place, and is then taken or refused', async (t) => {
  const { acceptor, asked, taken, connect } = await acceptorFor(t);
  const [first, second] = [await connect(), await connect()];
  first.send('sent before it was admitted');
  await waitFor('both ask', () => asked.length === 2);
  assert.deepEqual([acceptor.waiting, taken.size], [2, 0]);
  acceptor.admit(0, 0);
  const source = taken.get(0)?.source;
  const read: string[] = [];
  source?.take({ ...NOBODY, onBytes: (bytes) => read.push(String(bytes)) });
  source?.resume();
  await waitFor('its bytes', () => read.join('') === 'sent before it was admitted');
  acceptor.refuse(1, 'address');
  const { code, message } = await second.read();
  assert.equal(code, 'server_full');
  assert.match(message ?? '', /this address/);
  assert.deepEqual([acceptor.counters.accepted, acceptor.counters.refused.address], [1, 1]);
  assert.equal(acceptor.waiting, 0);
  // An answer that comes twice or late changes nothing.
  acceptor.admit(1, 0);
  acceptor.refuse(0, 'connections');
  assert.deepEqual([acceptor.counters.accepted, taken.size], [1, 1]);
});

test('a socket with a place is served after its delay', async (t) => {
  const { acceptor, asked, taken, connect } = await acceptorFor(t);
  await connect();
  await waitFor('it asks', () => asked.length === 1);
  const since = performance.now();
  acceptor.admit(0, 300);
  assert.deepEqual([acceptor.waiting, taken.size], [1, 0]);
  await waitFor('it is taken', () => taken.has(0));
  assert.ok(performance.now() - since >= 299);
});

test('sockets beyond the limit of the process are refused, also while others wait', async (t) => {
  const { acceptor, asked, connect } = await acceptorFor(t, { maxSockets: 2 });
  await connect();
  await connect();
  await waitFor('two ask', () => asked.length === 2);
  assert.equal((await (await connect()).read()).code, 'server_full');
  acceptor.admit(0, 0);
  assert.equal((await (await connect()).read()).code, 'server_full');
  acceptor.released();
  await connect();
  await waitFor('the next one asks', () => asked.length === 3);
});

test('a socket without an answer for 10 s is refused, and its place given back', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { acceptor, asked, gone, connect } = await acceptorFor(t);
  const device = await connect();
  const reply = device.read();
  await waitFor('it asks', () => asked.length === 1);
  t.mock.timers.tick(10_000);
  assert.deepEqual(gone, []);
  t.mock.timers.tick(1000);
  assert.equal((await reply).code, 'server_full');
  assert.deepEqual([gone, acceptor.counters.refused.overload, acceptor.waiting], [[0], 1, 0]);
});

test('at the stop, sockets with a place are taken at once and the others are refused', async (t) => {
  const { acceptor, asked, taken, gone, connect } = await acceptorFor(t);
  await connect();
  const without = await connect();
  await waitFor('both ask', () => asked.length === 2);
  acceptor.admit(0, 60_000);
  acceptor.stop();
  assert.deepEqual([[...taken.keys()], gone, acceptor.waiting], [[0], [1], 0]);
  assert.equal((await without.read()).code, 'server_full');
});

const onLinux = { skip: process.platform === 'linux' ? false : 'needs getsockopt() of Linux' };

test(
  'small writes to an accepted socket are not delayed, and the kernel probes whether its device is there',
  onLinux,
  async (t) => {
    for (const keepaliveMs of [25_000, 0]) {
      const { descriptors, connect } = await acceptorFor(t, { keepaliveMs });
      await connect();
      await waitFor('it is accepted', () => descriptors.length === 1);
      const { noDelay, keepalive, idleSeconds } = optionsOf(descriptors[0] as number);
      assert.deepEqual([noDelay, keepalive], [true, keepaliveMs > 0]);
      if (keepalive) assert.equal(idleSeconds, 25);
    }
  },
);
