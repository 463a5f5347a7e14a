// A stream of the admin port and its client on a real connection, on which the client reads slowly.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { OutStream } from '../../src/admin/out-stream.ts';

/** More than the kernel takes. */
const TEXT = Buffer.alloc(24 * 2 ** 20, 'x');
const READ_BYTES = 2 ** 20;

test('a client that reads slowly is not taken for one that does not read, and gets each byte once', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close().closeAllConnections());
  await once(server, 'listening');
  const request = get(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const [, response] = await once(server, 'request');
  const out = new OutStream(response);
  assert.ok(out.write(TEXT));
  assert.ok(!out.write('left out'));
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  const beganAtMs = performance.now();
  let bytes = 0;
  let blockedMs = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    if (Math.floor((bytes + chunk.length) / READ_BYTES) > Math.floor(bytes / READ_BYTES)) await sleep(50);
    bytes += chunk.length;
    blockedMs = Math.max(blockedMs, out.blockedMs);
    if (bytes === TEXT.length) break;
  }
  const tookMs = performance.now() - beganAtMs;
  assert.ok(blockedMs < tookMs / 2, `${blockedMs} of ${tookMs} ms`);
  assert.ok(await out.ready());
  assert.ok(out.write('next'));
});
