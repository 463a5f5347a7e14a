// The settings and the health port of the example consumer.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { serveHealth } from '../../../examples/consumer/src/health.ts';
import { readSettings, SettingsError } from '../../../examples/consumer/src/settings.ts';
import { temporaryDirectory } from '../../support/directory.ts';

const URL = 'postgresql://weather:secret@db:5432/weather';

test('a wrong setting is refused with its name', () => {
  const cases: [Record<string, string>, RegExp][] = [
    [{}, /DATABASE_URL/],
    [{ DATABASE_URL: 'mysql://db' }, /DATABASE_URL/],
    [{ DATABASE_URL_FILE: '/none/such' }, /DATABASE_URL_FILE/],
    [{ DATABASE_URL: 'postgresql://weather:sec#ret@db:5432/weather' }, /DATABASE_URL/],
    [{ DATABASE_URL: 'postgresql://db:99999/weather' }, /DATABASE_URL/],
    [{ DATABASE_URL: `${URL}?sslmode=verify-full&sslrootcert=/none/such` }, /DATABASE_URL.*none.such/],
    [{ DATABASE_URL: URL, KAFKA_SASL_USERNAME: 'u' }, /KAFKA_SASL_MECHANISM/],
    [{ DATABASE_URL: URL, KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'u' }, /KAFKA_SASL_PASSWORD/],
    [{ DATABASE_URL: URL, KAFKA_BROKERS: 'kafka' }, /KAFKA_BROKERS/],
    [{ DATABASE_URL: URL, KAFKA_SSL: 'yes' }, /KAFKA_SSL/],
    [{ DATABASE_URL: URL, KAFKA_SASL_MECHANISM: 'magic' }, /KAFKA_SASL_MECHANISM/],
    [{ DATABASE_URL: URL, READING_KEY: 'zipcode' }, /READING_KEY/],
    [{ DATABASE_URL: URL, HEALTH_PORT: '70000' }, /HEALTH_PORT/],
  ];
  for (const [env, message] of cases)
    assert.throws(
      () => readSettings(env),
      (error: Error) =>
        error instanceof SettingsError && message.test(error.message) && !/sec.?ret/.test(error.message),
    );
});

test('secrets come from files, and an empty variable is as none', (t) => {
  const directory = temporaryDirectory(t);
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const settings = readSettings({
    DATABASE_URL: '',
    DATABASE_URL_FILE: file('url', `${URL}\n`),
    KAFKA_TOPIC: '',
    KAFKA_SASL_MECHANISM: 'scram-sha-512',
    KAFKA_SASL_USERNAME: 'u',
    KAFKA_SASL_PASSWORD_FILE: file('password', 'p\n'),
  });
  assert.equal(settings.databaseUrl, URL);
  assert.equal(settings.topic, 'weather.metrics.raw');
  assert.deepEqual(settings.sasl, { mechanism: 'scram-sha-512', username: 'u', password: 'p' });
  assert.equal(settings.healthPort, undefined);
});

test('the health port answers 503 with the problems, and 200 without', async (t) => {
  let problems: string[] = [];
  const server = await serveHealth(0, '127.0.0.1', () => ({ problems, counts: { stored: 7 } }));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const ask = (path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } });
  const good = await ask('/healthz');
  assert.deepEqual([good.status, await good.json()], [200, { problems: [], counts: { stored: 7 } }]);
  problems = ['postgres: away'];
  const bad = await ask('/healthz');
  assert.deepEqual([bad.status, await bad.json()], [503, { problems, counts: { stored: 7 } }]);
  assert.equal((await ask('/')).status, 404);
});
