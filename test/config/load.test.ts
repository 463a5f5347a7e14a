import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileSettingOf } from '../../src/config/secret-file.ts';
import { aboutSetting, PROFILE_NAMES, SETTING_NAMES } from '../../src/config/settings.ts';
import { Authority } from '../support/authority.ts';
import { accepted, type Env, problems } from './loading.ts';

const directory = mkdtempSync(join(tmpdir(), 'sluice-load-'));
after(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

/** The first problem matches. */
function refused(env: Env, problem: RegExp, dotenvPath?: string): void {
  assert.match(problems(env, dotenvPath)[0] ?? '', problem);
}

describe('the source of a value', () => {
  it('without any setting all are defaults, without a warning', () => {
    const { settings, origins, warnings } = accepted({});
    assert.equal(settings.TCP_PORT, 8080);
    assert.equal(settings.TCP_INACTIVITY_TIMEOUT, 120_000);
    assert.equal(settings.KAFKA_BATCH_BYTES, 524_288);
    assert.deepEqual(settings.KAFKA_BROKERS, ['localhost:9092']);
    assert.equal(settings.KAFKA_REQUIRED_ACKS, -1);
    assert.equal(settings.KAFKA_SSL_CA, null);
    assert.equal(settings.HTTP_PORT, 9108);
    assert.equal(origins.TCP_PORT, 'default');
    assert.deepEqual(warnings, []);
  });

  it('the environment wins over .env, .env over the profile, the profile over the default', () => {
    const path = file('order.env', 'PROFILE=wan\nTCP_PORT=1000\nHTTP_PORT=1001\nKAFKA_BATCH_TIMEOUT=7ms\n');
    const { settings, origins } = accepted({ TCP_PORT: '2000' }, path);
    assert.deepEqual([settings.TCP_PORT, origins.TCP_PORT], [2000, 'environment']);
    assert.deepEqual([settings.HTTP_PORT, origins.HTTP_PORT], [1001, '.env']);
    assert.deepEqual([settings.KAFKA_BATCH_TIMEOUT, origins.KAFKA_BATCH_TIMEOUT], [7, '.env']);
    assert.deepEqual([settings.KAFKA_COMPRESSION, origins.KAFKA_COMPRESSION], ['gzip', 'profile']);
    assert.deepEqual([settings.KAFKA_ASYNC, origins.KAFKA_ASYNC], [true, 'default']);
  });

  it('reading .env does not change process.env', () => {
    const before = { ...process.env };
    accepted({}, file('quiet.env', 'TCP_PORT=1234\n'));
    assert.deepEqual({ ...process.env }, before);
  });

  it('a missing .env is fine; one that cannot be read is a problem', () => {
    accepted({}, join(directory, 'absent'));
    refused({}, /cannot be read \(EISDIR\)/, directory);
    const utf16 = file('utf-16.env', '');
    writeFileSync(utf16, Buffer.from('TCP_PORT=81\n', 'utf16le'));
    refused({}, /is not UTF-8 text, so no setting in it can be read; save it as UTF-8/, utf16);
  });

  it('.env may have a BOM, CR LF, quotes and remarks', () => {
    const path = file(
      'windows.env',
      '\ufeffTCP_PORT=81\r\nexport KAFKA_BROKERS="a:1,b:2" # both\r\n\r\n# HTTP_PORT 1\r\nSPOOL_DIR=\'x y\'\r\n',
    );
    const { settings, warnings, foreignNames } = accepted({}, path);
    assert.deepEqual(
      [settings.TCP_PORT, settings.KAFKA_BROKERS, settings.SPOOL_DIR],
      [81, ['a:1', 'b:2'], 'x y'],
    );
    assert.deepEqual([...warnings, ...foreignNames], []);
  });

  it('a line of .env that would have no effect is a problem', () => {
    const path = file(
      'no-equals.env',
      '\n# TCP_PORT 1\nTCP_PORT 81\r\n- HTTP_PORT\nKAFKA_BROKERS : a:1\nPATH x\n',
    );
    assert.deepEqual(problems({}, path), [
      'TCP_PORT (.env, line 3) has no = behind it, so the line has no effect; write TCP_PORT=value',
      'HTTP_PORT (.env, line 4) has no = behind it, so the line has no effect; write HTTP_PORT=value',
    ]);
  });

  it('an empty or blank value counts as not set', () => {
    const path = file('empty.env', 'TCP_WORKER_COUNT=12\n');
    assert.equal(accepted({ TCP_WORKER_COUNT: '', TCP_HOST: '  ' }, path).settings.TCP_WORKER_COUNT, 12);
  });

  it('an empty value counts if empty has a meaning', () => {
    const path = file('meaning.env', 'KAFKA_BROKERS=kafka:9092\nHTTP_PORT=1\n');
    const { settings } = accepted({ KAFKA_BROKERS: '', KAFKA_TOPIC_DEAD_LETTERS: '', HTTP_PORT: '' }, path);
    assert.deepEqual(settings.KAFKA_BROKERS, []);
    assert.equal(settings.KAFKA_TOPIC_DEAD_LETTERS, null);
    assert.equal(settings.HTTP_PORT, null);
  });

  it('spaces and CR around a value do not matter, except in a secret', () => {
    const { settings } = accepted({
      TCP_PORT: ' 1234\r',
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: 'u',
      KAFKA_SASL_PASSWORD: ' p ',
    });
    assert.equal(settings.TCP_PORT, 1234);
    assert.equal(settings.KAFKA_SASL_PASSWORD, ' p ');
  });

  for (const profile of PROFILE_NAMES) {
    it(`the profile ${profile} alone has no problem`, () => {
      assert.deepEqual(accepted({ PROFILE: profile }).warnings, []);
    });
  }
});

describe('problems', () => {
  it('are all reported at once, each with variable, value, origin and allowed values', () => {
    const path = file('wrong.env', 'TCP_USE_WORKER_POOL=maybe\n');
    const found = problems(
      { TCP_PORT: '99999', KAFKA_COMPRESSION: 'brotli', KAFKA_BROKER: 'a:1', PROFILE: 'huge' },
      path,
    );
    assert.deepEqual(found, [
      'KAFKA_BROKER (environment) is not a setting; the nearest real name is KAFKA_BROKERS',
      'TCP_PORT="99999" (environment) is not allowed; allowed: a whole number from 0 to 65535, or empty',
      'TCP_USE_WORKER_POOL="maybe" (.env) is not allowed; allowed: true or false (also 1, t, yes, on and 0, f, no, off)',
      'KAFKA_COMPRESSION="brotli" (environment) is not allowed; allowed: one of none, gzip, snappy, lz4, zstd',
      'PROFILE="huge" (environment) is not allowed; allowed: one of local, lan, wan, small, medium, large, or empty',
    ]);
  });

  it('never show a secret, whether its value is refused or its name misspelt', () => {
    const found = problems({
      KAFKA_SASL_PASSWORD: 'geheim\0',
      HTTP_TOKEN: 'ge heim',
      KAFKA_SASL_PASWORD: 'geheim',
    }).join('\n');
    assert.match(found, /KAFKA_SASL_PASSWORD \(value hidden\)/);
    assert.match(found, /HTTP_TOKEN \(value hidden\)/);
    assert.doesNotMatch(found, /heim/);
  });

  it('show a value shortened and without control characters', () => {
    const [found = ''] = problems({ TCP_PORT: `\u001b[31m\n\u202e${'9'.repeat(5000)}` });
    assert.match(found, /TCP_PORT="\\u001b\[31m\\u000a\\u202e9+\.\.\."/);
    assert.ok(found.length < 300);
  });

  it('between settings are found although another setting is refused', () => {
    const found = problems({ TCP_PORT: 'x', KAFKA_BATCH_BYTES: '2MiB', KAFKA_BUFFER_BYTES: '4MiB' });
    assert.equal(found.length, 2);
    assert.match(found[1] ?? '', /^KAFKA_BATCH_BYTES=2MiB is more than a quarter of KAFKA_BUFFER_BYTES=4MiB/);
  });

  it('a batch may be a quarter of the buffer, not more', () => {
    accepted({ KAFKA_BATCH_BYTES: '1MiB', KAFKA_BUFFER_BYTES: '4MiB' });
    problems({ KAFKA_BATCH_BYTES: '1048577', KAFKA_BUFFER_BYTES: '4MiB' });
  });

  it('a spool may be smaller than its segments: they are cut to fit', () => {
    accepted({ SPOOL_SEGMENT_BYTES: '64MiB', SPOOL_MAX_BYTES: '1MiB' });
  });

  it('two topics of one name are refused', () => {
    const problem = /^KAFKA_TOPIC_DEAD_LETTERS="weather.alarms" is the topic of KAFKA_TOPIC_ALARMS too/;
    refused({ KAFKA_TOPIC_DEAD_LETTERS: 'weather.alarms' }, problem);
  });

  it('one port for two listeners is refused if their addresses overlap', () => {
    problems({ TCP_PORT: '9000', HTTP_PORT: '9000' });
    accepted({ TCP_PORT: '9000', HTTP_PORT: '9000', TCP_HOST: '127.0.0.2' });
    accepted({ TCP_PORT: '0', HTTP_PORT: '0' });
  });

  it('the PROXY protocol needs to know which proxies are trusted', () => {
    refused(
      { TCP_PROXY_PROTOCOL: 'on' },
      /^TCP_PROXY_TRUSTED is not set, but TCP_PROXY_PROTOCOL=true needs it/,
    );
    accepted({ TCP_PROXY_PROTOCOL: 'on', TCP_PROXY_TRUSTED: '10.0.0.7' });
  });

  it('a login is complete or absent', () => {
    const both = { KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p' };
    accepted({ KAFKA_SASL_MECHANISM: 'scram-sha-512', ...both });
    assert.equal(problems({ KAFKA_SASL_MECHANISM: 'plain' }).length, 2);
    refused({ KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'u' }, /^KAFKA_SASL_PASSWORD/);
    refused(both, /^KAFKA_SASL_MECHANISM is not set/);
  });

  it('certificate and key need each other and KAFKA_SSL=true', () => {
    const authority = new Authority(directory, 'ca');
    const { cert, key } = authority.sign('gateway');
    const { ca } = authority;
    accepted({ KAFKA_SSL: 'true', KAFKA_SSL_CERT: cert, KAFKA_SSL_KEY: key, KAFKA_SSL_CA: ca });
    refused({ KAFKA_SSL: 'true', KAFKA_SSL_CERT: cert }, /^KAFKA_SSL_KEY is not set/);
    refused({ KAFKA_SSL: 'true', KAFKA_SSL_KEY: key }, /^KAFKA_SSL_CERT is not set/);
    refused({ KAFKA_SSL_CA: ca }, /KAFKA_SSL=false/);
  });

  it('certificate files that do not work are refused with the reason, without their content', () => {
    const authority = new Authority(directory, 'another');
    const { cert, key } = authority.sign('gateway');
    const refusedAs = (env: Env, problem: RegExp) => {
      const found = problems({ KAFKA_SSL: 'true', ...env });
      assert.equal(found.length, 1, found.join('\n'));
      assert.match(found[0] ?? '', problem);
      assert.doesNotMatch(found[0] ?? '', /BEGIN|MII|geheim/);
    };
    const empty = file('empty.pem', '');
    const text = file('text.pem', 'geheim');
    const damaged = file('damaged.pem', readFileSync(cert, 'utf8').replace(/^M.{20}/m, 'M'));
    const encrypted = join(directory, 'encrypted.key');
    execFileSync('openssl', ['pkey', '-in', key, '-aes256', '-passout', 'pass:geheim', '-out', encrypted]);
    for (const ca of [empty, text, key])
      refusedAs({ KAFKA_SSL_CA: ca }, /^KAFKA_SSL_CA: the file has no certificate in PEM format/);
    refusedAs({ KAFKA_SSL_CA: damaged }, /^KAFKA_SSL_CA: certificate 1 of 1 in the file is damaged/);
    const pair = (cert: string, key: string) => ({ KAFKA_SSL_CERT: cert, KAFKA_SSL_KEY: key });
    refusedAs(pair(text, key), /^KAFKA_SSL_CERT: the file has no certificate/);
    refusedAs(pair(cert, text), /^KAFKA_SSL_KEY: the file has no private key/);
    refusedAs(pair(cert, encrypted), /^KAFKA_SSL_KEY: the private key is encrypted with a passphrase/);
    refusedAs(pair(cert, authority.sign('other').key), /^KAFKA_SSL_KEY: this is not the private key of/);
  });

  it('a certificate file that is missing, or is a directory, is refused', () => {
    const missing = { KAFKA_SSL: 'true', KAFKA_SSL_CA: '/no/such.pem' };
    refused(missing, /"\/no\/such.pem": there is no such file/);
    refused({ KAFKA_SSL: 'true', KAFKA_SSL_CA: directory }, /not a file/);
  });
});

describe('a secret in a file', () => {
  const login = { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'u', KAFKA_SSL: 'true' };
  const withFile = (path: string, more: Env = {}) => ({ ...login, KAFKA_SASL_PASSWORD_FILE: path, ...more });

  it('exists for each secret', () => {
    for (const name of SETTING_NAMES.filter((name) => aboutSetting(name).secret))
      assert.equal(fileSettingOf(name), `${name}_FILE`);
  });

  it('is read without its last line feed, and nothing else is cut off', () => {
    for (const [content, value] of [
      ['geheim', 'geheim'],
      ['geheim\n', 'geheim'],
      ['geheim\r\n', 'geheim'],
      ['geheim\n\n', 'geheim\n'],
      [' ge#heim "ü" ', ' ge#heim "ü" '],
    ] as const) {
      const { settings, origins, texts } = accepted(withFile(file('secret', content)));
      assert.equal(settings.KAFKA_SASL_PASSWORD, value);
      assert.equal(texts.KAFKA_SASL_PASSWORD, value);
      assert.equal(origins.KAFKA_SASL_PASSWORD, 'file');
      assert.equal(origins.KAFKA_SASL_PASSWORD_FILE, 'environment');
    }
    assert.equal(accepted({ HTTP_TOKEN_FILE: file('token', 'abc\n') }).settings.HTTP_TOKEN, 'abc');
  });

  it('is named in .env as well, and an empty variable is not set', () => {
    const path = file('file.env', `KAFKA_SASL_PASSWORD_FILE=${file('secret', 'geheim')}\n`);
    assert.equal(
      accepted({ ...login, KAFKA_SASL_PASSWORD: '' }, path).settings.KAFKA_SASL_PASSWORD,
      'geheim',
    );
    assert.equal(
      accepted({ ...login, KAFKA_SASL_PASSWORD_FILE: '', KAFKA_SASL_PASSWORD: 'p' }).settings
        .KAFKA_SASL_PASSWORD,
      'p',
    );
  });

  const refusedWith = (env: Env, problem: string, dotenvPath?: string) =>
    assert.deepEqual(problems(env, dotenvPath), [problem]);

  it('is refused beside the variable itself, wherever each is set', () => {
    const path = file('secret', 'geheim');
    const both = 'KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE are both set; allowed: one of them';
    refusedWith(withFile(path, { KAFKA_SASL_PASSWORD: 'p' }), both);
    refusedWith(withFile(path), both, file('both.env', 'KAFKA_SASL_PASSWORD=p\n'));
  });

  it('that cannot be read is one problem, which names the setting and hides a secret in the place of its path', () => {
    const allowed = 'allowed: the path of a readable file, or empty';
    refusedWith(
      withFile('geheim'),
      `KAFKA_SASL_PASSWORD_FILE (value hidden): there is no such file; ${allowed}`,
    );
    refusedWith(
      withFile(directory),
      `KAFKA_SASL_PASSWORD_FILE (value hidden): this is not a file; ${allowed}`,
    );
    refusedWith(
      withFile('geheim'.repeat(1000)),
      `KAFKA_SASL_PASSWORD_FILE (value hidden) (environment) is not allowed; ${allowed}`,
    );
  });

  it('with an empty or a wrong content is refused, and the content is hidden', () => {
    const start = (name: string) => `KAFKA_SASL_PASSWORD_FILE="${join(directory, name)}": `;
    for (const content of ['', '\n'])
      refusedWith(withFile(file('empty', content)), `${start('empty')}the file is empty`);
    refusedWith(
      withFile(file('long', 'geheim'.repeat(1000))),
      `${start('long')}the content is not allowed for KAFKA_SASL_PASSWORD; allowed: 1-1024 characters, or empty`,
    );
    const binary = join(directory, 'binary');
    writeFileSync(binary, Buffer.from([0x67, 0xff, 0xfe]));
    refusedWith(withFile(binary), `${start('binary')}the file is not UTF-8 text`);
  });
});

describe('warnings', () => {
  it('say that acks of 1 and 0 can lose data', () => {
    for (const acks of ['0', '1']) {
      assert.match(accepted({ KAFKA_REQUIRED_ACKS: acks }).warnings[0] ?? '', /can lose data/);
    }
  });

  it('say that a password would be sent unencrypted', () => {
    const env = { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p' };
    assert.match(accepted(env).warnings[0] ?? '', /without KAFKA_SSL=true/);
    assert.deepEqual(accepted({ ...env, KAFKA_SSL: 'true' }).warnings, []);
  });

  it('say that a short token can be guessed, without its length', () => {
    const [warning = ''] = accepted({ HTTP_TOKEN: 'geheim' }).warnings;
    assert.match(warning, /^HTTP_TOKEN has fewer than 16 characters/);
    assert.doesNotMatch(warning, /geheim/);
    assert.deepEqual(accepted({ HTTP_TOKEN: '0123456789abcdef' }).warnings, []);
  });

  it('name trusted proxies that are everybody, or nobody', () => {
    const env = { SPOOL_DIR: '/spool', TCP_PROXY_TRUSTED: '10.0.0.0/8,::/0' };
    assert.deepEqual(accepted(env).warnings, [
      'TCP_PROXY_TRUSTED is set, but TCP_PROXY_PROTOCOL is off, so every PROXY header is refused',
    ]);
    assert.match(
      accepted({ ...env, TCP_PROXY_PROTOCOL: 'on' }).warnings.join(),
      /^TCP_PROXY_TRUSTED=::\/0 lets every/,
    );
  });

  it('are absent if every setting has its effect', () => {
    const env = { TCP_PROCESSES: '2', TCP_PROXY_PROTOCOL: 'off', SPOOL_SYNC: 'batch' };
    assert.deepEqual(accepted(env).warnings, []);
  });
});
