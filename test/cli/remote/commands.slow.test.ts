// The commands that ask a running gateway, as programs, with a real gateway of two processes. There is no Kafka, so its readings go to
// the spool.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Authority } from '../../support/authority.ts';
import { Device } from '../../support/device.ts';
import { GatewayProcess } from '../../support/gateway-process.ts';
import { runProgram } from '../../support/program.ts';
import { MAIN } from '../../support/terminal.ts';
import { waitFor } from '../../support/wait.ts';

const TOKEN = 'correct-horse-battery-staple';
/** A line with whatever a terminal would obey. */
const HOSTILE = `\x1b[2J\x1b]0;owned\x07\u009b31m\u202e<img onerror=x>a${'\u0301'.repeat(30)}`;
/** Texts of devices may have this: it turns the direction of reading, or covers the lines around. */
const HOSTILE_CITY = `\u202e<img onerror=x>a${'\u0301'.repeat(30)}`;
// biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be in the output
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]|\p{Mark}{9}/u;

const directory = mkdtempSync(join(tmpdir(), 'sluice-commands-'));
let gateway: GatewayProcess;

before(async () => {
  gateway = await GatewayProcess.reserve(directory, {
    KAFKA_BROKERS: '',
    TCP_PROCESSES: '2',
    HTTP_TOKEN: TOKEN,
    HTTP_PROFILING: 'true',
    // The end of the drain is soon.
    SHUTDOWN_TIMEOUT: '5s',
  });
  await gateway.start();
});
after(async () => {
  await gateway.close();
  rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
});

const envOf = (token: string | undefined) => ({
  HTTP_PORT: String(gateway.httpPort),
  ...(token !== undefined && { HTTP_TOKEN: token }),
});

async function sluice(...args: readonly string[]) {
  const ended = await runProgram('src/main.js', args, { env: envOf(TOKEN), cwd: directory });
  assert.doesNotMatch(ended.out + ended.err, UNSAFE, 'no text of a device may reach a terminal as it is');
  return ended;
}

async function deviceOf(id: string, city = 'Rome'): Promise<Device> {
  const device = await Device.connect(gateway.port);
  device.send(`${JSON.stringify({ type: 'identify', device_id: id, zipcode: '00100', city })}\n`);
  await device.readLine();
  return device;
}

/** A command that goes on until it is stopped. */
function started(...args: readonly string[]): { child: ChildProcess; out: () => string; err: () => string } {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: directory,
    env: { PATH: '', ...envOf(TOKEN) },
  });
  const text = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text.out += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text.err += part));
  return { child, out: () => text.out, err: () => text.err };
}

const readings = (count: number, first = 0) =>
  Array.from({ length: count }, (_, n) => `{"type":"metrics","seq":${first + n},"data":{"a":1}}\n`).join('');

describe('commands that ask a running gateway', () => {
  it('stats prints every figure by its name, or some of them, or JSON', async () => {
    const all = await sluice('stats');
    assert.equal(all.code, 0, all.err);
    assert.match(all.out, /^connections\.active +\d+$/m);
    const some = await sluice('stats', 'spool.capacityBytes', 'lines.refusedLines');
    assert.match(some.out, /^lines\.refusedLines +\d+\nspool\.capacityBytes +\d+\n$/);
    const json = JSON.parse((await sluice('stats', '--json')).out) as { version: string };
    assert.equal(typeof json.version, 'string');
    const none = await sluice('stats', 'no-such-figure');
    assert.equal(none.code, 1);
    assert.match(none.err, /they begin with .*connections, .*spool/);
  });

  it('health names the components with remedies, and its exit code is the readiness', async () => {
    const { code, out } = await sluice('health');
    assert.equal(code, 0);
    assert.match(out, /^ready: /);
    assert.match(out, /^kafka +failed \(not_configured\): .*\n +to do: set KAFKA_BROKERS/m);
    const body = JSON.parse((await sluice('health', '--json')).out) as { ready: boolean };
    assert.equal(body.ready, true);
  });

  it('log-level shows the level and sets it', async () => {
    assert.equal((await sluice('log-level')).out, 'info\n');
    const set = await sluice('log-level', 'warn');
    assert.equal(set.out, 'warn\n');
    assert.match(set.err, /it was info/);
    assert.equal((await sluice('log-level', 'info')).code, 0);
    assert.equal((await sluice('log-level', 'loud')).code, 64);
  });

  it('connections lists, searches, pages, and shows the closed ones with their reason', async () => {
    const hostile = await deviceOf('roof-1', HOSTILE_CITY);
    const others = await Promise.all(Array.from({ length: 120 }, (_, n) => deviceOf(`hall-${n}`)));
    try {
      const found = await sluice('connections', '--search', 'roof-1');
      assert.match(found.out, /^DEVICE +ADDRESS/);
      assert.match(found.out, /^roof-1 +127\.0\.0\.1 +00100/m);
      assert.equal(found.out.split('\n').length, 3);
      const [row] = (await sluice('connections', '--device', 'roof-1', '--json')).out.split('\n');
      assert.equal((JSON.parse(row ?? '') as { city: string }).city, HOSTILE_CITY);
      const some = await sluice('connections', '--limit', '7', '--sort', 'bytes');
      assert.equal(some.out.trimEnd().split('\n').length, 8);
      assert.match(some.err, /7 of 121 are shown; --all/);
      const all = await sluice('connections', '--all', '--json');
      const ids = all.out
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { device_id: string }).device_id);
      assert.equal(new Set(ids).size, 121);
      assert.equal(ids.length, 121);

      const refused = await sluice('kick', '--device', 'roof-1', '--address', '127.0.0.1');
      assert.equal(refused.code, 64);
      const kicked = await sluice('kick', '--device', 'roof-1', '--delay', '90s');
      assert.equal(kicked.code, 0, kicked.err);
      assert.match(kicked.err, /1 connection was closed with code kicked/);
      assert.equal(
        (JSON.parse(await hostile.readLine()) as { reconnect_after_ms: number }).reconnect_after_ms,
        90_000,
      );
      const nobody = await sluice('kick', '--device', 'roof-1');
      assert.equal(nobody.code, 1);
      assert.match(nobody.err, /no such open connection/);
      // It is closed once the device has ended its side too.
      hostile.socket.destroy();
      await waitFor('the kicked connection is listed', async () => {
        const { out } = await sluice('connections', '--closed', '--device', 'roof-1');
        return /^CLOSED +REASON +DEVICE.*\n[\d:]+ +kicked +roof-1/.test(out);
      });
      const many = await sluice('kick', '--address', '127.0.0.1');
      assert.match(many.err, /120 connections were closed/);
    } finally {
      for (const device of [hostile, ...others]) device.socket.destroy();
    }
  });

  it('tap shows lines with their fate until Ctrl-C, and refused ones harmless', async () => {
    const device = await deviceOf('tapped');
    const { child, out, err } = started('tap', '--device', 'tapped');
    try {
      await waitFor('the tap begins', () => err().includes('Ctrl-C ends it'));
      device.send(`${readings(3)}${HOSTILE}\n`);
      await waitFor('the lines are shown', () => /tapped .* spooled \d+ ms .*"seq":2/.test(out()));
      await waitFor('the refused line is shown', () =>
        /refused \(invalid_json: .*\) {2}\\u001b\[2J/.test(out()),
      );
      child.kill('SIGINT');
      assert.deepEqual(await once(child, 'exit'), [0, null]);
      assert.doesNotMatch(out() + err(), UNSAFE);
    } finally {
      child.kill('SIGKILL');
      device.socket.destroy();
    }
  });

  it('tap ends when its reader is gone, and after its time', async () => {
    const device = await deviceOf('piped');
    let sent = 0;
    const timer = setInterval(() => {
      device.send(readings(5, sent));
      sent += 5;
    }, 50);
    const { child } = started('tap', '--json', '--device', 'piped');
    try {
      await once(child.stdout as NodeJS.ReadableStream, 'data');
      child.stdout?.destroy();
      assert.deepEqual(await once(child, 'exit'), [0, null]);
      const timed = await sluice('tap', '--json', '--for', '1s', '--device', 'piped');
      const events = timed.out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { event: string });
      assert.equal(events[0]?.event, 'begin');
      assert.equal(events.at(-1)?.event, 'end');
      assert.ok(events.some(({ event }) => event === 'fate'));
    } finally {
      clearInterval(timer);
      child.kill('SIGKILL');
      device.socket.destroy();
    }
  });

  it('profile brings a CPU profile and a heap snapshot into files for their owner, and writes over none', async () => {
    const cpu = await sluice('profile', '--seconds', '1');
    assert.equal(cpu.code, 0, cpu.err);
    const path = join(directory, cpu.out.trim());
    assert.ok(Array.isArray((JSON.parse(readFileSync(path, 'utf8')) as { nodes: unknown }).nodes));
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const heap = await sluice('profile', '--heap', '--process', '1', '--output', 'snapshot');
    assert.equal(heap.code, 0, heap.err);
    assert.match(heap.err, /every secret/);
    assert.ok('snapshot' in (JSON.parse(readFileSync(join(directory, 'snapshot'), 'utf8')) as object));
    const again = await sluice('profile', '--heap', '--output', 'snapshot');
    assert.equal(again.code, 1);
    assert.match(again.err, /is there already/);
    assert.equal((await sluice('profile', '--process', '7')).code, 1);
    const files = readdirSync(directory).length;
    const { child, err } = started('profile', '--seconds', '30');
    await waitFor('the profile begins', () => err().includes('a CPU profile of 30 s'));
    child.kill('SIGINT');
    assert.deepEqual(await once(child, 'exit'), [1, null]);
    assert.match(err(), /no file was kept/);
    assert.equal(readdirSync(directory).length, files);
  });

  it('says how the token is given, and takes it from a file, never from the command line', async () => {
    const ask = (args: readonly string[], token?: string) =>
      runProgram('src/main.js', ['log-level', 'info', ...args], { env: envOf(token), cwd: directory });
    const without = await ask([]);
    assert.equal(without.code, 77);
    assert.match(without.err, /wants its token: set HTTP_TOKEN or HTTP_TOKEN_FILE, or use --token-file/);
    const wrong = await ask([], 'wrong-horse-battery-staple');
    assert.equal(wrong.code, 77);
    assert.match(wrong.err, /does not take this token/);
    const file = join(directory, 'token');
    writeFileSync(file, `${TOKEN}\n`);
    assert.equal((await ask(['--token-file', file])).code, 0);
    // The option of the command line wins.
    assert.equal((await ask(['--token-file', file], 'wrong-horse-battery-staple')).code, 0);
    const missing = await ask(['--token-file', join(directory, 'nowhere')]);
    assert.equal(missing.code, 78);
    assert.equal((await ask(['--token', TOKEN])).code, 64);
  });

  it('finds the gateway by --url, http or https, whatever else is wrong in the settings here', async (t) => {
    const env = { TCP_PORT: 'wrong', KAFKA_NO_SUCH_SETTING: '1' };
    const ask = (url: string, more: Readonly<Record<string, string>> = {}) =>
      runProgram('src/main.js', ['health', '--url', url], { env: { ...env, ...more }, cwd: directory });
    assert.equal((await ask(`http://127.0.0.1:${gateway.httpPort}`)).code, 0);
    assert.equal((await ask(`localhost:${gateway.httpPort}/`)).code, 0);
    for (const url of ['ftp://localhost', 'http://user:secret@localhost', 'http://']) {
      const { code, err } = await ask(url);
      assert.equal(code, 64, err);
      assert.ok(!err.includes('secret'));
    }
    const refused = await ask('127.0.0.1:1');
    assert.equal(refused.code, 69);
    assert.match(refused.err, /ECONNREFUSED.*is the gateway running/);
    assert.equal((await ask(`127.0.0.1:${gateway.port}`)).code, 76, 'the port of devices');

    const authority = new Authority(directory, 'authority');
    const { cert, key } = authority.sign('proxy');
    const proxy = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (incoming, outgoing) => {
      const path = (incoming.url ?? '').replace(/^\/sluice/, '');
      request({ port: gateway.httpPort, path }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      }).end();
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    t.after(() => proxy.close());
    const url = `https://127.0.0.1:${(proxy.address() as AddressInfo).port}/sluice`;
    const untrusted = await ask(url);
    assert.equal(untrusted.code, 69);
    assert.match(untrusted.err, /not trusted; NODE_EXTRA_CA_CERTS/);
    const trusted = await ask(url, { NODE_EXTRA_CA_CERTS: authority.ca });
    assert.equal(trusted.code, 0, trusted.err);
  });

  it('drain asks first, and with --wait follows the drain to its end', async () => {
    const device = await deviceOf('last');
    const asked = await sluice('drain');
    assert.equal(asked.code, 64);
    assert.match(asked.err, /has 1 device .*\n.*nothing was changed: there is no terminal to ask on/);
    assert.ok(gateway.running);
    const drained = await sluice('drain', '--yes', '--wait');
    assert.equal(drained.code, 0, drained.err);
    assert.match(drained.err, /the gateway drains now[\s\S]*the gateway has ended after/);
    assert.ok(!gateway.running);
    device.socket.destroy();
    const gone = await sluice('stats');
    assert.equal(gone.code, 69);
  });
});
