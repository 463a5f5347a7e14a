import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeName } from '../../src/config/names.ts';
import { SETTING_NAMES, type SettingName } from '../../src/config/settings.ts';
import { accepted, problems } from './loading.ts';

describe('a name that begins like a setting', () => {
  for (const [name, ...nearest] of [
    ['TCP_PROT', 'TCP_PORT'],
    ['KAFKA_BROKER', 'KAFKA_BROKERS'],
    ['KAFKA_REQUIRED_ACK', 'KAFKA_REQUIRED_ACKS'],
    ['SPOOL_MAX_BYTE', 'SPOOL_MAX_BYTES'],
    ['HTTP_PORTS', 'HTTP_PORT'],
    ['STATS_INTERVALL', 'STATS_INTERVAL'],
    ['SHUTDOWN_TIMOUT', 'SHUTDOWN_TIMEOUT'],
    ['tcp_port', 'TCP_PORT'],
    // Not one slip away, but some of the words are right.
    ['TCP_WORKERS', 'TCP_WORKER_COUNT'],
    ['TCP_MAX_CONN', 'TCP_MAX_CONNECTIONS'],
    ['TCP_QUEUE_SIZE', 'TCP_JOB_QUEUE_SIZE'],
    ['TCP_TIMEOUT', 'TCP_IDENTIFY_TIMEOUT', 'TCP_INACTIVITY_TIMEOUT', 'TCP_LINE_TIMEOUT'],
    ['KAFKA_TOPIC', 'KAFKA_TOPIC_METRICS', 'KAFKA_TOPIC_ALARMS', 'KAFKA_TOPIC_PRESENCE'],
    ['KAFKA_PASSWORD', 'KAFKA_SASL_PASSWORD'],
    ['KAFKA_ACKS', 'KAFKA_REQUIRED_ACKS'],
    ['KAFKA_SSL_CA_FILE', 'KAFKA_SSL_CA'],
    ['SPOOL_DIRECTORY', 'SPOOL_DIR'],
    // Other programs have these words for it.
    ['KAFKA_BOOTSTRAP_SERVERS', 'KAFKA_BROKERS'],
    ['KAFKA_SECURITY_PROTOCOL', 'KAFKA_SSL'],
    ['TCP_IDLE_TIMEOUT', 'TCP_INACTIVITY_TIMEOUT'],
    ['TCP_SSL_PORT', 'TCP_TLS_PORT'],
  ] as const) {
    it(`${name} is answered with ${nearest.join(', ')}`, () => {
      const names = nearest.length === 1 ? 'name is' : 'names are';
      assert.deepEqual(problems({ [name]: 'x' }), [
        `${name} (environment) is not a setting; the nearest real ${names} ${nearest.join(', ')}`,
      ]);
    });
  }

  for (const name of [
    'TCP_XYZZY',
    'TCP_MAX_FOO',
    'KAFKA_PORT',
    'SHUTDOWN_GRACE',
    'HTTP_PASSWORD',
    'STATS_D',
  ]) {
    it(`${name} is answered without a proposal: nothing is near`, () => {
      const [problem = ''] = problems({ [name]: '9092' });
      assert.match(
        problem,
        new RegExp(`^${name} \\(environment\\) is not a setting, and no setting has a simi`),
      );
      assert.match(problem, /take it out of the environment of the gateway$/);
      for (const setting of SETTING_NAMES) assert.ok(!problem.includes(setting), problem);
    });
  }

  it('with any one slip in it is answered with that setting, and never taken for another program’s', () => {
    for (const setting of SETTING_NAMES) {
      for (const slip of slipsOf(setting)) {
        if ((SETTING_NAMES as readonly string[]).includes(slip)) continue;
        const judged = judgeName(slip, 'x');
        assert.ok('nearest' in judged && judged.nearest.includes(setting), `${slip} for ${setting}`);
      }
    }
  });
});

/** Each letter left out, doubled, or swapped with the next. */
function slipsOf(name: SettingName): Set<string> {
  const slips = [...name].flatMap((letter, at) => {
    const [before, after] = [name.slice(0, at), name.slice(at + 1)];
    return [
      before + after,
      before + letter + letter + after,
      before + after.slice(0, 1) + letter + after.slice(1),
    ];
  });
  return new Set(slips.filter((slip) => slip !== name));
}

describe('a name that may be anybody’s', () => {
  for (const [name, nearest] of [
    ['LOG_LEVL', 'LOG_LEVEL'],
    ['LOG_LVL', 'LOG_LEVEL'],
    ['log_level', 'LOG_LEVEL'],
    ['PROFIL', 'PROFILE'],
    ['KAFAK_BROKERS', 'KAFKA_BROKERS'],
    ['TPC_PORT', 'TCP_PORT'],
  ] as const) {
    it(`${name} gets a warning with ${nearest}, without its value`, () => {
      assert.deepEqual(accepted({ [name]: 'geheim' }).warnings, [
        `${name} (environment) is not a setting and has no effect; did you mean ${nearest}?`,
      ]);
    });
  }

  for (const name of [
    'HTTPS_PORT',
    'UDP_PORT',
    'APP_PORT',
    'LOG_FILE',
    'LOG_DIR',
    'PROFILER',
    'STATSD_INTERVAL',
    'PATH',
  ]) {
    it(`${name} gets none`, () => {
      assert.deepEqual(accepted({ [name]: 'x' }).warnings, []);
    });
  }
});

describe('names of other programs', () => {
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
  ] as const) {
    it(`${name}=${value} is passed over without a word`, () => {
      const { foreignNames, warnings } = accepted({ [name]: value });
      assert.deepEqual([...foreignNames, ...warnings], []);
    });
  }

  // Of a shared file: apache/kafka, Confluent, Bitnami, wurstmeister, Kafka's scripts, Kafka UI, and services that read.
  const shared = [
    ...['KAFKA_NODE_ID', 'KAFKA_PROCESS_ROLES', 'KAFKA_LISTENERS', 'KAFKA_ADVERTISED_LISTENERS'],
    ...['KAFKA_LISTENER_SECURITY_PROTOCOL_MAP', 'KAFKA_CONTROLLER_QUORUM_VOTERS', 'KAFKA_ZOOKEEPER_CONNECT'],
    ...['KAFKA_BROKER_ID', 'KAFKA_INTER_BROKER_LISTENER_NAME', 'KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR'],
    ...[
      'KAFKA_AUTO_CREATE_TOPICS_ENABLE',
      'KAFKA_LOG_DIRS',
      'KAFKA_LOG_RETENTION_HOURS',
      'KAFKA_NUM_IO_THREADS',
    ],
    ...['KAFKA_SSL_KEYSTORE_LOCATION', 'KAFKA_SSL_KEY_CREDENTIALS', 'KAFKA_SASL_ENABLED_MECHANISMS'],
    ...['KAFKA_SASL_MECHANISM_INTER_BROKER_PROTOCOL', 'KAFKA_SUPER_USERS', 'KAFKA_MESSAGE_MAX_BYTES'],
    ...[
      'KAFKA_CFG_NODE_ID',
      'KAFKA_KRAFT_CLUSTER_ID',
      'KAFKA_CLIENT_USERS',
      'KAFKA_TLS_TYPE',
      'KAFKA_JMX_PORT',
    ],
    ...['KAFKA_HEAP_OPTS', 'KAFKA_OPTS', 'KAFKA_LOG4J_LOGGERS', 'KAFKA_CREATE_TOPICS', 'KAFKA_HOME'],
    ...['KAFKA_CONFLUENT_LICENSE_TOPIC_REPLICATION_FACTOR', 'KAFKA_CLUSTERS_0_BOOTSTRAPSERVERS'],
    ...['KAFKA_GROUP_ID', 'KAFKA_CONSUMER_GROUP', 'KAFKA_AUTO_OFFSET_RESET', 'KAFKA_MAX_POLL_RECORDS'],
  ];

  it('in a shared file are passed over, and all of them are named', () => {
    const { foreignNames, warnings } = accepted(Object.fromEntries(shared.map((name) => [name, 'geheim'])));
    assert.deepEqual(foreignNames, shared);
    assert.deepEqual(warnings, []);
  });
});

describe('a usual mistake in a value is named', () => {
  for (const [name, value, reason] of [
    ['TCP_PORT', 'tcp://10.0.0.7:80', 'a Kubernetes service link: set `enableServiceLinks: false`'],
    ['TCP_PORT', '0.0.0.0:80', 'the port alone; the address is TCP_HOST'],
    ['TCP_IDENTIFY_TIMEOUT', '10', 'a number without a unit: write 10ms or 10s'],
    ['HTTP_HOST', 'http://localhost', 'without the scheme; the port is HTTP_PORT'],
    ['HTTP_HOST', 'localhost:9108', 'without the port, which is HTTP_PORT'],
    ['TCP_HOST', '[::]', 'without the brackets'],
    ['KAFKA_BROKERS', 'PLAINTEXT://a:1', '"PLAINTEXT://a:1" has a scheme: write only "a:1"'],
    ['KAFKA_BROKERS', 'a:1 b:2', 'the brokers are separated by commas'],
    ['KAFKA_BROKERS', 'a:1,kafka', '"kafka" has no port, which is mostly 9092'],
    ['KAFKA_BROKERS', '::1:9092', '"::1:9092" is an IPv6 address without brackets: [::1]:9092'],
    ['KAFKA_BROKERS', 'a:99999', '"a:99999" has a port that is not from 1 to 65535'],
    ['KAFKA_BROKERS', 'a:1,,b:2', 'there is a comma too many'],
    [
      'KAFKA_BROKERS',
      '"a:1"',
      'the quotes are a part of the value: take them off, as neither Docker nor a shell has done it',
    ],
  ] as const) {
    it(`${name}=${value}`, () => {
      const [problem = '', ...others] = problems({ [name]: value });
      assert.deepEqual(others, []);
      assert.ok(problem.includes(`is not allowed (${reason}); allowed: `), problem);
    });
  }
});
