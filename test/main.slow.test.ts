// Runs the built program as an operator does: a process with arguments, an environment and an exit code.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
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

  it('name the versions of Node that a gateway can run on, on another one', async () => {
    const options = `--import=data:text/javascript,${encodeURIComponent('delete process.getBuiltinModule')}`;
    const { version } = process;
    for (const args of [[], ['serve', '--'], ['check']]) {
      const { code, err } = await sluice(args, { NODE_OPTIONS: options });
      assert.equal(code, 78);
      assert.equal(
        err,
        `Sluice needs Node.js 20.19 or later, but not 21, and of 22 at least 22.3. This is ${version}.\n`,
      );
    }
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
    const secretFile = join(directory, 'token');
    writeFileSync(secretFile, 'geheim');
    const { out: fromFile } = await sluice(['--print-config'], { HTTP_TOKEN_FILE: secretFile });
    assert.match(fromFile, /# HTTP_TOKEN is set, hidden \(from its file\)/);
    assert.ok(fromFile.includes(`HTTP_TOKEN_FILE=${secretFile}`));
    assert.doesNotMatch(fromFile, /geheim/);
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
      assert.match(out, /"event":"stopped"/);
      assert.equal(err, '');
    });
  }

  for (const processes of ['1', '2']) {
    it(`reads its files again on SIGHUP and goes on, if it is not on a terminal (TCP_PROCESSES=${processes})`, async () => {
      const secret = join(directory, 'password');
      writeFileSync(secret, 'first\n');
      const env = {
        ...anywhere,
        TCP_PROCESSES: processes,
        KAFKA_BROKERS: '127.0.0.1:1',
        KAFKA_SASL_MECHANISM: 'plain',
        KAFKA_SASL_USERNAME: 'u',
        KAFKA_SASL_PASSWORD_FILE: secret,
        SPOOL_DIR: join(directory, `spool-${processes}`),
      };
      const done: string[] = [];
      const { code, out } = await sluice([], env, (text, child) => {
        const step = (name: string, condition: boolean, act: () => void) => {
          if (!condition || done.includes(name)) return;
          done.push(name);
          act();
        };
        step('reload', text.includes('TCP server listening on'), () => {
          writeFileSync(secret, 'second\n');
          child.kill('SIGHUP');
        });
        const used = text.split('KAFKA_SASL_PASSWORD_FILE: the new content is in use').length - 1;
        step('stop', used === Number(processes), () => child.kill('SIGTERM'));
      });
      assert.equal(code, 0, out);
      assert.doesNotMatch(out, /first|second/);
    });
  }

  it('stops on SIGHUP if it is on a terminal, however often it comes', { timeout: 30_000 }, async (t) => {
    // `script` gives it a terminal.
    const command = `exec ${process.execPath} ${join(import.meta.dirname, '../src/main.js')}`;
    const child = spawn('script', ['-qefc', command, '/dev/null'], {
      cwd: directory,
      env: {
        PATH: process.env.PATH ?? '',
        ...anywhere,
        LOG_FORMAT: 'json',
        SPOOL_DIR: join(directory, 'spool-tty'),
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let out = '';
    let gateway = 0;
    t.after(() => {
      child.kill('SIGKILL');
      if (gateway > 0 && child.exitCode === null) process.kill(gateway, 'SIGKILL');
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const wasUp = out.includes('TCP server listening on');
      out += text;
      if (wasUp || !out.includes('TCP server listening on')) return;
      gateway = Number(/"pid":(\d+)/.exec(out)?.[1]);
      for (const _ of [1, 2, 3]) process.kill(gateway, 'SIGHUP');
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    assert.equal(code, 0, out);
    assert.match(out, /"event":"stopped"/);
  });

  it('says in one line which setting’s port is in use, and by whom, and exits 1', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as { port: number };
    const { code, out, err } = await sluice([], { ...anywhere, TCP_PORT: String(port) });
    other.close();
    assert.equal(code, 1);
    const line = `cannot listen on TCP_HOST=127.0.0.1 TCP_PORT=${port}: the port is in use by pid ${process.pid} (node `;
    assert.ok(out.includes(line), out);
    assert.doesNotMatch(out + err, /\n\s+at /);
  });
});
