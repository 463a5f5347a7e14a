// Runs the built program as an operator does: a process with arguments, an environment and an exit code.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parse as parseDotenv } from 'dotenv';
import { SETTING_NAMES } from '../src/config/settings.ts';
import type { Env } from './support/gateway.ts';
import { type ProgramOptions, runProgram } from './support/program.ts';

const PACKAGE = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const directory = mkdtempSync(join(tmpdir(), 'sluice-main-'));
after(() => rmSync(directory, { recursive: true }));

/** Runs the program to its end, in the test's directory. */
const sluice = (args: readonly string[], env: Env = {}, onOutput?: ProgramOptions['onOutput']) =>
  runProgram('src/main.js', args, { env, cwd: directory, ...(onOutput && { onOutput }) });

describe('commands that start no gateway', () => {
  it('list the groups of settings with --help, and say where they are documented', async () => {
    const { code, out } = await sluice(['--help']);
    assert.equal(code, 0);
    const parts = ['--print-config', 'serve', 'Devices (TCP)', 'docs/configuration.md', '.env.example', '78'];
    for (const part of parts) assert.ok(out.includes(part), part);
  });

  it('print the version of package.json with --version', async () => {
    assert.deepEqual(await sluice(['--version']), { code: 0, out: `${PACKAGE.version}\n`, err: '' });
  });

  for (const [args, complaint] of [
    [['--nonsense'], /unknown option '--nonsense'/],
    [['nonsense'], /unknown command 'nonsense'/],
    [['serve', 'nonsense'], /too many arguments/],
  ] as const) {
    it(`refuse ${args.join(' ')} with exit code 64`, async () => {
      const { code, out, err } = await sluice(args);
      assert.equal(code, 64);
      assert.equal(out, '');
      assert.match(err, complaint);
    });
  }
});

describe('--print-config', () => {
  const login = { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'geheim' };

  it('shows every setting and where it comes from, and no secret', async () => {
    const env = { ...login, HTTP_TOKEN: 'geheim', PROFILE: 'wan' };
    const { code, out, err } = await sluice(['--print-config'], env);
    assert.equal(code, 0);
    for (const name of SETTING_NAMES) assert.ok(out.includes(name), name);
    assert.match(out, /# KAFKA_SASL_PASSWORD is set, hidden \(from the environment\)/);
    assert.match(out, /# from the profile:\nKAFKA_COMPRESSION=gzip/);
    assert.match(out, /# from the environment:\nPROFILE=wan/);
    assert.doesNotMatch(out + err, /geheim/);
  });

  it('prints an environment file that gives the same settings', async () => {
    const env = { ...login, KAFKA_SASL_USERNAME: `o'brien #1 \\n` };
    const { out } = await sluice(['--print-config'], { ...env, KAFKA_BROKERS: '', TCP_PORT: '0' });
    const read = parseDotenv(out);
    assert.equal(read.KAFKA_SASL_USERNAME, env.KAFKA_SASL_USERNAME);
    assert.equal(read.KAFKA_BROKERS, '');
    assert.equal(read.TCP_PORT, '0');
    assert.equal(Object.keys(read).length, SETTING_NAMES.length - 1);
  });

  it('with wrong settings prints the problems and exits 78', async () => {
    const { code, out, err } = await sluice(['--print-config'], { TCP_PORT: 'x' });
    assert.equal(code, 78);
    assert.equal(out, '');
    assert.match(err, /TCP_PORT="x"/);
  });
});

describe('wrong settings', () => {
  it('are all reported at once, nothing is started, exit code 78', async () => {
    const env = {
      TCP_PORT: '80800',
      KAFKA_BROKER: 'a:1',
      KAFKA_ASYNC: 'maybe',
      KAFKA_SASL_PASSWORD: 'geheim',
    };
    const { code, out, err } = await sluice(['serve'], env);
    assert.equal(code, 78);
    assert.equal(out, '');
    assert.match(err, /4 problems in the settings, nothing was started/);
    const brokers = 'nearest real name is KAFKA_BROKERS';
    for (const name of ['TCP_PORT="80800"', brokers, 'KAFKA_ASYNC="maybe"', 'KAFKA_SASL_MECHANISM'])
      assert.ok(err.includes(name), name);
    assert.doesNotMatch(err, /geheim/);
  });

  it('in .env of the working directory are found too', async () => {
    const path = join(directory, '.env');
    writeFileSync(path, 'TCP_PROT=1\n');
    const { code, err } = await sluice([]);
    rmSync(path);
    assert.equal(code, 78);
    assert.match(err, /TCP_PROT \(\.env\) is not a setting; the nearest real name is TCP_PORT/);
  });
});

describe('the running gateway', () => {
  const anywhere = { TCP_HOST: '127.0.0.1', TCP_PORT: '0', HTTP_PORT: '', KAFKA_BROKERS: '' };

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`stops on ${signal} with exit code 0`, async () => {
      let sent = false;
      const { code, out, err } = await sluice([], anywhere, (text, child) => {
        if (sent || !text.includes('TCP server listening on')) return;
        sent = true;
        child.kill(signal);
      });
      assert.equal(code, 0, out + err);
      assert.match(out, /"msg":"stopped"/);
      assert.equal(err, '');
    });
  }

  it('says in one line that its port is in use, and exits 1', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as { port: number };
    const { code, out, err } = await sluice([], { ...anywhere, TCP_PORT: String(port) });
    other.close();
    assert.equal(code, 1);
    assert.ok(out.includes(`cannot start: 127.0.0.1:${port} is in use by another process`), out);
    assert.doesNotMatch(out + err, /\n\s+at /);
  });
});
