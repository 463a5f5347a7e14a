// `sluice check` as a program: its output, exit codes and time, the limit on open files, and beside a running gateway.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { freePort } from '../../scripts/kafka/ports.ts';
import { Gateway } from '../cli/spool-place.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { check, runCheck } from './checking.ts';

const ESCAPE = '\u001b';

describe('beside a running gateway', () => {
  it('does not take the gateway that runs with these settings for a fault, and another one for one', async (t) => {
    const SPOOL_DIR = temporaryDirectory(t);
    const TCP_PORT = `${await freePort()}`;
    await Gateway.start(t, { SPOOL_DIR, TCP_PORT });
    const same = await check(t, { SPOOL_DIR, TCP_PORT });
    same.expect('note', 'port_of_running_gateway', /in use by the gateway that runs with these settings$/);
    same.expect('note', 'gateway_runs', /^A gateway runs with these settings, pid \d+/);
    assert.deepEqual(same.names('error'), []);
    const otherPort = await check(t, { SPOOL_DIR, TCP_PORT: `${await freePort()}` });
    otherPort.expect('error', 'spool_locked', /is in use by another gateway .*pid \d+/);
    const otherSpool = await check(t, { TCP_PORT });
    otherSpool.expect('error', 'port_unusable', /the port is in use by pid \d+/);
    otherSpool.expect('ok', 'spool_free', /No other process/);
  });
});

describe('the check of open files', () => {
  const limited = async (t: TestContext, limit: number) => {
    const script = `ulimit -n ${limit} && exec "$@"`;
    const [node, main] = [process.execPath, new URL('../../src/main.js', import.meta.url).pathname];
    const env = {
      PATH: process.env.PATH ?? '',
      SPOOL_DIR: temporaryDirectory(t),
      TCP_PORT: '0',
      HTTP_PORT: '',
      KAFKA_BROKERS: '',
      TCP_MAX_CONNECTIONS: '2000',
      TCP_PROCESSES: '1',
    };
    const { stdout } = spawnSync('sh', ['-c', script, 'sh', node, main, 'check', '--json'], {
      env,
      encoding: 'utf8',
      cwd: env.SPOOL_DIR,
    });
    return stdout;
  };
  it('finds a limit that is too low for all connections, far too low, and high enough', async (t) => {
    const lowered = await limited(t, 1000);
    assert.match(lowered, /"name": "max_connections_lowered"/);
    assert.match(lowered, /raise it to at least 2300/);
    const refused = await limited(t, 400);
    assert.match(refused, /"name": "open_files_short"/);
    assert.match(refused, /is 400 a process, enough for 100 of TCP_MAX_CONNECTIONS=2000/);
    assert.match(await limited(t, 2300), /"name": "open_files_enough"/);
  });
});

describe('the check of settings', () => {
  it('finds names that look misspelt, and refuses wrong settings with exit code 78', async (t) => {
    const doubtful = await runCheck(t, { KAFKA_BROKER: 'x:1', KAFKA_VERSION: '3' }, []);
    assert.equal(doubtful.code, 78);
    assert.match(
      doubtful.out,
      /error +KAFKA_BROKER \(environment\) is not a setting; the nearest real name is KAFKA_BROKERS/,
    );
    assert.match(doubtful.out, /1 error, 0 ok\. With this error the gateway would not start\.\n$/);
  });

  it('hides secrets, and prints the others with their origin', async (t) => {
    const secret = 'c0ffee'.repeat(6);
    const { out, code } = await runCheck(t, { HTTP_TOKEN: secret, TCP_MAX_LINE_BYTES: '32KiB' }, []);
    assert.equal(code, 0);
    assert.match(out, /^Settings that are set; the other \d+ are defaults/);
    assert.match(out, /TCP_MAX_LINE_BYTES=32KiB +from the environment/);
    assert.match(out, /HTTP_TOKEN is set, hidden +from the environment/);
    assert.ok(!out.includes(ESCAPE), 'no colours without a terminal');
    const json = await runCheck(t, { HTTP_TOKEN: secret }, ['--json', '--all']);
    const { settings } = JSON.parse(json.out) as {
      settings: Record<string, { value: string | null; origin: string }>;
    };
    assert.deepEqual(settings.HTTP_TOKEN, { value: null, origin: 'environment' });
    assert.equal(settings.LOG_LEVEL?.origin, 'default');
    for (const text of [out, json.out]) assert.ok(!text.includes(secret));
  });

  it('ends with 1 for errors, and for warnings only with --strict', async (t) => {
    const run = async (env: Record<string, string>, ...args: string[]) => (await runCheck(t, env, args)).code;
    const risky = { KAFKA_REQUIRED_ACKS: '1', KAFKA_BROKERS: '' };
    assert.equal(await run(risky), 0);
    assert.equal(await run(risky, '--strict'), 1);
    assert.equal(await run({ KAFKA_BROKERS: `127.0.0.1:${await freePort()}` }), 1);
    assert.equal(await run({}, '--no-such-option'), 64);
  });
});

describe('the report', () => {
  it('says in its last line whether errors stop the start', async (t) => {
    const nobody = `127.0.0.1:${await freePort()}`;
    const lastLine = async (env: Record<string, string>) =>
      (await runCheck(t, env, [])).out.trimEnd().split('\n').at(-1) ?? '';
    const noKafka = await lastLine({ KAFKA_BROKERS: nobody });
    assert.match(
      noKafka,
      / ok\. With this error the gateway would start, and records would wait on the disk of the gateway\.$/,
    );
    const listener = createServer().listen(0, '127.0.0.1');
    t.after(() => listener.close());
    await once(listener, 'listening');
    const TCP_PORT = String((listener.address() as AddressInfo).port);
    assert.match(await lastLine({ TCP_PORT }), / ok\. With this error the gateway would not start\.$/);
    assert.match(
      await lastLine({ TCP_PORT, KAFKA_BROKERS: nobody }),
      /^2 errors, .*With 1 of the errors \(Machine\) the gateway would not start\. With 1 of the errors \(Kafka\) records would wait on the disk of the gateway\.$/,
    );
  });

  it('has colours on a terminal only, and not with NO_COLOR', {
    skip: spawnSync('script', ['--version']).status !== 0,
  }, async (t) => {
    const onTerminal = (env: Record<string, string>) =>
      execFileSync(
        'script',
        [
          '-qec',
          `${process.execPath} ${new URL('../../src/main.js', import.meta.url).pathname} check`,
          '/dev/null',
        ],
        {
          encoding: 'utf8',
          cwd: temporaryDirectory(t),
          env: {
            PATH: process.env.PATH ?? '',
            TERM: 'xterm',
            KAFKA_BROKERS: '',
            TCP_PORT: '0',
            HTTP_PORT: '',
            ...env,
          },
        },
      );
    assert.ok(onTerminal({}).includes(ESCAPE));
    assert.ok(!onTerminal({ NO_COLOR: '1' }).includes(ESCAPE));
  });
});
