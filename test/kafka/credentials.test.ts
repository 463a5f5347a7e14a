// The login and the certificates for Kafka while their files change.
import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FileWatch } from '../../src/files/file-watch.ts';
import type { Credentials, TokenLogin } from '../../src/kafka/client/kafkajs.ts';
import { watchCredentials } from '../../src/kafka/credentials.ts';
import { hideSecrets } from '../../src/log/hide-secrets.ts';
import { Authority } from '../support/authority.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { testSettings } from '../support/gateway.ts';
import { TokenServer } from '../support/token-server.ts';
import { silent } from './delivery/fakes.ts';

const passwordOf = ({ sasl }: Credentials) => (sasl && 'password' in sasl ? sasl.password : undefined);

function watch(t: TestContext): FileWatch {
  const files = new FileWatch({ log: silent });
  t.after(() => files.stop());
  return files;
}

test('a login is the same object until its password changes, so that refusals of the former one do not count', async (t) => {
  const path = join(temporaryDirectory(t), 'password');
  writeFileSync(path, 'one\n');
  const files = watch(t);
  const login = {
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: 'u',
    KAFKA_SASL_PASSWORD_FILE: path,
  };
  const credentials = watchCredentials(testSettings(login), { files, log: silent });
  const { sasl } = credentials();
  assert.deepEqual(sasl, { mechanism: 'plain', username: 'u', password: 'one' });
  assert.equal(credentials().sasl, sasl);
  writeFileSync(path, 'a-new-password');
  await files.reload();
  assert.equal(passwordOf(credentials()), 'a-new-password');
  assert.equal(hideSecrets([])('login with a-new-password'), 'login with (hidden)');
  writeFileSync(path, '');
  await files.reload();
  assert.equal(passwordOf(credentials()), 'a-new-password');
});

test('a login with tokens is the same object until the secret of the client changes, and then asks with the new one', async (t) => {
  const path = join(temporaryDirectory(t), 'secret');
  writeFileSync(path, 'a-former-secret\n');
  const server = await TokenServer.start(t);
  const { KAFKA_OAUTH_CLIENT_SECRET: _, ...env } = server.env;
  const files = watch(t);
  const settings = testSettings({ ...env, KAFKA_OAUTH_CLIENT_SECRET_FILE: path });
  const credentials = watchCredentials(settings, { files, log: silent });
  const login = tokenLogin(credentials());
  assert.equal(credentials().sasl, login);
  await assert.rejects(login.token(), { code: 'TOKEN', message: /refuses the client/ });
  writeFileSync(path, server.client.secret);
  await files.reload();
  const next = tokenLogin(credentials());
  assert.notEqual(next, login);
  assert.equal(await next.token(), server.tokens[0]);
  assert.equal(credentials().sasl, next);
});

function tokenLogin({ sasl }: Credentials): TokenLogin {
  assert.ok(sasl?.mechanism === 'oauthbearer');
  return sasl;
}

test('a process that starts again while the files are broken has no certificate until they are valid', async (t) => {
  const directory = temporaryDirectory(t);
  const ca = join(directory, 'used-ca.pem');
  const password = join(directory, 'password');
  const authority = new Authority(directory, 'ca');
  copyFileSync(authority.ca, ca);
  writeFileSync(password, 'one\n');
  const settings = testSettings({
    KAFKA_SSL: 'true',
    KAFKA_SSL_CA: ca,
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: 'u',
    KAFKA_SASL_PASSWORD_FILE: password,
  });
  writeFileSync(ca, 'broken');
  writeFileSync(password, '');
  const files = watch(t);
  const credentials = watchCredentials(settings, { files, log: silent });
  assert.throws(credentials, {
    code: 'UNREACHABLE',
    message: /no valid certificate for Kafka: KAFKA_SSL_CA: the file has no certificate/,
  });
  copyFileSync(authority.ca, ca);
  await files.reload();
  assert.equal(passwordOf(credentials()), 'one');
  assert.notEqual(credentials().ssl, undefined);
});
