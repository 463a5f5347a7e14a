// The command `npm run attack`, with attacks of a second. The figures mean nothing.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { Attack } from '../../bench/attack/attack.ts';
import type { Evidence } from '../../bench/attack/evidence.ts';
import { kafkaTest } from '../support/kafka.ts';
import { Files, measuringCommand, topicsOf } from './command.ts';

const SHORT = ['--seconds', '1'];
/** A limit that a machine busy with other tests keeps. */
const LAX = ['--max-p99', '5000'];
const TWO = ['--only', 'invalid-utf8', '--only', 'byte-by-byte'];

describe('npm run attack', () => {
  kafkaTest(
    'carries out attacks, writes the table, fails if the gateway does not hold, and leaves no topic',
    async ({ bootstrap }, t) => {
      const files = new Files(t);
      const outputs = ['--json', files.at('run.json'), '--report', files.at('page.md')];
      const args = ['--only', 'invalid-utf8', ...SHORT, ...LAX, '--max-rss', '1', ...outputs];
      const { code, out, err } = await measuringCommand('attack', args, { bootstrap });
      assert.equal(code, 1, out + err);
      assert.match(out, /^invalid-utf8: FAILED: RSS is \d+ MiB, allowed 1$/m);
      const results = JSON.parse(files.read('run.json')) as { attack: Attack; evidence: Evidence }[];
      const [result] = results;
      assert.ok(result !== undefined && results.length === 1);
      const { attack, evidence } = result;
      assert.equal(attack.name, 'invalid-utf8');
      assert.ok(evidence.attackers.connected >= 20 && evidence.attackers.sentBytes > 10_000);
      assert.ok(evidence.rest.storedMs.count > 500 && evidence.attacked.keepaliveMs.count > 100);
      assert.ok((evidence.good.readBack?.delivered ?? 0) > 1_500);
      assert.ok((evidence.sink?.storedMs.count ?? 0) > 0 && evidence.healthz.asked > 0);
      assert.ok((evidence.refusals.invalid_utf8 ?? 0) > 0);
      assert.match(
        files.read('page.md'),
        /^\| invalid-utf8 \| [\d.]+ \/ [\d.]+ \/ [\d.]+ \|.*\| \*\*failed\*\*: RSS .* \|$/m,
      );
      assert.deepEqual(await topicsOf(bootstrap, 'attack'), []);
    },
  );

  kafkaTest('carries out attacks over TLS, beside good devices over TLS', async ({ bootstrap }, t) => {
    const files = new Files(t);
    const outputs = ['--json', files.at('run.json'), '--report', files.at('page.md')];
    const args = ['--tls', '--only', 'refused-lines', ...SHORT, ...LAX, '--max-rss', '2000', ...outputs];
    const { code, out, err } = await measuringCommand('attack', args, { bootstrap });
    assert.equal(code, 0, out + err);
    const results = JSON.parse(files.read('run.json')) as { evidence: Evidence }[];
    const [lines] = results.map(({ evidence }) => evidence);
    assert.ok((lines?.refusals.invalid_json ?? 0) > 0, 'lines came through TLS');
    assert.ok((lines?.good.readBack?.delivered ?? 0) > 1_500);
    assert.match(
      files.read('page.md'),
      /<!-- attacks-tls: begin -->[\s\S]*^\| refused-lines \|.*\| held \|$/m,
    );
  });

  kafkaTest(
    'an attack that cannot be carried out fails loudly, and the next one follows',
    async ({ bootstrap }) => {
      const args = [...TWO, ...SHORT, '--env', 'TCP_MAX_CONNECTIONS=5'];
      const { code, out } = await measuringCommand('attack', args, { bootstrap });
      assert.equal(code, 1);
      for (const name of ['invalid-utf8', 'byte-by-byte'])
        assert.match(out, new RegExp(`^${name}: FAILED: could not be carried out: `, 'm'));
    },
  );
});
