// Reading the bytes of devices, with and without Node's handle. Lines are tested with connections (stored.test.ts and
// others).
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { readInPlace, type SocketReader } from '../../src/server/device-reader.ts';
import { slabs } from '../../src/server/slabs.ts';

/** Both ends of a connection from which nothing was read. */
async function pair(t: TestContext): Promise<{ device: Socket; accepted: Socket }> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const device = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  const [accepted] = (await once(server, 'connection')) as [Socket];
  server.close();
  t.after(() => device.destroy());
  return { device, accepted };
}

const takenBy = (onBytes: SocketReader['onBytes']): SocketReader => ({
  onBytes,
  onEnd: () => {},
  onClose: () => {},
});

const text = (pieces: readonly Uint8Array[]) => Buffer.concat(pieces).toString();

test('the bytes of a device stay while other devices are read', async (t) => {
  const pairs = await Promise.all(Array.from({ length: 20 }, () => pair(t)));
  const pieces: Uint8Array[][] = pairs.map(() => []);
  for (const [index, { accepted }] of pairs.entries())
    readInPlace(
      accepted,
      takenBy((bytes, slab) => {
        if (slab !== undefined) slabs.hold(slab);
        pieces[index]?.push(bytes);
      }),
    );
  for (const { accepted } of pairs) accepted.resume();
  // More than a slab holds, in sizes that do not divide it.
  const sent = pairs.map((_, index) => `${index}`.repeat(40_000 + index));
  for (const [index, { device }] of pairs.entries()) device.end(sent[index] ?? '');
  await Promise.all(pairs.map(({ device }) => once(device, 'finish')));
  while (pieces.some((own, index) => text(own).length < (sent[index]?.length ?? 0)))
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(pieces.map(text), sent);
  for (const { device } of pairs) device.destroy();
});

test('a device that was never read, or is paused, is not read', async (t) => {
  const { device, accepted } = await pair(t);
  const pieces: Uint8Array[] = [];
  readInPlace(
    accepted,
    takenBy((bytes) => pieces.push(bytes)),
  );
  const isSilent = async (bytes: string) => {
    device.write(bytes);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(text(pieces), '');
  };
  await isSilent('he');
  accepted.resume();
  while (text(pieces) !== 'he') await new Promise((resolve) => setTimeout(resolve, 5));
  pieces.length = 0;
  accepted.pause();
  await isSilent('llo');
  accepted.resume();
  while (text(pieces) !== 'llo') await new Promise((resolve) => setTimeout(resolve, 5));
  accepted.write('reply');
  assert.equal(String((await once(device, 'data'))[0]), 'reply');
  const end = once(device, 'close');
  accepted.destroy();
  await end;
});

test('past 1,024 connections a new device is read in smaller pieces, and in full', async (t) => {
  const sent = 'x'.repeat(300_000);
  for (const [others, maxBytes] of [
    [1023, 64 * 1024],
    [1024, 8 * 1024],
  ] as const) {
    const { device, accepted } = await pair(t);
    const sizes: number[] = [];
    readInPlace(
      accepted,
      takenBy((bytes) => sizes.push(bytes.length)),
      others,
    );
    device.end(sent);
    await once(device, 'finish');
    accepted.resume();
    await once(accepted, 'end');
    assert.equal(Math.max(...sizes), maxBytes);
    const received = sizes.reduce((sum, size) => sum + size);
    assert.equal(received, sent.length);
    accepted.destroy();
  }
});

test('without a handle the socket is read as a stream', async () => {
  const stream = new PassThrough();
  stream.pause();
  const pieces: Uint8Array[] = [];
  readInPlace(
    stream as unknown as Socket,
    takenBy((bytes) => pieces.push(bytes)),
  );
  stream.write('hello');
  stream.resume();
  while (pieces.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(text(pieces), 'hello');
});
