import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { describe, it } from 'node:test';
import { durationText, parseDuration, parsePairs, parseSize, sizeText } from '../../src/config/kinds.ts';
import { PROFILES } from '../../src/config/profiles.ts';
import {
  aboutSetting,
  PROFILE_NAMES,
  parseSetting,
  SETTING_NAMES,
  type SettingName,
} from '../../src/config/settings.ts';

/** The parsed value, or undefined if the text is refused. */
function parse(name: SettingName, text: string): unknown {
  return parseSetting(name, text);
}

describe('durations', () => {
  for (const [text, ms] of [
    ['0', 0],
    ['500ms', 500],
    ['10s', 10_000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['1m30s', 90_000],
    ['1.5s', 1500],
    ['.5s', 500],
    ['1.1s', 1100],
    ['2000us', 2],
    ['2000µs', 2],
    ['3000000ns', 3],
  ] as const) {
    it(`reads ${text} as ${ms} ms`, () => assert.equal(parseDuration(text), ms));
  }

  it('are rounded up to milliseconds, so that none becomes 0, which means off', () => {
    assert.equal(parseDuration('1ns'), 1);
    assert.equal(parseDuration('1500us'), 2);
  });

  for (const text of ['', '10', '10 s', 's', '.s', '1d', '10S', '1e3ms', '0x10s', '10s ', '1..5s', 'NaN']) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseDuration(text), undefined));
  }

  it('are written in the largest unit that divides them', () => {
    const texts = ['0ms', '1ms', '1500ms', '90s', '2h'];
    assert.deepEqual([0, 1, 1500, 90_000, 7_200_000].map(durationText), texts);
  });
});

describe('sizes', () => {
  for (const [text, bytes] of [
    ['65536', 65_536],
    ['64KiB', 65_536],
    ['64kib', 65_536],
    ['1MiB', 1_048_576],
    ['1.5MiB', 1_572_864],
    ['1GiB', 1_073_741_824],
    ['64KB', 64_000],
    ['1MB', 1_000_000],
    ['10B', 10],
  ] as const) {
    it(`reads ${text} as ${bytes} bytes`, () => assert.equal(parseSize(text), bytes));
  }

  for (const text of ['', '-1', '64K', '1M', 'KiB', '0.3', '1e6', '9007199254740992', '0x10', '1 000']) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseSize(text), undefined));
  }

  it('are written in the largest unit that divides them', () => {
    assert.deepEqual([100, 65_536, 1_048_577, 2 ** 30].map(sizeText), ['100', '64KiB', '1048577', '1GiB']);
  });
});

describe('each limit, from both sides', () => {
  const limits: [SettingName, lowest: string, below: string, highest: string, above: string][] = [
    ['TCP_PORT', '0', '-1', '65535', '65536'],
    ['TCP_TLS_PORT', '0', '-1', '65535', '65536'],
    ['TCP_LINES_PORT', '0', '-1', '65535', '65536'],
    ['TCP_LINES_KEY', 'x', '\0', 'x'.repeat(256), 'x'.repeat(257)],
    ['TCP_LINES_TOPIC', 'a', '.', 'a'.repeat(249), 'a'.repeat(250)],
    ['TCP_LINES_TOPIC_FIELD', 'x', '\0', 'x'.repeat(256), 'x'.repeat(257)],
    ['TCP_TLS_HANDSHAKE_TIMEOUT', '1ms', '0', '596h', '2145600001ms'],
    ['TCP_TLS_MAX_HANDSHAKES', '1', '0', '100000', '100001'],
    ['TCP_MAX_CONNECTIONS', '1', '0', '1000000', '1000001'],
    ['TCP_MAX_CONNECTIONS_PER_IP', '0', '-1', '1000000', '1000001'],
    ['TCP_MAX_ACCEPTS_PER_SECOND', '0', '-1', '1000000', '1000001'],
    ['TCP_IDENTIFY_TIMEOUT', '1ms', '0', '596h', '2145600001ms'],
    ['TCP_INACTIVITY_TIMEOUT', '1ms', '0', '596h', '2145600001ms'],
    ['TCP_LINE_TIMEOUT', '1ms', '-1ms', '596h', '2145600001ms'],
    ['TCP_KEEPALIVE', '1s', '999ms', '9h', '9h1ms'],
    ['TCP_MAX_LINE_BYTES', '128', '127', '1MiB', '1048577'],
    ['TCP_BUFFER_BYTES', '1MiB', '1048575', '64GiB', '68719476737'],
    ['TCP_MAX_MESSAGES_PER_SECOND', '0', '-1', '1000000', '1000001'],
    ['TCP_MAX_BYTES_PER_SECOND', '0', '127', '1GiB', '1073741825'],
    ['TCP_WORKER_COUNT', '0', '-1', '1024', '1025'],
    ['TCP_JOB_QUEUE_SIZE', '1', '0', '1000000', '1000001'],
    ['TCP_PROCESSES', '0', '-1', '256', '257'],
    ['KAFKA_NUM_PARTITIONS', '1', '0', '10000', '10001'],
    ['KAFKA_REPLICATION_FACTOR', '-1', '-2', '100', '101'],
    ['KAFKA_BATCH_SIZE', '1', '0', '100000', '100001'],
    ['KAFKA_BATCH_BYTES', '1KiB', '1023', '16MiB', '16777217'],
    ['KAFKA_BATCH_TIMEOUT', '0', '-1ms', '1m', '60001ms'],
    ['KAFKA_MAX_ATTEMPTS', '1', '0', '100', '101'],
    ['KAFKA_REQUEST_TIMEOUT', '100ms', '99ms', '10m', '600001ms'],
    ['KAFKA_BUFFER_BYTES', '4MiB', '4194303', '16GiB', '17179869185'],
    ['SPOOL_MAX_BYTES', '1MiB', '1048575', '1TiB', '1099511627777'],
    ['SPOOL_SEGMENT_BYTES', '64KiB', '65535', '1GiB', '1073741825'],
    ['SPOOL_DEAD_BYTES', '1MiB', '1048575', '1TiB', '1099511627777'],
    ['HTTP_PORT', '0', '-1', '65535', '65536'],
    ['OTEL_EXPORTER_OTLP_TIMEOUT', '1', '0', '60000', '60001'],
    ['OTEL_METRIC_EXPORT_INTERVAL', '100', '99', '3600000', '3600001'],
    ['OTEL_SERVICE_NAME', 'x', ' x', 'x'.repeat(255), 'x'.repeat(256)],
    ['STATS_INTERVAL', '100ms', '99ms', '24h', '24h1ms'],
    ['TCP_MAX_CONNECTION_AGE', '1s', '999ms', '596h', '2145600001ms'],
    ['SHUTDOWN_DRAIN', '100ms', '99ms', '1h', '1h1ms'],
    ['SHUTDOWN_SPREAD', '100ms', '99ms', '1h', '1h1ms'],
    ['SHUTDOWN_TIMEOUT', '100ms', '99ms', '1h', '1h1ms'],
    ['KAFKA_CLIENT_ID', 'a', '', 'a'.repeat(249), 'a'.repeat(250)],
    ['KAFKA_TOPIC_METRICS', 'a', '', 'a'.repeat(249), 'a'.repeat(250)],
    ['KAFKA_TOPIC_ALARMS', 'a', '', 'a'.repeat(249), 'a'.repeat(250)],
    ['KAFKA_TOPIC_PRESENCE', 'a', '.', 'a'.repeat(249), 'a'.repeat(250)],
    ['KAFKA_TOPIC_DEAD_LETTERS', 'a', '.', 'a'.repeat(249), 'a'.repeat(250)],
    ['KAFKA_SASL_USERNAME', 'a', '\0', 'a'.repeat(256), 'a'.repeat(257)],
    ['KAFKA_SASL_PASSWORD', 'a', '\0', 'a'.repeat(1024), 'a'.repeat(1025)],
    ['KAFKA_OAUTH_CLIENT_ID', 'a', '\0', 'a'.repeat(256), 'a'.repeat(257)],
    ['KAFKA_OAUTH_CLIENT_SECRET', 'a', '\0', 'a'.repeat(1024), 'a'.repeat(1025)],
    ['KAFKA_OAUTH_SCOPE', 'a', '\t', 'a'.repeat(1024), 'a'.repeat(1025)],
    ['KAFKA_OAUTH_AUDIENCE', 'a', '\t', 'a'.repeat(1024), 'a'.repeat(1025)],
    ['HTTP_TOKEN', 'a', ' ', 'a'.repeat(1024), 'a'.repeat(1025)],
  ];
  for (const [name, lowest, below, highest, above] of limits) {
    it(name, () => {
      for (const text of [lowest, highest]) assert.notEqual(parse(name, text), undefined, `accepts ${text}`);
      for (const text of [below, above]) assert.equal(parse(name, text), undefined, `refuses ${text}`);
    });
  }

  it('has a row for every setting with limits', () => {
    const hasLimits = (name: SettingName) => /\bfrom .+ to |\b1-\d+\b/.test(aboutSetting(name).allowed);
    const tested = limits.map(([name]) => name);
    const untested = SETTING_NAMES.filter((name) => hasLimits(name) && !tested.includes(name));
    assert.deepEqual(untested, []);
  });

  it('only plain whole numbers are accepted', () => {
    for (const text of ['1.5', '1e3', '0x10', ' 1', '1_000', 'NaN', 'Infinity', '٣']) {
      assert.equal(parse('TCP_JOB_QUEUE_SIZE', text), undefined, text);
    }
  });

  it('a replication factor of 0, between -1 and 1, is refused', () => {
    assert.equal(parse('KAFKA_REPLICATION_FACTOR', '0'), undefined);
    assert.equal(parse('KAFKA_REPLICATION_FACTOR', '1'), 1);
  });

  it('an endpoint is an address of HTTP, and names no login', () => {
    const name = 'OTEL_EXPORTER_OTLP_ENDPOINT';
    for (const text of ['http://collector:4318', 'https://[::1]:4318/otlp/', 'http://127.0.0.1'])
      assert.equal(parse(name, text), text);
    for (const text of ['collector:4318', 'grpc://collector:4317', 'http://', 'http://a:b@collector', 'x'])
      assert.equal(parse(name, text), undefined, text);
  });

  it('headers and attributes are names with percent-encoded values', () => {
    assert.deepEqual(parsePairs('authorization=Bearer%20a%2Cb, x-tenant = roofs,,'), {
      authorization: 'Bearer a,b',
      'x-tenant': 'roofs',
    });
    assert.equal(parse('OTEL_RESOURCE_ATTRIBUTES', 'a.b=c'), 'a.b=c');
    for (const text of ['a', '=b', 'a=', 'a=%', 'a=%zz', 'a=%0d%0ab', 'a b=c', 'a=\u00e4', 'a=b\nc=d'])
      assert.equal(parse('OTEL_RESOURCE_ATTRIBUTES', text), undefined, text);
  });

  it('0 turns the keepalive and the statistics line off', () => {
    assert.equal(parse('TCP_KEEPALIVE', '0'), 0);
    assert.equal(parse('STATS_INTERVAL', '0s'), 0);
  });
});

describe('values', () => {
  it('flags are accepted as Go writes them and as people write them', () => {
    for (const text of ['true', 'TRUE', 'True', 't', '1', 'yes', 'on'])
      assert.equal(parse('KAFKA_ASYNC', text), true, text);
    for (const text of ['false', 'F', '0', 'no', 'OFF'])
      assert.equal(parse('KAFKA_ASYNC', text), false, text);
    for (const text of ['2', 'y', 'ja', 'truee']) assert.equal(parse('KAFKA_ASYNC', text), undefined, text);
  });

  it('a choice is accepted in capitals too', () => {
    assert.equal(parse('KAFKA_COMPRESSION', 'Snappy'), 'snappy');
    assert.equal(parse('KAFKA_COMPRESSION', 'brotli'), undefined);
  });

  it('timestamps of records are the time of receipt by default', () => {
    assert.equal(aboutSetting('KAFKA_TIMESTAMP').default, 'received');
    assert.equal(parse('KAFKA_TIMESTAMP', 'SENT'), 'sent');
    assert.equal(parse('KAFKA_TIMESTAMP', 'stored'), undefined);
  });

  it('acks become the number that Kafka uses', () => {
    assert.deepEqual(
      ['all', 'ALL', '-1', '1', '0'].map((text) => parse('KAFKA_REQUIRED_ACKS', text)),
      [-1, -1, -1, 1, 0],
    );
    assert.equal(parse('KAFKA_REQUIRED_ACKS', '2'), undefined);
  });

  it('0 workers mean 4 per core', () => {
    assert.equal(parse('TCP_WORKER_COUNT', '0'), 4 * availableParallelism());
    assert.equal(parse('TCP_WORKER_COUNT', '1'), 1);
  });

  it('brokers become a list without duplicates', () => {
    const list = ['a:9092', 'b_1.local:1', '10.0.0.1:65535', '[::1]:9092'];
    assert.deepEqual(parse('KAFKA_BROKERS', 'a:9092, b_1.local:1 ,10.0.0.1:65535,[::1]:9092,a:9092'), list);
    assert.deepEqual(parse('KAFKA_BROKERS', ''), []);
  });

  const wrongPorts = ['a', 'a:', ':9092', 'a:0', 'a:65536', 'a:9092,', ','];
  const wrongHosts = ['::1:9092', '[::1]', '[a]:1', 'kafka://a:1', 'a b:1', '10.0.0.256:1'];
  for (const text of [...wrongPorts, ...wrongHosts]) {
    it(`the broker list ${JSON.stringify(text)} is refused`, () =>
      assert.equal(parse('KAFKA_BROKERS', text), undefined));
  }

  it('at most 100 brokers are accepted', () => {
    const list = (count: number) => Array.from({ length: count }, (_, index) => `k${index}:9092`).join(',');
    assert.equal((parse('KAFKA_BROKERS', list(100)) as string[]).length, 100);
    assert.equal(parse('KAFKA_BROKERS', list(101)), undefined);
  });

  it('hosts are addresses or names', () => {
    for (const text of ['::', '0.0.0.0', 'localhost', 'gw-1.example.net', 'my_service'])
      assert.equal(parse('TCP_HOST', text), text);
    for (const text of ['', '1.2.3', '999.1.1.1', 'a b', '[::1]', '-x', 'http://a'])
      assert.equal(parse('TCP_HOST', text), undefined, text);
  });

  it('allowed hosts are names without ports, in lower case', () => {
    assert.deepEqual(parse('HTTP_ALLOWED_HOSTS', 'Sluice.example, my_service'), [
      'sluice.example',
      'my_service',
    ]);
    assert.deepEqual(parse('HTTP_ALLOWED_HOSTS', ''), []);
    for (const text of ['*', '*.example', 'a:9108', 'http://a', 'a,', 'a b'])
      assert.equal(parse('HTTP_ALLOWED_HOSTS', text), undefined, text);
  });

  it('topics have names that Kafka allows', () => {
    for (const text of ['.', '..', 'a/b', 'a b', 'ä'])
      assert.equal(parse('KAFKA_TOPIC_ALARMS', text), undefined, text);
    assert.equal(parse('KAFKA_TOPIC_DEAD_LETTERS', ''), null);
  });

  it('trusted proxies are addresses or ranges', () => {
    const list = ['10.0.0.0/8', '::1', 'fd00::/128'];
    assert.deepEqual(parse('TCP_PROXY_TRUSTED', list.join()), list);
    for (const text of [
      '10.0.0.0/33',
      '::/129',
      'a',
      '10.0.0.0/',
      '1.2.3.4/8/9',
      'fe80::1%lo',
      'fe80::%1/10',
    ])
      assert.equal(parse('TCP_PROXY_TRUSTED', text), undefined, text);
  });
});

describe('the table of settings', () => {
  for (const name of SETTING_NAMES) {
    it(`${name} has a description and a valid default`, () => {
      assert.ok(aboutSetting(name).description.length > 3);
      assert.notEqual(parse(name, aboutSetting(name).default), undefined);
    });
  }

  for (const profile of PROFILE_NAMES) {
    it(`every value of the profile ${profile} is valid and has a reason`, () => {
      for (const [name, [value, why]] of Object.entries(PROFILES[profile].values)) {
        assert.notEqual(parse(name as SettingName, value), undefined, `${name}=${value}`);
        assert.ok(why.length > 3);
      }
    });
  }
});
