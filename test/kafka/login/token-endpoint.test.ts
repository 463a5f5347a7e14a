// Tokens from an endpoint over real HTTP and HTTPS, and the message for each way in which none comes.
import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ClusterError } from '../../../src/kafka/client/cluster-error.ts';
import { TokenEndpoint, type TokenEndpointOptions } from '../../../src/kafka/login/token-endpoint.ts';
import { Authority } from '../../support/authority.ts';
import { temporaryDirectory } from '../../support/directory.ts';
import { type Failure, TokenServer } from '../../support/token-server.ts';

function endpointOf(server: TokenServer, options: Partial<TokenEndpointOptions> = {}): TokenEndpoint {
  const { id: clientId, secret: clientSecret } = server.client;
  return new TokenEndpoint({
    url: server.url,
    clientId,
    clientSecret,
    scope: null,
    audience: null,
    ca: null,
    ...options,
  });
}

/** The message of a failure. It must not hold the secret, as it is or encoded. */
async function failureOf(endpoint: TokenEndpoint, server: TokenServer): Promise<string> {
  const error = await endpoint.token().then(
    () => assert.fail('a token came'),
    (failure: unknown) => failure,
  );
  assert.ok(error instanceof ClusterError);
  assert.equal(error.code, 'TOKEN');
  assert.match(error.message, /^no token for the login to Kafka: KAFKA_OAUTH_TOKEN_URL=http/);
  const { secret } = server.client;
  for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')])
    assert.ok(!error.message.includes(form), error.message);
  return error.message;
}

test('a token comes with its lifetime, for the scope and audience that are set', async (t) => {
  const server = await TokenServer.start(t);
  const endpoint = endpointOf(server, { scope: 'kafka read', audience: 'https://kafka.example.net/' });
  const { value, lifetimeMs } = await endpoint.token();
  assert.equal(value, server.tokens[0]);
  assert.equal(lifetimeMs, 3600_000);
  const [request] = server.requests;
  assert.equal(request?.form.get('scope'), 'kafka read');
  assert.equal(request?.form.get('audience'), 'https://kafka.example.net/');
  assert.equal(request?.form.get('client_secret'), null);
});

test('a server that wants the secret in the form gets it there, and is asked so from then on', async (t) => {
  const server = await TokenServer.start(t);
  server.secretIn = 'body';
  const endpoint = endpointOf(server);
  await endpoint.token();
  assert.equal(server.requests.length, 2);
  await endpoint.token();
  assert.equal(server.requests.length, 3);
});

test('without expires_in the lifetime is that in the token, or five minutes', async (t) => {
  const server = await TokenServer.start(t);
  server.lifetimeSeconds = 77;
  server.answer = { expires_in: undefined };
  assert.equal((await endpointOf(server).token()).lifetimeMs, 77_000);
  server.answer = { expires_in: '90' };
  assert.equal((await endpointOf(server).token()).lifetimeMs, 90_000);
  server.answer = { expires_in: undefined, access_token: 'opaque-token' };
  assert.equal((await endpointOf(server).token()).lifetimeMs, 300_000);
});

test('https is trusted by Node’s own list or by KAFKA_OAUTH_CA, which is read for each token', async (t) => {
  const directory = temporaryDirectory(t);
  const authority = new Authority(directory, 'token-ca');
  const server = await TokenServer.start(t, authority.sign('tokens'));
  const untrusted = await failureOf(endpointOf(server), server);
  assert.match(
    untrusted,
    /cannot be trusted: set KAFKA_OAUTH_CA to the authority of its certificate \(UNABLE/,
  );
  const ca = join(directory, 'used.pem');
  const endpoint = endpointOf(server, { ca });
  assert.match(await failureOf(endpoint, server), /used\.pem": there is no such file/);
  writeFileSync(ca, 'broken');
  assert.match(
    await failureOf(endpoint, server),
    /KAFKA_OAUTH_CA: the file has no certificate in PEM format/,
  );
  copyFileSync(authority.ca, ca);
  assert.equal((await endpoint.token()).value, server.tokens[0]);
});

const json = (body: object, status = 200): Failure => ({ status, body: JSON.stringify(body) });

const FAILURES: readonly (readonly [name: string, failure: Failure, message: RegExp])[] = [
  [
    'a wrong client',
    json({ error: 'invalid_client' }, 401),
    /refuses the client \(401 invalid_client\): check/,
  ],
  [
    'a client without the right',
    json({ error: 'unauthorized_client', error_description: 'no grant\u001b[31m' }, 400),
    /\(400 unauthorized_client: no grant\\u001b\[31m\): check KAFKA_OAUTH_CLIENT_ID/,
  ],
  ['a wrong scope', json({ error: 'invalid_scope' }, 400), /invalid_scope\): check KAFKA_OAUTH_SCOPE/],
  ['a wrong path', { status: 404, body: '<html>' }, /does not exist \(404\): check the path/],
  ['a server in trouble', { status: 503, body: 'sorry' }, /gives none now \(503\)/],
  [
    'a redirect',
    { status: 302, headers: { Location: 'https://elsewhere.test/token?code=1' } },
    /redirect to https:\/\/elsewhere\.test \(302\), which is not followed/,
  ],
  ['an answer that is no JSON', { status: 200, body: '<html>' }, /has no access_token$/],
  ['JSON that is no object', { status: 200, body: 'null' }, /has no access_token$/],
  ['a token of another kind', json({ access_token: 'abc', token_type: 'mac' }), /has no bearer token/],
  ['a token that would break the message', json({ access_token: 'a\u0001b' }), /has no bearer token/],
  ['a token that has expired', json({ access_token: 'abc', expires_in: 0 }), /had expired when it came/],
  ['an endless answer', { status: 200, body: 'x'.repeat(70_000) }, /has more than 65536 bytes/],
];

for (const [name, failure, message] of FAILURES) {
  test(`the reason is told for ${name}`, async (t) => {
    const server = await TokenServer.start(t);
    server.failure = failure;
    assert.match(await failureOf(endpointOf(server), server), message);
  });
}

test('the reason is told if nobody listens, answers or speaks TLS there, and the secret is hidden in an echo', async (t) => {
  const server = await TokenServer.start(t);
  const { secret } = server.client;
  server.failure = json({ error: 'invalid_request', error_description: `you sent ${secret}` }, 400);
  assert.match(await failureOf(endpointOf(server), server), /invalid_request: you sent \(hidden\)\)/);
  const url = server.url.replace('http:', 'https:');
  assert.match(await failureOf(endpointOf(server, { url }), server), /does not speak TLS/);
  server.isSilent = true;
  const silent = endpointOf(server, { timeoutMs: 100 });
  assert.match(await failureOf(silent, server), /did not answer within 0\.1 s/);
  server.close();
  assert.match(await failureOf(endpointOf(server), server), /nothing listens there \(ECONNREFUSED\)/);
  const unknown = endpointOf(server, { url: 'https://tokens.invalid/token' });
  assert.match(await failureOf(unknown, server), /the name tokens\.invalid cannot be resolved/);
  assert.match(await failureOf(await closing(t, server), server), /closed the connection/);
});

/** An endpoint that takes connections and ends them. */
async function closing(t: TestContext, server: TokenServer): Promise<TokenEndpoint> {
  const closer = createServer((socket) => socket.on('error', () => undefined).resetAndDestroy());
  t.after(() => closer.close());
  await new Promise<void>((resolve) => closer.listen(0, '127.0.0.1', resolve));
  const { port } = closer.address() as { port: number };
  return endpointOf(server, { url: `http://127.0.0.1:${port}/token` });
}
