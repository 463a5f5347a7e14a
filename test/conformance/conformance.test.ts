// The conformance script against the real gateway, which keeps every rule, and against one fault after the other, each of
// which has to be found by the rules that are meant for it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { type Options, parseOptions } from '../../conformance/options.ts';
import { RULES } from '../../conformance/rules/rules.ts';
import { checkAll, type Result } from '../../conformance/run.ts';
import { Authority } from '../support/authority.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Env, type Gateway, gatewayFor, startGateway } from '../support/gateway.ts';
import { breakingProxy } from './breaking-proxy.ts';
import { FAULTS } from './faults.ts';

/** A fault that keeps a reply back is found sooner. */
const PATIENCE = ['--patience', '1'];

function options(...args: readonly string[]): Options {
  const parsed = parseOptions(args);
  assert.ok(parsed !== 'help');
  return parsed;
}

const named = (results: readonly Result[], result: Result['result']) =>
  results.flatMap((one) => (one.result === result ? [`${one.rule.id}: ${one.reason}`] : []));

const ids = (results: readonly Result[], result: Result['result']) =>
  results.flatMap((one) => (one.result === result ? [one.rule.id] : []));

/** The usual 10 s may pass while other tests have the machine. */
const PATIENT = { TCP_IDENTIFY_TIMEOUT: '60s' };

/** Without Kafka every `stored` waits for the disk, which takes long while other tests write. */
const FAST = { SPOOL_SYNC: 'os', ...PATIENT };

/** Checks a gateway with these settings. @param args may name the port with TLS by `TLS_PORT` */
async function checkGateway(
  t: TestContext,
  env: Env,
  args: readonly string[] = [],
): Promise<readonly Result[]> {
  const { addresses } = await gatewayFor(t, { ...FAST, ...env });
  const port = args.includes('--tls') ? addresses.tls?.port : addresses.tcp?.port;
  const lines = addresses.lines === null ? [] : ['--lines-port', String(addresses.lines.port)];
  return checkAll(options('--port', String(port), ...lines, ...args));
}

const unchecked = (results: readonly Result[]) =>
  ids(results, 'not checked').filter((id) => !SLOW.includes(id));
const SLOW = RULES.filter(({ isSlow }) => isSlow).map(({ id }) => id);
/** The rules that a gateway with default settings does not show. */
const NEED_SETTINGS = /^(?:over_tls|tokens|required_fields|traceparent|unknown_fields|plain_lines)\./;

describe('the gateway keeps', { concurrency: 3 }, () => {
  it('every rule that its defaults let a client check', async (t) => {
    const results = await checkGateway(t, {});
    assert.deepEqual(named(results, 'failed'), []);
    assert.deepEqual(
      unchecked(results).filter((id) => !NEED_SETTINGS.test(id)),
      [],
    );
  });

  it('the rules of TLS, and all others over TLS', async (t) => {
    const authority = new Authority(temporaryDirectory(t), 'authority');
    const { cert, key } = authority.sign('gateway');
    const env = { TCP_TLS_PORT: '0', TCP_TLS_CERT: cert, TCP_TLS_KEY: key };
    const results = await checkGateway(t, env, ['--tls', '--tls-ca', authority.ca]);
    assert.deepEqual(named(results, 'failed'), []);
    assert.deepEqual(
      unchecked(results).filter((id) => id.startsWith('over_tls.') || !NEED_SETTINGS.test(id)),
      [],
    );
  });

  it('the rules of tokens, with a token that covers some device_ids', async (t) => {
    const results = await checkGateway(t, tokensEnv(t, 'roof-*'), [
      '--token',
      TOKEN,
      '--device-id',
      'roof-*',
    ]);
    assert.deepEqual(named(results, 'failed'), []);
    assert.deepEqual(
      unchecked(results).filter((id) => id.startsWith('tokens.') || !NEED_SETTINGS.test(id)),
      ['identify.token'],
    );
  });

  it('the rules that need no second device_id, with a token that covers one', async (t) => {
    const results = await checkGateway(t, tokensEnv(t, 'roof-7'), [
      '--token',
      TOKEN,
      '--device-id',
      'roof-7',
    ]);
    assert.deepEqual(named(results, 'failed'), []);
    assert.ok(ids(results, 'ok').length > RULES.length / 2);
  });

  it('the rules of required fields, with another identity, warnings and plain lines', async (t) => {
    const env = {
      TCP_REQUIRE: 'timestamp:time,temperature:number',
      TCP_IDENTIFY: 'device_id',
      TCP_STRICT: 'warn',
      KAFKA_HEADERS: 'traceparent',
      TCP_LINES_PORT: '0',
    };
    const reading = '{"timestamp":"2026-11-28T00:00:00Z","temperature":21.5}';
    const results = await checkGateway(t, env, ['--identify', 'device_id', '--reading', reading]);
    assert.deepEqual(named(results, 'failed'), []);
    assert.deepEqual(
      unchecked(results).filter((id) => !/^(?:over_tls|tokens)\./.test(id)),
      ['metrics.pairs'],
    );
  });

  it('the rules that hold for it with TCP_COMPATIBILITY=go', async (t) => {
    const results = await checkGateway(t, { TCP_COMPATIBILITY: 'go' }, ['--compatibility', 'go']);
    assert.deepEqual(named(results, 'failed'), []);
  });

  it('its timers', async (t) => {
    const env = { TCP_IDENTIFY_TIMEOUT: '1s', TCP_LINE_TIMEOUT: '1s' };
    const only = SLOW.flatMap((id) => ['--only', id]);
    const timers = ['--slow', '--identify-timeout', '1', '--line-timeout', '1'];
    assert.deepEqual(ids(await checkGateway(t, env, [...timers, ...only]), 'ok'), SLOW);
  });
});

const TOKEN = 'a token of the tests';

/** @param deviceIds that the token covers */
function tokensEnv(t: TestContext, deviceIds: string): Env {
  const file = join(temporaryDirectory(t), 'tokens');
  writeFileSync(file, `sha256:${createHash('sha256').update(TOKEN).digest('hex')}  ${deviceIds}  tests\n`);
  return { TCP_TOKENS_FILE: file };
}

describe('the rules', () => {
  const page = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');
  const headings = [...page.matchAll(/^(#{2,4}) (.+)$/gm)].map(([, level, name = '']) => ({ level, name }));

  it('are of sections that docs/protocol.md has', () => {
    const names = headings.map(({ name }) => name);
    for (const { id, section } of RULES) assert.ok(names.includes(section), `${id}: ${section}`);
  });

  it('cover every section of docs/protocol.md that makes promises to devices', () => {
    // A client can bring about neither: a record that Kafka refuses, and the stop of a gateway.
    const isOutOfReach = ['Refused by Kafka', 'closing'];
    const covered = new Set<string>(RULES.map(({ section }) => section));
    // Behind this heading the page is for readers of the topic.
    const end = headings.findIndex(({ name }) => name === 'Kafka record');
    const sections = headings.slice(0, end).flatMap(({ level, name }) => (level === '###' ? [name] : []));
    assert.deepEqual(
      sections.filter((name) => !covered.has(name)),
      isOutOfReach,
    );
  });

  it('have different ids', () => {
    assert.equal(new Set(RULES.map(({ id }) => id)).size, RULES.length);
  });
});

describe('a gateway between which and the script', { concurrency: 4 }, () => {
  let gateway: Gateway;
  before(async () => {
    gateway = await startGateway(FAST);
  });
  after(() => gateway.stop());

  it('only bytes are passed on is found to keep all rules', async (t) => {
    const port = await breakingProxy(t, gateway.port, {});
    const results = await checkAll(options('--port', String(port)));
    assert.deepEqual(named(results, 'failed'), []);
  });

  it('whole lines are passed on is found to keep all rules but the one on lines without an end', async (t) => {
    const port = await breakingProxy(t, gateway.port, { up: () => (line) => [line] });
    const results = await checkAll(options('--port', String(port)));
    assert.deepEqual(ids(results, 'failed'), ['lines.too_long_without_end']);
  });

  for (const fault of FAULTS)
    it(`${fault.name} fails ${fault.breaks.join(', ')}`, async (t) => {
      const port = await breakingProxy(t, gateway.port, fault);
      const only = fault.breaks.flatMap((id) => ['--only', id]);
      const results = await checkAll(options('--port', String(port), ...PATIENCE, ...only));
      assert.deepEqual(
        ids(results, 'failed').sort(),
        [...fault.breaks].sort(),
        named(results, 'not checked').join('; '),
      );
      for (const { reason, exchange } of results) {
        assert.ok(reason);
        assert.ok(exchange && exchange.sent.length + exchange.came.length > 0);
      }
    });
});
