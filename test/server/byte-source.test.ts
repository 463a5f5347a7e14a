// What every form of the byte source promises, on real sockets.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type ByteSource, NOBODY } from '../../src/server/byte-source.ts';
import { PlainSource } from '../../src/server/plain-source.ts';
import { TlsSource } from '../../src/server/tls-source.ts';
import { Authority } from '../support/authority.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { waitFor } from '../support/wait.ts';

interface Pair {
  readonly source: ByteSource;
  readonly device: Socket;
  /** Cuts the connection of the device with a reset. */
  readonly reset: () => void;
}

/** An accepted socket from which nothing was read, and its device. */
async function sockets(t: TestContext): Promise<{ accepted: Socket; device: Socket }> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const device = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  device.on('error', () => {});
  const [accepted] = (await once(server, 'connection')) as [Socket];
  server.close();
  t.after(() => device.destroy());
  return { accepted, device };
}

async function plain(t: TestContext): Promise<Pair> {
  const { accepted, device } = await sockets(t);
  const source = new PlainSource(accepted);
  t.after(() => source.destroy());
  return { source, device, reset: () => device.resetAndDestroy() };
}

async function tls(t: TestContext): Promise<Pair> {
  const { accepted, device: raw } = await sockets(t);
  const { cert, key } = new Authority(temporaryDirectory(t), 'form').sign('gateway');
  const server = createTlsServer({ cert: readFileSync(cert), key: readFileSync(key), allowHalfOpen: true });
  const device = connectTls({ socket: raw, rejectUnauthorized: false, allowHalfOpen: true } as object);
  device.on('error', () => {});
  const secured = once(device, 'secureConnect');
  server.emit('connection', new PlainSource(accepted).detach(Buffer.alloc(0)));
  const [socket] = (await once(server, 'secureConnection')) as [TLSSocket];
  const source = new TlsSource(socket);
  await secured;
  t.after(() => source.destroy());
  return { source, device, reset: () => raw.resetAndDestroy() };
}

/** Takes the source over and writes down all that comes. */
function taken(source: ByteSource) {
  const seen = { text: '', ends: 0, closes: 0 };
  source.take({
    onBytes: (bytes) => {
      seen.text += Buffer.from(bytes).toString('latin1');
    },
    onEnd: () => {
      seen.ends++;
    },
    onClose: () => {
      seen.closes++;
    },
  });
  return seen;
}

const MIB = 2 ** 20;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

for (const [form, pair] of Object.entries({ plain, tls })) {
  describe(`a ${form} source`, () => {
    it('is not read until resume(), and gives all bytes in order, to the taker of the moment', async (t) => {
      const { source, device } = await pair(t);
      const first = taken(source);
      device.write('one');
      await new Promise((resolve) => setTimeout(resolve, 30));
      assert.equal(first.text, '');
      source.resume();
      await waitFor('the bytes', () => first.text === 'one');
      const second = taken(source);
      device.write('two');
      await waitFor('the others', () => second.text === 'two');
      assert.equal(first.text, 'one');
    });

    it('holds the device up while it is paused, and then reads everything', async (t) => {
      const { source, device } = await pair(t);
      const seen = taken(source);
      source.resume();
      device.write('x');
      await waitFor('a byte', () => seen.text === 'x');
      source.pause();
      const sent = 'y'.repeat(16 * MIB);
      device.write(sent);
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal(seen.text, 'x');
      assert.ok(device.writableLength > 0);
      source.resume();
      await waitFor('all bytes', () => seen.text.length === 1 + sent.length);
    });

    it('hears the end of the device, and can still write', async (t) => {
      const { source, device } = await pair(t);
      const seen = taken(source);
      source.resume();
      device.end('last');
      await waitFor('the end', () => seen.ends === 1);
      assert.deepEqual([seen.text, source.writable], ['last', true]);
      const replies = once(device, 'data');
      source.write('reply');
      assert.equal(String((await replies)[0]), 'reply');
      source.end();
      await waitFor('the close', () => seen.closes === 1);
      assert.deepEqual([source.writable, source.destroyed], [false, true]);
    });

    it('hears the end also if it is paused within the last bytes, again and again', async (t) => {
      const { source, device } = await pair(t);
      const seen = { text: '', ends: 0 };
      source.take({
        onBytes: (bytes) => {
          seen.text += Buffer.from(bytes).toString('latin1');
          source.pause();
        },
        onEnd: () => {
          seen.ends++;
        },
        onClose: () => {},
      });
      // Over TLS each write is a record of its own. The source reads all of them at once.
      for (const letter of 'abc') await new Promise((resolve) => device.write(letter, resolve));
      await new Promise<void>((resolve) => device.end(resolve));
      await new Promise((resolve) => setTimeout(resolve, 30));
      await waitFor('the end', () => {
        source.resume();
        return seen.ends > 0;
      });
      assert.deepEqual(seen, { text: 'abc', ends: 1 });
    });

    it('sends its last bytes before its end', async (t) => {
      const { source, device } = await pair(t);
      const seen = taken(source);
      source.resume();
      let text = '';
      device.on('data', (bytes) => {
        text += bytes;
      });
      source.write('a');
      source.end('z');
      assert.equal(source.writable, false);
      await once(device, 'end');
      assert.equal(text, 'az');
      device.end('still read');
      await waitFor('the close', () => seen.closes === 1);
      assert.equal(seen.text, 'still read');
    });

    it('says when the kernel has taken what was written', async (t) => {
      const { source, device } = await pair(t);
      taken(source);
      source.resume();
      let isTaken = false;
      source.write('r'.repeat(16 * MIB), () => {
        isTaken = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.ok(source.writableLength > 0);
      assert.equal(isTaken, false);
      device.resume();
      await waitFor('it is taken', () => isTaken);
      assert.equal(source.writableLength, 0);
    });

    it('is closed by a reset, and by destroy(), once and without an error', async (t) => {
      for (const close of ['reset', 'destroy'] as const) {
        const { source, device, reset } = await pair(t);
        const seen = taken(source);
        source.resume();
        device.write('x');
        await waitFor('a byte', () => seen.text === 'x');
        if (close === 'reset') reset();
        else source.destroy();
        await waitFor('the close', () => seen.closes === 1);
        assert.deepEqual([source.destroyed, source.writable], [true, false]);
      }
    });

    it('lets go of its taker when it has closed', async (t) => {
      const { source, device, reset } = await pair(t);
      const seen = { bytes: 0, closes: 0 };
      const onBytes = () => void seen.bytes++;
      const onClose = () => void seen.closes++;
      const taker = new WeakRef({ ...NOBODY, onBytes, onClose });
      source.take(taker.deref() ?? NOBODY);
      source.resume();
      // A bare TLS server does not see a reset that comes in the turn of its handshake either.
      device.write('x');
      await waitFor('a byte', () => seen.bytes === 1);
      reset();
      await waitFor('the close', () => seen.closes === 1);
      await waitFor('a collection', () => {
        collect();
        return taker.deref() === undefined;
      });
      assert.ok(source.destroyed);
    });
  });
}

it('a tls source gives the records of one read together, and all of them before the end', async (t) => {
  const { source, device } = await tls(t);
  const seen: string[] = [];
  source.take({
    ...NOBODY,
    onBytes: (bytes) => void seen.push(Buffer.from(bytes).toString('latin1')),
    onEnd: () => void seen.push('end'),
  });
  const sent = Array.from({ length: 100 }, (_, n) => `${n}`.repeat(1 + (n % 7)));
  for (const text of sent) await new Promise((resolve) => device.write(text, resolve));
  await new Promise<void>((resolve) => device.end(resolve));
  source.resume();
  await waitFor('the end', () => seen.includes('end'));
  assert.ok(seen.length < 50, `${seen.length} pieces`);
  assert.equal(seen.join(''), `${sent.join('')}end`);
});

it('a tls source keeps the records that it had read when it was paused in one piece, and says so', async (t) => {
  const { source, device } = await tls(t);
  let [received, pieces, told] = [0, 0, 0];
  source.take({
    ...NOBODY,
    onBytes: (bytes) => {
      received += bytes.length;
      pieces++;
      source.pause();
    },
    onUnread: () => {
      told = Math.max(told, source.unreadBytes);
    },
  });
  // More than is handed on together.
  for (let n = 0; n < 200; n++) await new Promise((resolve) => device.write('x'.repeat(100), resolve));
  await waitFor('all of them', () => {
    source.resume();
    return received === 20_000;
  });
  assert.ok(told > 4000 && told <= 32_000, `${told} bytes`);
  assert.ok(pieces < 10, `${pieces} pieces`);
  assert.equal(source.unreadBytes, 0);
});

it('tls sources take turns, however many tiny records each of them sends at once', async (t) => {
  const RECORDS = 1000;
  const pairs = await Promise.all(Array.from({ length: 8 }, () => tls(t)));
  let [received, inThisTurn, most] = [0, 0, 0];
  for (const { source, device } of pairs) {
    source.take({
      ...NOBODY,
      onBytes: (bytes) => {
        received += bytes.length;
        inThisTurn += bytes.length;
        most = Math.max(most, inThisTurn);
      },
    });
    for (let n = 0; n < RECORDS; n++) await new Promise((resolve) => device.write('x', resolve));
  }
  const all = RECORDS * pairs.length;
  for (const { source } of pairs) source.resume();
  while (received < all) {
    await new Promise((resolve) => setImmediate(resolve));
    inThisTurn = 0;
  }
  // Two of them in each turn, and more if the machine was slow.
  assert.ok(most < all / 2, `${most} of ${all} records in one turn`);
});

it('bytes that a stage puts back come first, and not while the source is paused', async (t) => {
  const { accepted, device } = await sockets(t);
  const source = new PlainSource(accepted);
  t.after(() => source.destroy());
  const stage = taken(source);
  source.resume();
  device.write('header and ');
  await waitFor('the header', () => stage.text === 'header and ');
  source.pause();
  source.unread(Buffer.from('and '));
  const seen = taken(source);
  device.end('lines');
  source.resume();
  source.pause();
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(seen.text, '');
  source.resume();
  await waitFor('the rest', () => seen.ends === 1);
  assert.equal(seen.text, 'and lines');
});
