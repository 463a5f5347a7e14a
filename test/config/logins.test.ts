// The settings of logins against each other, and of services that are known by their names.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { awsRegion } from '../../src/config/aws-region.ts';
import { missingPackage } from '../../src/config/login-checks.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { accepted, type Env, problems } from './loading.ts';

const PASSWORD = { KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p' };
const CLIENT = {
  KAFKA_OAUTH_TOKEN_URL: 'https://login.example.net/token',
  KAFKA_OAUTH_CLIENT_ID: 'sluice',
  KAFKA_OAUTH_CLIENT_SECRET: 'secret',
};
const OAUTH = { KAFKA_SASL_MECHANISM: 'oauthbearer', KAFKA_SSL: 'true', ...CLIENT };
const MSK = { KAFKA_SASL_MECHANISM: 'aws-msk-iam', KAFKA_SSL: 'true', KAFKA_AWS_REGION: 'eu-west-1' };

const refusedWith = (env: Env, ...expected: readonly RegExp[]) => {
  const found = problems(env);
  assert.equal(found.length, expected.length, found.join('\n'));
  for (const [index, pattern] of expected.entries()) assert.match(found[index] ?? '', pattern);
};

describe('a login', () => {
  it('is accepted with exactly the settings of its mechanism', () => {
    for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'])
      accepted({ KAFKA_SASL_MECHANISM: mechanism, ...PASSWORD });
    accepted(OAUTH);
    accepted({ ...OAUTH, KAFKA_OAUTH_SCOPE: 'a b', KAFKA_OAUTH_AUDIENCE: 'https://kafka/' });
    accepted(MSK);
    accepted({
      ...MSK,
      KAFKA_AWS_REGION: '',
      KAFKA_BROKERS: 'b-1.demo.abc123.c2.kafka.us-gov-west-1.amazonaws.com:9098',
    });
  });

  it('names each setting that is missing or of no use', () => {
    refusedWith(
      { KAFKA_SASL_MECHANISM: 'oauthbearer' },
      /^KAFKA_OAUTH_TOKEN_URL is not set, but KAFKA_SASL_MECHANISM=oauthbearer needs it/,
      /^KAFKA_OAUTH_CLIENT_ID is not set/,
      /^KAFKA_OAUTH_CLIENT_SECRET is not set/,
    );
    refusedWith(
      { ...OAUTH, KAFKA_SASL_USERNAME: 'u' },
      /^KAFKA_SASL_USERNAME is set, but KAFKA_SASL_MECHANISM=oauthbearer has no use for it/,
    );
    refusedWith(
      { KAFKA_SASL_MECHANISM: 'plain', ...PASSWORD, KAFKA_OAUTH_SCOPE: 'a' },
      /^KAFKA_OAUTH_SCOPE is set/,
    );
    refusedWith({ ...MSK, KAFKA_OAUTH_CLIENT_ID: 'a' }, /^KAFKA_OAUTH_CLIENT_ID is set/);
    refusedWith(
      { KAFKA_OAUTH_CLIENT_ID: 'a' },
      /^KAFKA_SASL_MECHANISM is not set, but KAFKA_OAUTH_CLIENT_ID is/,
    );
  });

  it('has extensions as RFC 7628 allows them', () => {
    accepted({ ...OAUTH, KAFKA_OAUTH_EXTENSIONS: 'logicalCluster=lkc-1,identityPoolId=pool-1' });
    for (const wrong of ['auth=x', 'a-b=c', 'a=%C3%A9'])
      refusedWith(
        { ...OAUTH, KAFKA_OAUTH_EXTENSIONS: wrong },
        /^KAFKA_OAUTH_EXTENSIONS: .* cannot be an extension/,
      );
  });

  it('has a CA for the token endpoint that is a certificate', (t) => {
    const path = join(temporaryDirectory(t), 'ca.pem');
    writeFileSync(path, 'broken');
    refusedWith({ ...OAUTH, KAFKA_OAUTH_CA: path }, /^KAFKA_OAUTH_CA: the file has no certificate/);
  });

  it('takes the secret of the client from a file, and never shows it', (t) => {
    const path = join(temporaryDirectory(t), 'secret');
    writeFileSync(path, 'of-a-file\n');
    const { KAFKA_OAUTH_CLIENT_SECRET: _, ...others } = OAUTH;
    const { settings } = accepted({ ...others, KAFKA_OAUTH_CLIENT_SECRET_FILE: path });
    assert.equal(settings.KAFKA_OAUTH_CLIENT_SECRET, 'of-a-file');
    const [problem = ''] = problems({ ...OAUTH, KAFKA_OAUTH_CLIENT_SECRET: 'hunter2\0' });
    assert.match(problem, /KAFKA_OAUTH_CLIENT_SECRET \(value hidden\)/);
  });

  it('to MSK needs TLS and a region', () => {
    refusedWith({ ...MSK, KAFKA_SSL: 'false' }, /^KAFKA_SSL=false, but .* needs TLS/);
    refusedWith({ ...MSK, KAFKA_AWS_REGION: '' }, /^KAFKA_AWS_REGION is not set/);
  });

  it('that needs a package which is not installed is answered with the command that installs it', () => {
    assert.equal(missingPackage('kafkajs'), undefined);
    assert.match(
      missingPackage('not-installed-anywhere') ?? '',
      /^needs the package not-installed-anywhere, which is not installed; install it with: npm install not-installed-anywhere@/,
    );
  });

  it('is warned of if it would send a token or a secret readable over the network', () => {
    assert.match(accepted({ ...OAUTH, KAFKA_SSL: 'false' }).warnings.join(), /sends the token readable/);
    const url = (KAFKA_OAUTH_TOKEN_URL: string) => accepted({ ...OAUTH, KAFKA_OAUTH_TOKEN_URL }).warnings;
    assert.match(url('http://login.example.net/token').join(), /sends the secret of the client readable/);
    assert.deepEqual(url('http://127.0.0.1:8080/token'), []);
    assert.deepEqual(url('https://login.example.net/token'), []);
  });
});

describe('a codec', () => {
  const warnings = (KAFKA_BROKERS: string, codec: string) =>
    accepted({ KAFKA_BROKERS, KAFKA_COMPRESSION: codec }).warnings.filter((text) =>
      text.includes('Event Hubs'),
    );

  it('that Azure Event Hubs refuses is warned of at the start', () => {
    const broker = 'demo.servicebus.windows.net:9093';
    assert.match(
      warnings(broker, 'snappy').join(),
      /^KAFKA_COMPRESSION=snappy is refused by Azure Event Hubs/,
    );
    for (const codec of ['gzip', 'none']) assert.deepEqual(warnings(broker, codec), []);
    assert.deepEqual(warnings('servicebus.example.net:9093', 'snappy'), []);
  });
});

describe('the region of MSK', () => {
  const region = (broker: string, KAFKA_AWS_REGION: string | null = null) =>
    awsRegion({ KAFKA_AWS_REGION, KAFKA_BROKERS: ['127.0.0.1:9092', broker] });

  it('is in the names of brokers, with servers and without, also in China', () => {
    assert.equal(region('b-1.demo.abc.c2.kafka.eu-west-1.amazonaws.com:9098'), 'eu-west-1');
    assert.equal(region('b-1-public.demo.abc.c2.kafka.eu-west-1.amazonaws.com:9198'), 'eu-west-1');
    assert.equal(region('boot-abc.c1.kafka-serverless.us-east-1.amazonaws.com:9098'), 'us-east-1');
    assert.equal(region('b-1.demo.abc.c2.kafka.cn-north-1.amazonaws.com.cn:9098'), 'cn-north-1');
    assert.equal(region('kafka.eu-west-1.example.net:9098'), null);
  });

  it('is the setting if that is given', () => {
    assert.equal(region('b-1.demo.abc.c2.kafka.eu-west-1.amazonaws.com:9098', 'us-east-1'), 'us-east-1');
  });
});
