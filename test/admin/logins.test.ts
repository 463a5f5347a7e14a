// Logins on a real admin port, as a browser and as those who would forge, steal or misuse them.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { LOGIN_SECONDS, Logins } from '../../src/admin/access/logins.ts';
import { WRONG_TOKENS } from '../../src/admin/access/token-check.ts';
import type { HttpServerOptions } from '../../src/admin/http-server.ts';
import { adminPort, BEARER, TOKEN } from './admin-port.ts';

type Headers = Record<string, string>;

async function start(t: TestContext, options: Partial<HttpServerOptions> = {}) {
  // Beyond loopback, so that reading needs a login too.
  const place = await adminPort(t, { host: '0.0.0.0', ...options });
  const origin = { origin: place.url };
  const post = (path: string, body: string, headers: Headers = origin) =>
    fetch(`${place.url}${path}`, { method: 'POST', headers, body });
  const get = (path: string, headers: Headers = {}) => fetch(`${place.url}${path}`, { headers });
  const logIn = async () => {
    const response = await post('/login', JSON.stringify({ token: TOKEN }));
    const set = response.headers.get('set-cookie') ?? '';
    const cookie = set.slice(0, set.indexOf(';'));
    return { response, set, cookie, session: { cookie, ...origin } };
  };
  return { ...place, origin, post, get, logIn };
}

test('a login turns the token into a cookie, which counts as the token for reading and changing', async (t) => {
  const { get, post, logIn, port, lines } = await start(t);
  assert.deepEqual(await (await get('/session')).json(), {
    login: 'needed',
    canLogIn: true,
    mayRead: false,
    mayChange: false,
    expiresAt: null,
    processes: [],
  });
  assert.equal((await get('/stats')).status, 401);
  const { response, set, session } = await logIn();
  assert.equal(response.status, 200);
  assert.match(
    set,
    new RegExp(`^sluice-${port}=[\\w.-]+; Path=/; Max-Age=${LOGIN_SECONDS}; HttpOnly; SameSite=Strict$`),
  );
  const { login, mayRead, mayChange, expiresAt } = (await response.json()) as Record<string, unknown>;
  assert.deepEqual([login, mayRead, mayChange], ['done', true, true]);
  const leftMs = Date.parse(String(expiresAt)) - Date.now();
  assert.ok(Math.abs(leftMs - LOGIN_SECONDS * 1000) < 10_000);
  assert.equal((await get('/stats', session)).status, 200);
  assert.equal((await post('/log-level?level=debug', '', session)).status, 200);
  const told = (await (await get('/session', session)).json()) as Record<string, unknown>;
  assert.deepEqual([told.login, told.expiresAt], ['done', expiresAt]);
  assert.deepEqual(
    lines.map(({ event }) => event),
    ['admin_logged_in', 'log_level_changed'],
  );
  assert.doesNotMatch(JSON.stringify(lines), /correct-horse/);
});

test('a form of a page will do too, and TLS before the port makes the cookie Secure', async (t) => {
  const { post, origin } = await start(t);
  const response = await post('/login', `token=${encodeURIComponent(TOKEN)}`, {
    ...origin,
    'content-type': 'application/x-www-form-urlencoded',
    'x-forwarded-proto': 'https',
  });
  assert.equal(response.status, 200);
  assert.match(response.headers.get('set-cookie') ?? '', /; Secure$/);
});

test('a logout ends the login, for whoever has copied the cookie as well', async (t) => {
  const { get, post, logIn } = await start(t);
  const [first, second] = [await logIn(), await logIn()];
  const out = await post('/logout', '', first.session);
  assert.equal(out.status, 200);
  assert.match(out.headers.get('set-cookie') ?? '', /^sluice-\d+=; Path=\/; Max-Age=0; /);
  assert.equal(((await out.json()) as { login: string }).login, 'needed');
  const refused = await get('/stats', first.session);
  assert.equal(refused.status, 401);
  assert.match(await refused.text(), /^this login has ended, or is none of this gateway; log in again/);
  assert.equal((await get('/stats', second.session)).status, 200);
  // A browser may have two, of different paths.
  const third = await logIn();
  await post('/logout', '', { ...second.session, cookie: `${second.cookie}; ${third.cookie}` });
  for (const { session } of [second, third]) assert.equal((await get('/stats', session)).status, 401);
});

test('a login ends with the token, and outlives a restart of the gateway', async (t) => {
  let token = TOKEN;
  const first = await start(t, { token: () => token });
  const { cookie, session } = await first.logIn();
  const restarted = await start(t, { token: () => token });
  // Cookies have the port in their name.
  const moved = cookie.replace(/^sluice-\d+/, `sluice-${restarted.port}`);
  assert.equal((await restarted.get('/stats', { cookie: moved })).status, 200);
  token = 'another-token';
  assert.equal((await first.get('/stats', session)).status, 401);
  token = TOKEN;
  assert.equal((await first.get('/stats', session)).status, 200);
});

test('a cookie that is forged, changed or of another port does not count', async (t) => {
  const { get, logIn, port, lines } = await start(t);
  const { cookie } = await logIn();
  const [name = '', value = ''] = cookie.split('=');
  const [end = '', id = '', signature = ''] = value.split('.');
  const later = `${Number(end) + 1}`;
  const own = createHmac('sha256', TOKEN).update(`${end}.${id}`).digest('base64url');
  assert.equal((await get('/stats', { cookie: `a=b; ${cookie}; c=${'x'.repeat(100)}` })).status, 200);
  // A page on another port of this host can set a cookie of any name, also before ours.
  assert.equal(
    (await get('/stats', { cookie: `${name}=x; ${name}=${value.replace('.', '..')}; ${cookie}` })).status,
    200,
  );
  assert.equal((await get('/stats', { cookie: `${`${name}=x; `.repeat(8)}${cookie}` })).status, 401);
  for (const forged of [
    `${name}=`,
    `${name}=${TOKEN}`,
    `${name}=${later}.${id}.${signature}`,
    `${name}=${end}.${'A'.repeat(16)}.${signature}`,
    `${name}=${end}.${id}.${'A'.repeat(43)}`,
    `${name}=${end}.${id}.${own}`,
    `${name}=${end}.${id}.`,
    `${name}=${end}.${id}`,
    `${name}=${value}.x`,
    `${name}="${value}"`,
    `${name}=99999999999.${id}.${signature}`,
    `sluice=${value}`,
    `sluice-${port + 1}=${value}`,
    `x${cookie}`,
    'x'.repeat(6000),
  ])
    assert.equal((await get('/stats', { cookie: forged })).status, 401, forged);
  // Forged cookies are no guesses of the token, and fill no log.
  assert.equal((await get('/stats', { cookie })).status, 200);
  assert.deepEqual(
    lines.map(({ event }) => event),
    ['admin_logged_in'],
  );
});

test('a login ends after 12 hours', async () => {
  let now = 1_700_000_000_000;
  const logins = new Logins({ token: () => TOKEN, clock: () => now });
  const { value, login } = await logins.begin();
  now += LOGIN_SECONDS * 1000 - 1;
  assert.ok(logins.counts(login));
  assert.equal((await logins.of(value))[0]?.id, login.id);
  now += 1;
  assert.ok(!logins.counts(login));
  assert.deepEqual(await logins.of(value), []);
});

test('a change with the cookie needs an Origin of the same host and port; the header does not', async (t) => {
  const { post, logIn, get, port } = await start(t);
  const { cookie } = await logIn();
  const change = (headers: Headers) => post('/log-level?level=debug', '', headers);
  for (const origin of [
    undefined,
    'null',
    'http://evil.example',
    `http://127.0.0.1:${port + 1}`,
    `http://localhost:${port}`,
    'http://127.0.0.1',
  ]) {
    const response = await change({ cookie, ...(origin && { origin }) });
    assert.equal(response.status, 403, origin);
    assert.match(await response.text(), /^requests from this Origin are not served/);
  }
  // Without Origin, or of another page, in the words of a browser.
  assert.equal((await get('/stats', { cookie, 'sec-fetch-site': 'same-site' })).status, 403);
  assert.equal((await change(BEARER)).status, 200);
  // With a header only the header counts.
  const wrong = { authorization: 'Bearer wrong', cookie, origin: `http://127.0.0.1:${port}` };
  assert.equal((await change(wrong)).status, 401);
});

test('another site can neither log a browser in nor out', async (t) => {
  const { post, get, logIn } = await start(t);
  const { cookie, session } = await logIn();
  for (const origin of ['http://evil.example', 'null'])
    for (const path of ['/login', '/logout']) {
      const response = await post(path, `token=${TOKEN}`, { origin, cookie });
      assert.deepEqual([response.status, response.headers.get('set-cookie')], [403, null]);
    }
  for (const path of ['/login', '/logout'])
    assert.equal((await post(path, `token=${TOKEN}`, { 'sec-fetch-site': 'cross-site' })).status, 403);
  assert.equal((await get('/stats', session)).status, 200);
});

test('a name that a page has pointed at us (DNS rebinding) gets no login', async (t) => {
  const { port } = await start(t);
  const body = JSON.stringify({ token: TOKEN });
  const socket = connect(port, '127.0.0.1');
  socket.write(
    `POST /login HTTP/1.1\r\nHost: evil.example:${port}\r\nOrigin: http://evil.example:${port}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const answer = await text(socket);
  assert.match(answer, /^HTTP\/1\.1 403 /);
  assert.doesNotMatch(answer, /set-cookie/i);
});

test('guesses at /login and in the header are limited together, and a login goes on', async (t) => {
  const { post, get, logIn } = await start(t);
  const { session } = await logIn();
  for (let n = 0; n < WRONG_TOKENS.burst; n++) {
    const guess = n % 2 === 0;
    const { status } = guess
      ? await post('/login', JSON.stringify({ token: `guess-${n}` }))
      : await get('/stats', { authorization: `Bearer guess-${n}` });
    assert.equal(status, 401);
  }
  const limited = await post('/login', JSON.stringify({ token: TOKEN }));
  assert.deepEqual([limited.status, limited.headers.get('set-cookie')], [429, null]);
  // 6 s, and less if the guesses took a while on a busy machine.
  assert.match(limited.headers.get('retry-after') ?? '', /^[1-6]$/);
  assert.equal((await get('/stats', session)).status, 200);
});

test('a login without a token, or of strange or long bodies, is refused and sets no cookie', async (t) => {
  const { post } = await start(t);
  for (const [body, status] of [
    ['', 400],
    ['{"token":', 400],
    ['{"token":7}', 400],
    ['{"token":["x"]}', 400],
    ['[]', 400],
    ['{"token":""}', 401],
    ['{"token":"\\u0000"}', 401],
    [`token=${'x'.repeat(5000)}`, 413],
  ] as const) {
    const response = await post('/login', body);
    assert.deepEqual(
      [response.status, response.headers.get('set-cookie')],
      [status, null],
      body.slice(0, 20),
    );
  }
});

test('while HTTP_TOKEN is not set nobody can log in, and /session says so', async (t) => {
  const { post, get } = await start(t, { token: () => null });
  const response = await post('/login', '{"token":"null"}');
  assert.equal(response.status, 403);
  assert.match(await response.text(), /^HTTP_TOKEN is not set/);
  const session = (await (await get('/session')).json()) as Record<string, unknown>;
  assert.deepEqual([session.login, session.canLogIn, session.mayChange], ['needed', false, false]);
});

test('on loopback reading needs no login, changing does', async (t) => {
  const { get, logIn } = await start(t, { host: '127.0.0.1' });
  const open = (await (await get('/session')).json()) as Record<string, unknown>;
  assert.deepEqual([open.login, open.mayRead, open.mayChange], ['not needed', true, false]);
  const { session } = await logIn();
  const done = (await (await get('/session', session)).json()) as Record<string, unknown>;
  assert.deepEqual([done.login, done.mayRead, done.mayChange], ['done', true, true]);
});

test('a flood of headers ends with 431, and the port goes on', async (t) => {
  const { port, get } = await start(t);
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`GET /session HTTP/1.1\r\nHost: localhost\r\n${'Cookie: a=b\r\n'.repeat(2000)}\r\n`);
  assert.match(await text(socket), /^HTTP\/1\.1 431 /);
  assert.equal((await get('/session')).status, 200);
});
