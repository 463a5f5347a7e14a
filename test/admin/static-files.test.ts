// The files of the dashboard: who gets them, in which form, and with which headers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { StaticFiles } from '../../src/admin/static-files.ts';
import { adminPort } from './admin-port.ts';

const file = (type: string, body: string, headers = {}) => ({
  type,
  body: Buffer.from(body),
  gzipped: gzipSync(body),
  etag: `"${body.length}"`,
  headers,
});
const FILES: StaticFiles = new Map([
  ['/', file('text/html; charset=utf-8', '<p>page', { 'Content-Security-Policy': "default-src 'none'" })],
  ['/dashboard/a.js', file('text/javascript; charset=utf-8', 'export {}')],
]);
const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

test('beyond loopback the page is open to browsers, and the list of paths is not', async (t) => {
  const { url } = await adminPort(t, { host: '0.0.0.0', staticFiles: () => Promise.resolve(FILES) });
  const page = await fetch(`${url}/`, { headers: BROWSER });
  assert.deepEqual([page.status, await page.text()], [200, '<p>page']);
  assert.equal(page.headers.get('content-security-policy'), "default-src 'none'");
  assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(page.headers.get('cross-origin-resource-policy'), 'same-origin');
  assert.equal(page.headers.get('vary'), 'Accept, Accept-Encoding');
  assert.equal((await fetch(`${url}/dashboard/a.js`)).status, 200);
  assert.equal((await fetch(`${url}/`)).status, 401);
  const head = await fetch(`${url}/dashboard/a.js`, { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
  assert.equal((await fetch(`${url}/dashboard/a.js`, { method: 'POST' })).status, 401);
});

test('without the page a browser gets the list of paths', async (t) => {
  const { url } = await adminPort(t);
  assert.match(await (await fetch(`${url}/`, { headers: BROWSER })).text(), /^sluice\n\n\/ /);
});

test('a browser that has the file already gets 304, and another one a new one', async (t) => {
  const { url } = await adminPort(t, { staticFiles: () => Promise.resolve(FILES) });
  const ask = async (known: string) =>
    (await fetch(`${url}/dashboard/a.js`, { headers: { 'if-none-match': known } })).status;
  const { headers } = await fetch(`${url}/dashboard/a.js`);
  const etag = headers.get('etag') ?? '';
  assert.equal(headers.get('cache-control'), 'no-cache');
  assert.deepEqual(
    [
      await ask(etag),
      await ask(`"x", W/${etag}`),
      await ask('*'),
      await ask('"x"'),
      await ask(etag.slice(1)),
    ],
    [304, 304, 304, 200, 200],
  );
});

test('a file is compressed for who asks for gzip', async (t) => {
  const { url } = await adminPort(t, { staticFiles: () => Promise.resolve(FILES) });
  for (const [encodings, encoding] of [
    ['gzip', 'gzip'],
    ['br, GZIP;q=0.5', 'gzip'],
    ['gzip;q=0', null],
    ['gzip; q=0.0, br', null],
    ['gzip;q=0.1', 'gzip'],
    ['identity', null],
  ] as const) {
    const response = await fetch(`${url}/dashboard/a.js`, { headers: { 'accept-encoding': encodings } });
    assert.equal(response.headers.get('content-encoding'), encoding, encodings);
    assert.equal(await response.text(), 'export {}');
  }
});

test('a path that is none of a file is 404, whatever it looks like', async (t) => {
  const { url } = await adminPort(t, { host: '0.0.0.0', staticFiles: () => Promise.resolve(FILES) });
  for (const path of ['', 'b.js', 'a.js/', 'a.js%00', '..%2f..%2fetc/passwd', '__proto__', '<img>'])
    assert.deepEqual(
      await fetch(`${url}/dashboard/${path}`).then(async (one) => [one.status, await one.text()]),
      [404, 'no such file of the dashboard\n'],
      path,
    );
});

test('files that cannot be read are 500 and one line in the log', async (t) => {
  const { url, lines } = await adminPort(t, { staticFiles: () => Promise.reject(new Error('ENOENT')) });
  for (let n = 0; n < 3; n++) assert.equal((await fetch(`${url}/dashboard/a.js`)).status, 500);
  assert.deepEqual(
    lines.map(({ event }) => event),
    ['admin_request_failed'],
  );
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
});
