// `sluice probe` as a program, asking a gateway that runs.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../scripts/kafka/ports.ts';
import { spawnGateway } from '../../scripts/lib/gateway-child.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type ProgramOptions, runProgram } from '../support/program.ts';
import { waitFor } from '../support/wait.ts';

const probe = async (args: readonly string[], options?: ProgramOptions) => {
  const { code, out, err } = await runProgram('src/main.js', ['probe', ...args], options);
  assert.equal(err, '');
  assert.equal(out.split('\n').length, 2, 'one line');
  return { code, line: out.trimEnd() };
};

/** Resolves when it has opened its admin port on HTTP_HOST. */
async function gatewayOn(t: TestContext, host: string, env: Readonly<Record<string, string>> = {}) {
  const directory = temporaryDirectory(t);
  const HTTP_PORT = String(await freePort());
  let out = '';
  const { child, exited } = spawnGateway(
    { directory, env: { HTTP_HOST: host, HTTP_PORT, ...env } },
    (line) => {
      out += `${line}\n`;
    },
  );
  t.after(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  await waitFor('it serves', () => {
    assert.equal(child.exitCode, null, out);
    return out.includes('TCP server listening on');
  });
  return { directory, child, env: { HTTP_HOST: host, HTTP_PORT }, out: () => out };
}

const HAS_IPV6 = existsSync('/proc/net/if_inet6');

for (const host of ['0.0.0.0', 'localhost', ...(HAS_IPV6 ? ['::', '::1'] : [])]) {
  test(`a gateway on HTTP_HOST=${host} is alive and ready, and needs no token`, async (t) => {
    const { env } = await gatewayOn(t, host, { HTTP_TOKEN: 'a-token-of-the-gateway' });
    // Wrong values of other settings, and proxies, do not matter.
    const other = { ...env, TCP_PORT: 'wrong', KAFKA_TOPIC: '', http_proxy: 'http://127.0.0.1:1' };
    assert.deepEqual(await probe([], { env: other }), { code: 0, line: 'alive' });
    assert.deepEqual(await probe(['--ready'], { env: other }), { code: 0, line: 'ready' });
  });
}

test('a gateway that drains is alive and not ready, and the line says why; one that is gone gives no answer', async (t) => {
  const { directory, child, env, out } = await gatewayOn(t, '127.0.0.1', { SHUTDOWN_DRAIN: '60s' });
  // From .env too, as the gateway reads it.
  writeFileSync(join(directory, '.env'), `HTTP_PORT=${env.HTTP_PORT}\n`);
  child.kill('SIGTERM');
  await waitFor('the drain', () => out().includes('"event":"drain'));
  assert.deepEqual(await probe([], { cwd: directory }), { code: 0, line: 'alive' });
  const { code, line } = await probe(['--ready'], { cwd: directory });
  assert.equal(code, 1);
  assert.match(line, /^not ready: \S.*drain/);
  child.kill('SIGTERM');
  await waitFor('its end', () => child.exitCode !== null);
  const gone = await probe([], { env });
  assert.deepEqual(gone, {
    code: 1,
    line: `no answer from the admin port (127.0.0.1 port ${env.HTTP_PORT}: ECONNREFUSED)`,
  });
});

async function portOf(t: TestContext, server: Server): Promise<string> {
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return String((server.address() as AddressInfo).port);
}

test('a port that takes connections and does not answer is given up after 2 s', async (t) => {
  const HTTP_PORT = await portOf(t, createServer());
  const began = performance.now();
  const { code, line } = await probe([], { env: { HTTP_PORT } });
  assert.deepEqual(
    [code, line],
    [1, `no answer from the admin port (127.0.0.1 port ${HTTP_PORT}: nothing for 2 s)`],
  );
  assert.ok(performance.now() - began >= 1990);
});

test('an answer that has no end counts as none, and that of another program is not believed', async (t) => {
  const endless = createHttpServer((_request, response) => void response.write('{'));
  t.after(() => endless.closeAllConnections());
  const HTTP_PORT = await portOf(t, endless);
  assert.equal((await probe(['--ready'], { env: { HTTP_PORT } })).code, 1);
  const other = createHttpServer((_request, response) => void response.writeHead(404).end('no such page'));
  const answered = await probe([], { env: { HTTP_PORT: await portOf(t, other) } });
  assert.deepEqual(answered, {
    code: 1,
    line: "the admin port answered with status 404: is it the gateway's?",
  });
});

test('a port that ends the request without an answer is no gateway', async (t) => {
  const upgrading = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n');
  });
  const { code, line } = await probe([], { env: { HTTP_PORT: await portOf(t, upgrading) } });
  assert.equal(code, 1);
  assert.match(line, /^no answer from the admin port \(.*: it closed the connection without an answer\)$/);
});

test('without an admin port there is nothing to ask: exit code 0; a wrong port is an error', async () => {
  const off = await probe([], { env: { HTTP_PORT: '' } });
  assert.deepEqual(off, { code: 0, line: 'HTTP_PORT is empty, so there is no admin port to ask' });
  assert.equal((await probe(['--ready'], { env: { HTTP_PORT: ' ' } })).code, 0);
  for (const HTTP_PORT of ['0', '65536', 'http', '-1', '9108\n1'])
    assert.equal((await probe([], { env: { HTTP_PORT } })).code, 1, HTTP_PORT);
});
