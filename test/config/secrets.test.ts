// Secrets are never shown, never cut off, and not left open to every user of the machine.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parse as parseDotenv } from 'dotenv';
import { printConfig } from '../../src/cli/print-config.ts';
import { cutOffSecrets } from '../../src/config/dotenv-secrets.ts';
import { loadSettings } from '../../src/config/load.ts';
import { aboutSetting, SETTING_NAMES } from '../../src/config/settings.ts';
import { Authority } from '../support/authority.ts';
import { accepted, type Env, problems } from './loading.ts';

const directory = mkdtempSync(join(tmpdir(), 'sluice-secrets-'));
after(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string, mode = 0o600): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

/** All that a start or --print-config shows. */
function shown(env: Env, dotenvPath?: string): string {
  const loaded = loadSettings(dotenvPath === undefined ? { env } : { env, dotenvPath });
  return loaded.ok ? [printConfig(loaded), ...loaded.warnings].join('\n') : loaded.problems.join('\n');
}

const KEY = execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519'], { encoding: 'utf8' });
const BODY = KEY.split('\n')[1] ?? '';

describe('a private key that is pasted where its path belongs', () => {
  for (const name of SETTING_NAMES) {
    it(`is not shown as ${name}`, () => {
      assert.ok(BODY.length > 40);
      const forms = [KEY, KEY.replaceAll('\n', '\\n'), KEY.replaceAll('\n', ' '), KEY.replaceAll('\n', '')];
      const base64 = Buffer.from(KEY).toString('base64');
      assert.ok(!shown({ [name]: base64 }).includes(base64.slice(0, 20)));
      for (const text of forms) assert.ok(!shown({ [name]: text }).includes(BODY.slice(0, 20)), text);
      const dotenv = file('pasted.env', `${name}='${KEY}'\n`);
      assert.ok(!shown({}, dotenv).includes(BODY.slice(0, 20)));
    });
  }

  it('is answered with what is allowed', () => {
    const [problem = ''] = problems({ KAFKA_SSL: 'true', KAFKA_SSL_CA: KEY });
    assert.equal(
      problem,
      'KAFKA_SSL_CA (value hidden) (environment) is the content of a PEM file; allowed: the path of a readable file, or empty',
    );
  });
});

describe('a password', () => {
  const paths = SETTING_NAMES.filter((name) => aboutSetting(name).secretFile);

  for (const name of paths) {
    it(`that is pasted as the path ${name} is not shown`, () => {
      for (const text of ['hunter2hunter2', '/hunter2hunter2', 'a/hunter2', `${directory}/hunter2`])
        assert.doesNotMatch(shown({ [name]: text, KAFKA_SSL: 'true' }), /hunter2/);
    });
  }

  it('in a URL is not shown', () => {
    const passwords = [
      'hunter2',
      'hunter2/x',
      'x/hunter2',
      'hunter2,x',
      'hunter2@x',
      'hunter2 x',
      'x:hunter2',
    ];
    const urls = passwords.flatMap((password) => [
      `kafka://me:${password}@kafka:9092`,
      `me:${password}@kafka:9092`,
      `a:1,me:${password}@b:2`,
    ]);
    for (const text of urls) assert.doesNotMatch(shown({ KAFKA_BROKERS: text }), /hunter2/);
    assert.match(shown({ KAFKA_BROKERS: 'kafka://kafka:9092' }), /kafka:\/\/kafka:9092/);
  });

  it('under a misspelt name is not shown', () => {
    assert.doesNotMatch(shown({ HTTP_TOKENS: 'hunter2', KAFKA_PASSWORD: 'hunter2' }), /hunter2/);
  });
});

describe('a # in the .env value of a secret', () => {
  const login = { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'u', KAFKA_SSL: 'true' };

  for (const line of [
    'KAFKA_SASL_PASSWORD=abc#def',
    'KAFKA_SASL_PASSWORD=abc #def',
    'KAFKA_SASL_PASSWORD=#def',
    'KAFKA_SASL_PASSWORD= # def',
    'export KAFKA_SASL_PASSWORD=abc#def',
    '  KAFKA_SASL_PASSWORD = abc#def',
    'KAFKA_SASL_PASSWORD: abc#def',
    'KAFKA_SASL_PASSWORD="abc#def',
    "KAFKA_SASL_PASSWORD=abc'#def'",
    `KAFKA_SASL_PASSWORD="abc"#def"`,
    `KAFKA_SASL_PASSWORD="abc"d#ef"`,
    'KAFKA_SASL_PASSWORD=abc#def\r',
    'KAFKA_SASL_PASSWORD=abc#def\nKAFKA_SASL_PASSWORD=abcdef',
  ]) {
    it(`is refused without quotes: ${JSON.stringify(line)}`, () => {
      const found = problems(login, file('cut.env', `TCP_PORT=1\n\n# remark\n${line}\nHTTP_PORT=2\n`));
      assert.match(found[0] ?? '', /^KAFKA_SASL_PASSWORD \(\.env, line 4\): the value would end before a #/);
      assert.doesNotMatch(found.join(), /abc|def"/);
    });
  }

  for (const [line, value] of [
    ["KAFKA_SASL_PASSWORD='abc#def'", 'abc#def'],
    ['KAFKA_SASL_PASSWORD="abc#def"', 'abc#def'],
    ['KAFKA_SASL_PASSWORD=`abc#def`', 'abc#def'],
    ["KAFKA_SASL_PASSWORD='abc#def' # the remark", 'abc#def'],
    ["KAFKA_SASL_PASSWORD='#' # 'x'", '#'],
    ['KAFKA_SASL_PASSWORD=abcdef', 'abcdef'],
    ['KAFKA_SASL_PASSWORD=abcdef\n# a remark', 'abcdef'],
    ['HTTP_TOKEN=\n# a remark\nKAFKA_SASL_PASSWORD=a', 'a'],
    ['HTTP_TOKEN=\n\n  # a remark\nKAFKA_SASL_PASSWORD=a', 'a'],
    ['#KAFKA_SASL_PASSWORD=x#y\nKAFKA_SASL_PASSWORD=a', 'a'],
    ['TCP_PORT=1 # a remark\nKAFKA_SASL_PASSWORD=a', 'a'],
    ["KAFKA_SASL_PASSWORD='abc\n#def'", 'abc\n#def'],
  ] as const) {
    it(`is taken as it is meant: ${JSON.stringify(line)}`, () => {
      const { settings } = accepted(login, file('whole.env', `${line}\n`));
      assert.equal(settings.KAFKA_SASL_PASSWORD, value);
    });
  }

  it('is found in every value that dotenv would shorten', () => {
    // Every text of up to six of these characters: without a problem, nothing before a `#` may be missing.
    const characters = ['a', '#', '"', "'", ' '];
    const texts = (length: number): string[] =>
      length === 0 ? [''] : texts(length - 1).flatMap((text) => characters.map((one) => text + one));
    for (const text of [1, 2, 3, 4, 5, 6].flatMap(texts)) {
      const line = `HTTP_TOKEN=${text}`;
      const isRefused = cutOffSecrets(line, (name) => name === 'HTTP_TOKEN').length > 0;
      const read = parseDotenv(line).HTTP_TOKEN ?? '';
      const isRemark = /^ *(['"])(?:(?!\1).)*\1 +#/.test(text);
      if (!isRefused && !isRemark) assert.equal(hashes(read), hashes(text), JSON.stringify(text));
    }
  });
});

const hashes = (text: string) => text.split('#').length - 1;

describe('a file with a secret', () => {
  const TOKEN = 'a'.repeat(32);
  const token = (path: string): Env => ({ HTTP_TOKEN_FILE: path });
  const exposed = (env: Env, dotenvPath?: string) =>
    accepted(env, dotenvPath).warnings.filter((warning) => warning.includes('every user of this machine'));

  for (const [mode, warns] of [
    [0o600, false],
    [0o400, false],
    [0o640, false],
    [0o644, true],
    [0o604, true],
    [0o602, true],
  ] as const) {
    it(`and mode 0${mode.toString(8)} is ${warns ? '' : 'not '}warned about`, () => {
      const path = file(`mode-${mode}`, TOKEN, mode);
      const warnings = exposed(token(path));
      assert.equal(warnings.length, warns ? 1 : 0);
      if (warns)
        assert.match(warnings[0] ?? '', new RegExp(`^HTTP_TOKEN_FILE: .*${path}.*mode 0${mode.toString(8)}`));
    });
  }

  it('is judged by its own mode if the path is a symbolic link, as in Kubernetes', () => {
    mkdirSync(join(directory, '..data'), { mode: 0o700 });
    const target = file('..data/token', TOKEN, 0o644);
    symlinkSync(target, join(directory, 'link'));
    assert.equal(exposed(token(join(directory, 'link'))).length, 1);
    chmodSync(target, 0o400);
    assert.equal(exposed(token(join(directory, 'link'))).length, 0);
  });

  it('is every setting that names one, and .env if it has a secret', () => {
    const ca = new Authority(directory, 'ca');
    const { cert, key } = ca.sign('localhost');
    chmodSync(key, 0o644);
    for (const env of [
      { TCP_TLS_PORT: '0', TCP_TLS_CERT: cert, TCP_TLS_KEY: key },
      { KAFKA_SSL: 'true', KAFKA_SSL_CERT: cert, KAFKA_SSL_KEY: key },
    ])
      assert.match(exposed(env).join(), new RegExp(`^\\w+_KEY: .*${key}`));
    const secret = file('secret.env', `HTTP_TOKEN=${TOKEN}\n`, 0o644);
    assert.match(exposed({}, secret)[0] ?? '', /^\.env: /);
    assert.equal(exposed({}, file('closed.env', `HTTP_TOKEN=${TOKEN}\n`)).length, 0);
    assert.equal(exposed({}, file('plain.env', 'TCP_PORT=1\nHTTP_TOKEN=\n', 0o644)).length, 0);
  });

  it('is marked as one if its name says so', () => {
    // The keys of records are no secrets.
    const isRecordKey = (name: string) => name === 'KAFKA_KEY' || name === 'TCP_LINES_KEY';
    const named = SETTING_NAMES.filter((name) => /(_KEY|_FILE)$/.test(name) && !isRecordKey(name));
    assert.ok(named.length > 3);
    for (const name of named) assert.ok(aboutSetting(name).secretFile, name);
  });
});
