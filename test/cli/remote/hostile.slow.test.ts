// The commands as programs against a server that is made to hurt them. None may crash, fill the memory or the disk, or choose the
// name of a file that somebody else looks for.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runProgram } from '../../support/program.ts';
import { MAIN } from '../../support/terminal.ts';
import { waitFor } from '../../support/wait.ts';

const directory = mkdtempSync(join(tmpdir(), 'sluice-hostile-'));
const sockets = new Set<Socket>();
let server: Server;
let url: string;
let listener: RequestListener;

const jsonOf = (text: string): RequestListener => {
  return (_, response) => void response.setHeader('Content-Type', 'application/json').end(text);
};

before(async () => {
  server = createServer((request, response) =>
    listener(
      request,
      response.on('error', () => {}),
    ),
  );
  server.on('connection', (socket: Socket) => sockets.add(socket));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

const sluice = (...args: readonly string[]) =>
  runProgram('src/main.js', [...args, '--url', url], { cwd: directory });

describe('commands that ask a hostile server', () => {
  it('print hundreds of thousands of figures, and names as long as a book', async () => {
    const many = Array.from({ length: 150_000 }, (_, n) => `"k${n}":{}`).join(',');
    listener = jsonOf(`{"ready":true,"components":{"${'w'.repeat(1_000_000)}":{},${many}}}`);
    const ended = await Promise.all([sluice('stats'), sluice('health')]);
    assert.deepEqual(
      ended.map(({ code, err }) => [code, err]),
      [
        [0, ''],
        [0, ''],
      ],
    );
    for (const { out } of ended) assert.ok(out.length < 20_000_000 && /^\S*k149999 /m.test(out));
  });

  it('print no escape in the name of a histogram, or in place of its counts', async () => {
    const named = { '\u001b[2J': { bounds: [1], counts: [1, 0], sum: 1 } };
    listener = jsonOf(
      JSON.stringify({ ...named, counted: { bounds: [1], counts: ['\u001b[2J', 0], sum: 1 } }),
    );
    const { code, out } = await sluice('stats');
    assert.equal(code, 0);
    assert.match(out, /^counted\.counts\.0 /m);
    assert.ok(!out.includes('\u001b'), JSON.stringify(out));
  });

  it('pass over numbers of processes that are none', async () => {
    listener = jsonOf('{"kicked":1,"missing":[{"toString":1},"\\u001b[2J",2]}');
    const { code, err } = await sluice('kick', '--device', 'd');
    assert.equal(code, 0, err);
    assert.match(err, /did not answer: 2;/);
  });

  it('keep no profile without a length, nor under a name that the server chose', async () => {
    const name = { 'Content-Disposition': 'attachment; filename="conftest.py"' };
    listener = (_, response) => void response.writeHead(200, name).write('x');
    const endless = await sluice('profile', '--seconds', '1');
    assert.match(endless.err, /does not say how long the profile is/);
    assert.deepEqual(readdirSync(directory), []);
    listener = (_, response) => void response.writeHead(200, { ...name, 'Content-Length': 2 }).end('{}');
    await sluice('profile', '--seconds', '1');
    assert.deepEqual(readdirSync(directory), ['sluice-cpu.cpuprofile']);
  });

  it('refuse an address that no URL can have', async () => {
    const env = { HTTP_HOST: 'fe80::1%lo', HTTP_PORT: '9090' };
    const { code, err } = await runProgram('src/main.js', ['stats'], { env, cwd: directory });
    assert.equal(code, 78);
    assert.match(err, /^sluice: HTTP_HOST=fe80::1%lo .* use --url\n$/);
  });

  it('ask 127.0.0.1 if HTTP_HOST is :: and nothing answers on ::1, as in a container without IPv6', async () => {
    listener = jsonOf('{"ready":true,"components":{}}');
    const env = { HTTP_HOST: '::', HTTP_PORT: new URL(url).port };
    const { code, out, err } = await runProgram('src/main.js', ['health'], { env, cwd: directory });
    assert.deepEqual([code, err], [0, '']);
    assert.match(out, /^ready/);
  });

  it('read no more lines of a tap than their terminal takes', async (t) => {
    const lines = `${JSON.stringify({ event: 'line', fate: 'refused', line: 'x'.repeat(1000) })}\n`.repeat(
      100,
    );
    let sentAtMs = 0;
    listener = (_, response) => {
      const send = () => {
        sentAtMs = performance.now();
        while (!response.destroyed && response.write(lines));
      };
      response.on('drain', send);
      send();
    };
    const child = spawn(process.execPath, [MAIN, 'tap', '--url', url], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    t.after(() => child.kill('SIGKILL'));
    await once(child.stdout, 'readable');
    await waitFor('the server waits', () => performance.now() - sentAtMs > 1000);
  });
});
