// Who may ask the admin port: Host, Origin and the token, from both sides of each rule.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { Access, type AccessOptions } from '../../src/admin/access/access.ts';
import { WRONG_TOKENS } from '../../src/admin/access/token-check.ts';
import { testLog } from '../support/log.ts';

interface Question {
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  /** 127.0.0.0/8 is all loopback, so one machine has many addresses. */
  readonly from?: string;
}

/** A server that answers 200 if Access allows the request. POST needs the token. */
async function start(t: TestContext, options: Partial<AccessOptions> = {}) {
  const logged: string[] = [];
  const log = testLog({}, { write: (line: string) => void logged.push(line) });
  const access = new Access({ host: '127.0.0.1', allowedHosts: [], token: () => null, log, ...options });
  const server = createServer(async (message, response) => {
    const changes = message.method === 'POST';
    const admitted = changes ? await access.admit(message, changes) : undefined;
    const refusal =
      access.checkSource(message, changes) ?? (admitted && 'status' in admitted ? admitted : undefined);
    response.writeHead(refusal?.status ?? 200, { ...refusal?.headers, connection: 'close' });
    response.end(refusal?.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  t.after(() => server.close());
  const ask = async ({ headers = {}, method = 'GET', from: localAddress = '127.0.0.1' }: Question) => {
    const target = { host: '127.0.0.1', port, method, headers, localAddress, agent: false } as const;
    const [response] = (await once(request(target).end(), 'response')) as [IncomingMessage];
    response.resume();
    return { status: response.statusCode, headers: response.headers };
  };
  const guess = async (token: string, from?: string) =>
    (await ask({ method: 'POST', headers: { authorization: `Bearer ${token}` }, ...(from && { from }) }))
      .status;
  return { port, access, ask, guess, logged };
}

for (const [host, served] of [
  ['127.0.0.1', true],
  ['127.0.0.1:9108', true],
  ['192.0.2.7:', true],
  ['[::1]:9108', true],
  ['[2001:db8::1]', true],
  ['LOCALHOST', true],
  ['localhost.', true],
  ['gw.example:80', true],
  ['GW.example', true],
  ['bound.example', true],
  ['::1', false],
  ['[127.0.0.1]', false],
  ['[::1', false],
  ['[::1].evil.example', false],
  ['127.1', false],
  ['2130706433', false],
  ['0x7f000001', false],
  ['127.0.0.1.evil.example', false],
  ['127.0.0.1:80:80', false],
  ['127.0.0.1:9108@evil.example', false],
  ['evil.example#127.0.0.1', false],
  ['localhost.evil.example', false],
  ['xgw.example', false],
  ['a.gw.example', false],
  ['localhost, evil.example', false],
] as const) {
  test(`Host ${JSON.stringify(host)} is ${served ? '' : 'not '}served`, async (t) => {
    const { ask, access } = await start(t, { host: 'bound.example', allowedHosts: ['gw.example'] });
    assert.equal((await ask({ headers: { host } })).status, served ? 200 : 403);
    assert.equal(access.refused.host, served ? 0 : 1);
  });
}

test('a name in the settings may end with a dot too', async (t) => {
  const { ask } = await start(t, { host: 'bound.example.', allowedHosts: ['gw.example.'] });
  for (const host of ['gw.example', 'gw.example.', 'gw.example.:80', 'bound.example'])
    assert.equal((await ask({ headers: { host } })).status, 200, host);
  assert.equal((await ask({ headers: { host: 'gw.example..' } })).status, 403);
});

for (const [what, head, status] of [
  ['no Host, as HTTP/1.0 allows', 'GET / HTTP/1.0', 200],
  ['no Host, as HTTP/1.1 forbids', 'GET / HTTP/1.1', 400],
  ['an empty Host', 'GET / HTTP/1.1\r\nHost:', 403],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example', 403],
  ['two Hosts that are the same', 'GET / HTTP/1.0\r\nHost: localhost\r\nHost: localhost', 403],
  ['a target with a host that is served', 'GET http://LOCALHOST:9108/ HTTP/1.1\r\nHost: localhost', 200],
  ['a target with another host', 'GET http://evil.example/ HTTP/1.1\r\nHost: localhost', 403],
  ['a target with a user', 'GET http://localhost@evil.example/ HTTP/1.1\r\nHost: localhost', 403],
  ['a target without a host', 'GET http:/// HTTP/1.1\r\nHost: localhost', 403],
  ['another Host beside its target', 'GET http://localhost/ HTTP/1.1\r\nHost: evil.example', 403],
  ['no Host but an Origin', 'POST / HTTP/1.0\r\nOrigin: http://localhost', 403],
] as const) {
  test(`a request with ${what} is answered ${status}`, async (t) => {
    const { port } = await start(t);
    const socket = connect(port, '127.0.0.1');
    socket.end(`${head}\r\n\r\n`);
    assert.ok((await text(socket)).startsWith(`HTTP/1.1 ${status} `));
  });
}

for (const [origin, reads, changes] of [
  ['http://gw.example', 200, 200],
  ['http://gw.example:80', 200, 200],
  ['HTTP://GW.example', 200, 200],
  ['http://localhost', 200, 403],
  ['http://gw.example:3000', 200, 403],
  ['https://gw.example', 200, 200],
  ['http://evil.example', 403, 403],
  ['http://gw.example.evil.example', 403, 403],
  ['http://gw.example@evil.example', 403, 403],
  ['null', 403, 403],
  ['file://', 403, 403],
  ['chrome-extension://abc', 403, 403],
  ['', 403, 403],
] as const) {
  test(`Origin ${JSON.stringify(origin)} may ${reads === 200 ? '' : 'not '}read and may ${changes === 200 ? '' : 'not '}change`, async (t) => {
    const { ask } = await start(t, { allowedHosts: ['gw.example'], token: () => 'geheim' });
    const headers = { host: 'gw.example', origin, authorization: 'Bearer geheim' };
    assert.equal((await ask({ headers })).status, reads);
    assert.equal((await ask({ headers, method: 'POST' })).status, changes);
  });
}

test('the token is taken from Authorization: Bearer only, and has to be all of it', async (t) => {
  const { ask } = await start(t, { token: () => 'geheim' });
  const status = async (authorization: string) =>
    (await ask({ method: 'POST', headers: { authorization } })).status;
  for (const right of ['Bearer geheim', 'bearer geheim', 'BEARER   geheim '])
    assert.equal(await status(right), 200, right);
  const wrong = ['geheim', 'Basic geheim', 'Bearer', 'Bearer geheimer', 'Bearer gehei', 'Bearer Geheim'];
  for (const sent of [...wrong, 'Bearer geheim geheim', 'Bearer geheim, Bearer geheim'])
    assert.equal(await status(sent), 401, sent);
});

test('wrong tokens from one address are limited in rate, also for the right one, and other addresses are not', async (t) => {
  let nowMs = 1e6;
  const { ask, guess, access, logged } = await start(t, { token: () => 'geheim', now: () => nowMs });
  for (let n = 0; n < WRONG_TOKENS.burst; n++) assert.equal(await guess(`guess${n}`), 401);
  assert.deepEqual([await guess('guess'), await guess('geheim')], [429, 429]);
  const limited = await ask({ method: 'POST', headers: { authorization: 'Bearer x' } });
  assert.equal(limited.headers['retry-after'], '6');
  assert.equal(await guess('geheim', '127.0.0.2'), 200);
  // Refused guesses do not prolong the wait.
  nowMs += WRONG_TOKENS.intervalMs;
  assert.deepEqual([await guess('geheim'), await guess('guess'), await guess('guess')], [200, 401, 429]);
  assert.deepEqual([access.refused.token_wrong, access.refused.token_rate], [WRONG_TOKENS.burst + 1, 4]);
  // One line for each reason a minute.
  access.flush();
  assert.ok(logged.length <= 4, logged.join(''));
  assert.doesNotMatch(logged.join(''), /guess|geheim/);
});

test('a scraper that sends no token uses up no guesses', async (t) => {
  const { ask, guess } = await start(t, { token: () => 'geheim' });
  for (let n = 0; n < 50; n++) assert.equal((await ask({ method: 'POST' })).status, 401);
  assert.equal(await guess('geheim'), 200);
});
