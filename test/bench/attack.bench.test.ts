// The command `npm run attack`, with attacks of a second. The figures mean nothing.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { Attack } from '../../bench/attack/attack.ts';
import type { Evidence } from '../../bench/attack/evidence.ts';
import { kafkaTest } from '../support/kafka.ts';
import { Files, measuringCommand, topicsOf } from './command.ts';

const SHORT = ['--seconds', '1'];
/** Limits that a machine busy with other tests keeps. */
const LAX = ['--max-p99', '5000', '--max-rss', '2000'];
const TWO = ['--only', 'invalid-utf8', '--only', 'byte-by-byte'];

describe('npm run attack', () => {
  kafkaTest('carries out attacks, writes the table, and leaves no topic behind', async ({ bootstrap }, t) => {
    const files = new Files(t);
    const outputs = ['--json', files.at('run.json'), '--report', files.at('page.md')];
    const args = [...TWO, ...SHORT, ...LAX, ...outputs];
    const { code, out, err } = await measuringCommand('attack', args, { bootstrap });
    assert.equal(code, 0, out + err);
    const results = JSON.parse(files.read('run.json')) as { attack: Attack; evidence: Evidence }[];
    assert.deepEqual(
      results.map(({ attack }) => attack.name),
      ['invalid-utf8', 'byte-by-byte'],
    );
    for (const { evidence } of results) {
      assert.ok(evidence.attackers.connected >= 20 && evidence.attackers.sentBytes > 10_000);
      assert.ok(evidence.rest.storedMs.count > 500 && evidence.attacked.keepaliveMs.count > 100);
      assert.ok((evidence.good.readBack?.delivered ?? 0) > 1_500);
      assert.ok((evidence.sink?.storedMs.count ?? 0) > 0 && evidence.healthz.asked > 0);
    }
    assert.ok((results[0]?.evidence.refusals.invalid_utf8 ?? 0) > 0);
    assert.match(files.read('page.md'), /^\| invalid-utf8 \| [\d.]+ \/ [\d.]+ \/ [\d.]+ \|.*\| held \|$/m);
    assert.deepEqual(await topicsOf(bootstrap, 'attack'), []);
  });

  kafkaTest('fails if the gateway does not hold', async ({ bootstrap }) => {
    const args = ['--only', 'invalid-utf8', ...SHORT, ...LAX, '--max-rss', '1'];
    const { code, out, err } = await measuringCommand('attack', args, { bootstrap });
    assert.equal(code, 1, out + err);
    assert.match(out, /^invalid-utf8: FAILED: RSS is \d+ MiB, allowed 1$/m);
  });

  kafkaTest('an attack that cannot be carried out fails loudly', async ({ bootstrap }) => {
    const args = ['--only', 'invalid-utf8', ...SHORT, '--env', 'TCP_MAX_CONNECTIONS=5'];
    const { code, out } = await measuringCommand('attack', args, { bootstrap });
    assert.equal(code, 1);
    assert.match(out, /^invalid-utf8: FAILED: could not be carried out: /m);
  });
});
