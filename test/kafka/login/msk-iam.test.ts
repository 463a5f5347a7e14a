// Tokens for AWS MSK, up to the token: nobody here has a cluster of MSK. The package that signs asks no server when the
// credentials are in the environment.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { mskIamToken } from '../../../src/kafka/login/msk-iam.ts';

const OF_AWS = /^AWS_/;
/** No file and no server of this machine is asked for credentials. */
const NOWHERE = {
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
};

function useEnvironment(t: TestContext, env: Readonly<Record<string, string>>): void {
  const before = Object.entries(process.env).filter(([name]) => OF_AWS.test(name));
  const clear = () => {
    for (const name of Object.keys(process.env)) if (OF_AWS.test(name)) delete process.env[name];
  };
  clear();
  Object.assign(process.env, NOWHERE, env);
  t.after(() => {
    clear();
    Object.assign(process.env, Object.fromEntries(before));
  });
}

test('a token for MSK is a signed URL with the host of the region, the action and its end', async (t) => {
  useEnvironment(t, {
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI-example',
    AWS_SESSION_TOKEN: 'session-example',
  });
  const from = Date.now();
  const { value, lifetimeMs } = await mskIamToken('eu-west-1');
  assert.match(value, /^[\w-]+$/, 'base64url, as the message to the broker needs it');
  const url = new URL(Buffer.from(value, 'base64url').toString());
  assert.equal(url.origin, 'https://kafka.eu-west-1.amazonaws.com');
  const query = url.searchParams;
  assert.equal(query.get('Action'), 'kafka-cluster:Connect');
  assert.equal(query.get('X-Amz-Algorithm'), 'AWS4-HMAC-SHA256');
  assert.match(
    query.get('X-Amz-Credential') ?? '',
    /^AKIDEXAMPLE\/\d{8}\/eu-west-1\/kafka-cluster\/aws4_request$/,
  );
  assert.equal(query.get('X-Amz-Security-Token'), 'session-example');
  assert.match(query.get('X-Amz-Signature') ?? '', /^[0-9a-f]{64}$/);
  assert.ok(!value.includes('wJalrXUtnFEMI') && !url.href.includes('wJalrXUtnFEMI'), 'the key is not in it');
  const lasts = Number(query.get('X-Amz-Expires')) * 1000;
  const [, date = '', time = ''] = /^(\d{8})T(\d{6})Z$/.exec(query.get('X-Amz-Date') ?? '') ?? [];
  const iso = `${date.replace(/(....)(..)(..)/, '$1-$2-$3')}T${time.replace(/(..)(..)(..)/, '$1:$2:$3')}Z`;
  const endsAt = Date.parse(iso) + lasts;
  assert.ok(Math.abs(from + lifetimeMs - endsAt) < 2000, `it ends at ${endsAt}`);
  assert.ok(lifetimeMs > 10 * 60_000 && lifetimeMs <= 15 * 60_000, `${lifetimeMs} ms`);
});

test('without credentials the reason says where the token was to come from', async (t) => {
  useEnvironment(t, {});
  await assert.rejects(mskIamToken('eu-west-1'), {
    code: 'TOKEN',
    message:
      /^no token for the login to Kafka \(KAFKA_SASL_MECHANISM=aws-msk-iam, region eu-west-1\): .*credentials/i,
  });
});
