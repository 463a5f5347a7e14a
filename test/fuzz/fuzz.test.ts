// Holds the gateway against an independent reader of the protocol for a while. `npm run fuzz` does it for any time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kafkaTest, uniqueTopic } from '../support/kafka.ts';
import { hasPython, PYTHON } from './reader.ts';
import { fuzz, report } from './run.ts';

const LINES = 20_000;
const LINES_OVER_TLS = 2_000;
const NAME =
  'the gateway takes no mutated line that the reader of the protocol refuses, and changes no value';

if (hasPython() || process.env.SLUICE_REQUIRE_TOOLS === '1') {
  for (const [name, lines, tls] of [
    [NAME, LINES, false],
    [`${NAME}, over TLS`, LINES_OVER_TLS, true],
  ] as const) {
    kafkaTest(name, async ({ bootstrap }, t) => {
      const given = Number(process.env.SLUICE_TEST_SEED);
      const seed = Number.isSafeInteger(given) && given > 0 ? given : Date.now() % 2 ** 31;
      const result = await fuzz({ bootstrap, topic: uniqueTopic('t.fuzz'), lines, seed, tls });
      t.diagnostic(report(result, seed));
      assert.deepEqual(result.disagreements, [], `npm run fuzz -- --seed ${seed}${tls ? ' --tls' : ''}`);
      assert.deepEqual(result.wrong, []);
      assert.ok(
        result.accepted > lines / 10 && result.lines - result.accepted > lines / 10,
        'both kinds came often',
      );
    });
  }
} else {
  console.error(`SKIPPED: ${NAME}: there is no ${PYTHON}`);
  void test(NAME, { skip: `NOT RUN: there is no ${PYTHON}. Install it, or set SLUICE_TEST_PYTHON` });
}
