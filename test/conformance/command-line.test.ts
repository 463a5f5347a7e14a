// The program `npm run conformance`: its output and its exit codes.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseOptions, UsageError } from '../../conformance/options.ts';
import { RULES } from '../../conformance/rules/rules.ts';
import { gatewayFor } from '../support/gateway.ts';
import { runProgram } from '../support/program.ts';
import { breakingProxy } from './breaking-proxy.ts';

const conformance = (...args: readonly string[]) => runProgram('conformance/main.js', args);

describe('npm run conformance', { concurrency: 2 }, () => {
  it('prints a line for each rule and ends with 0 if the gateway keeps them', async (t) => {
    const { port } = await gatewayFor(t);
    const { code, out, err } = await conformance(
      '--port',
      String(port),
      '--only',
      'keepalive',
      '--only',
      'seq.form',
    );
    assert.equal(err, '');
    assert.match(out, /^ok +keepalive\.alive +A keepalive is answered/m);
    assert.match(out, /^ok +seq\.form /m);
    assert.match(out, /^2 ok, 0 failed, 0 not checked$/m);
    assert.equal(code, 0);
  });

  it('ends with 1 and says what was sent and what came if a rule is broken', async (t) => {
    const { port } = await gatewayFor(t);
    const broken = await breakingProxy(t, port, { down: () => (reply) => [{ ...reply, type: 'nak' }] });
    const { code, out } = await conformance('--port', String(broken), '--only', 'keepalive');
    assert.match(out, /^failed +keepalive\.alive/m);
    assert.match(out, /^ +section +docs\/protocol\.md, keepalive$/m);
    assert.match(out, /^ +expected +a reply has "type":"ack"/m);
    assert.match(out, /^ +sent +\{"type":"identify"/m);
    assert.match(out, /^ +came +\{"type":"nak"/m);
    assert.equal(code, 1);
  });

  it('prints JSON', async (t) => {
    const { port } = await gatewayFor(t);
    const { code, out } = await conformance(
      '--port',
      String(port),
      '--only',
      'keepalive',
      '--only',
      'over_tls',
      '--json',
    );
    const { rules } = JSON.parse(out) as { rules: readonly Record<string, unknown>[] };
    assert.deepEqual(
      rules.map(({ id, result }) => [id, result]),
      RULES.filter(({ id }) => /^(?:keepalive|over_tls)\./.test(id)).map(({ id }) => [
        id,
        id === 'keepalive.alive' ? 'ok' : 'not checked',
      ]),
    );
    assert.equal(code, 0);
  });

  it('lists the rules without a gateway', async () => {
    const { code, out } = await conformance('--list');
    assert.equal(out.trim().split('\n').length, RULES.length);
    assert.equal(code, 0);
  });

  it('ends with 2 if nothing listens there', async () => {
    // Port 1 is for no program of today.
    const { code, err } = await conformance('--port', '1', '--only', 'keepalive');
    assert.match(err, /127\.0\.0\.1:1/);
    assert.equal(code, 2);
  });

  it('ends with 2 and names the remedy if the gateway takes no identify', async (t) => {
    const { port } = await gatewayFor(t, { TCP_IDENTIFY: 'device_id' });
    const { code, err } = await conformance('--port', String(port));
    assert.match(err, /the gateway refuses \{"type":"identify".*device_id.*--identify/);
    assert.equal(code, 2);
  });

  it('ends with 2 if there is no such rule', async () => {
    const { code, err } = await conformance('--port', '1', '--only', 'nothing');
    assert.match(err, /there is no rule nothing/);
    assert.equal(code, 2);
  });
});

describe('the options', () => {
  for (const [args, problem] of [
    [[], /--port is missing/],
    [['--port', 'x'], /--port x/],
    [['--port', '65536'], /--port 65536/],
    [['--port', '1', '--tls-ca', 'x'], /need --tls/],
    [['--port', '1', '--tls', '--tls-cert', 'x'], /need each other/],
    [['--port', '1', '--tls', '--tls-ca', '/nowhere'], /\/nowhere cannot be read/],
    [['--port', '1', '--reading', '[]'], /--reading \[\]/],
    [['--port', '1', '--patience', '0'], /--patience 0/],
    [['--port', '1', '--compatibility', 'old'], /--compatibility old/],
    [['--port', '1', '--nonsense'], /--nonsense/],
  ] as const)
    it(`${args.join(' ') || 'without a port'} are refused`, () =>
      assert.throws(
        () => parseOptions(args),
        (error) => error instanceof UsageError && problem.test(error.message),
      ));
});
