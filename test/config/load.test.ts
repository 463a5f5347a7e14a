import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { PROFILE_NAMES } from '../../src/config/settings.ts';
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
  });

  it('an empty or blank value counts as not set', () => {
    const path = file('empty.env', 'TCP_PORT=1234\n');
    assert.equal(accepted({ TCP_PORT: '', TCP_HOST: '  ' }, path).settings.TCP_PORT, 1234);
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
      'TCP_PORT="99999" (environment) is not allowed; allowed: a whole number from 0 to 65535',
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

  it('a login is complete or absent', () => {
    const both = { KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p' };
    accepted({ KAFKA_SASL_MECHANISM: 'scram-sha-512', ...both });
    assert.equal(problems({ KAFKA_SASL_MECHANISM: 'plain' }).length, 2);
    refused({ KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'u' }, /^KAFKA_SASL_PASSWORD/);
    refused(both, /^KAFKA_SASL_MECHANISM is not set/);
  });

  it('certificate and key need each other and KAFKA_SSL=true', () => {
    const pem = file('some.pem', 'x');
    accepted({ KAFKA_SSL: 'true', KAFKA_SSL_CERT: pem, KAFKA_SSL_KEY: pem, KAFKA_SSL_CA: pem });
    refused({ KAFKA_SSL: 'true', KAFKA_SSL_CERT: pem }, /^KAFKA_SSL_KEY is not set/);
    refused({ KAFKA_SSL: 'true', KAFKA_SSL_KEY: pem }, /^KAFKA_SSL_CERT is not set/);
    refused({ KAFKA_SSL_CA: pem }, /KAFKA_SSL=false/);
  });

  it('a certificate file that is missing, or is a directory, is refused', () => {
    const missing = { KAFKA_SSL: 'true', KAFKA_SSL_CA: '/no/such.pem' };
    refused(missing, /"\/no\/such.pem": there is no such file/);
    refused({ KAFKA_SSL: 'true', KAFKA_SSL_CA: directory }, /not a file/);
  });
});

describe('names', () => {
  for (const [name, nearest] of [
    ['TCP_PROT', 'TCP_PORT'],
    ['KAFKA_BROKER', 'KAFKA_BROKERS'],
    ['KAFKA_REQUIRED_ACK', 'KAFKA_REQUIRED_ACKS'],
    ['SPOOL_MAX_BYTE', 'SPOOL_MAX_BYTES'],
    ['HTTP_PORTS', 'HTTP_PORT'],
    ['STATS_INTERVALL', 'STATS_INTERVAL'],
    ['SHUTDOWN_TIMOUT', 'SHUTDOWN_TIMEOUT'],
    ['tcp_port', 'TCP_PORT'],
  ] as const) {
    it(`${name} is answered with ${nearest}`, () => {
      assert.deepEqual(problems({ [name]: 'x' }), [
        `${name} (environment) is not a setting; the nearest real name is ${nearest}`,
      ]);
    });
  }

  for (const [name, value] of [
    ['HTTP_PROXY', 'http://proxy:3128'],
    ['http_proxy', 'http://proxy:3128'],
    ['KAFKA_PORT', 'tcp://10.0.0.7:9092'],
    ['KAFKA_SERVICE_HOST', '10.0.0.7'],
    ['KAFKA_SERVICE_PORT', '9092'],
    ['KAFKA_SERVICE_PORT_TCP_CLIENT', '9092'],
    ['KAFKA_PORT_9092_TCP', 'tcp://10.0.0.7:9092'],
    ['KAFKA_PORT_9092_TCP_ADDR', '10.0.0.7'],
    ['KAFKA_HEADLESS_PORT_9092_TCP_PROTO', 'tcp'],
    ['KAFKA_HEAP_OPTS', '-Xmx1g'],
    ['LOG_DIR', '/var/log'],
    ['PATH', '/bin'],
  ] as const) {
    it(`${name} of other software is ignored`, () => {
      accepted({ [name]: value });
    });
  }

  it('KAFKA_PORT with a plain port is a mistake and no service link', () => {
    assert.equal(problems({ KAFKA_PORT: '9092' }).length, 1);
  });

  it('a service link in a real setting is refused with its cause', () => {
    refused({ TCP_PORT: 'tcp://10.0.0.7:80' }, /enableServiceLinks: false/);
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

  it('say of each setting of a later feature that it has no effect yet', () => {
    const env = { SPOOL_DIR: '/spool', TCP_TLS_CERT: '/absent.pem', HTTP_TOKEN: 'geheim' };
    assert.deepEqual(accepted(env).warnings, [
      'TCP_TLS_CERT is set but has no effect yet: TLS for devices is not built',
      'HTTP_TOKEN is set but has no effect yet: the dashboard is not built',
    ]);
  });

  it('are absent if every setting has its effect', () => {
    const env = { TCP_PROCESSES: '2', TCP_PROXY_PROTOCOL: 'off', SPOOL_SYNC: 'batch' };
    assert.deepEqual(accepted(env).warnings, []);
  });
});
