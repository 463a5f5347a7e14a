// `sluice check` against a broker that is made to hurt it: by the number and the texts of the brokers that it names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort } from '../../scripts/kafka/ports.ts';
import { METADATA, rangesOf, ScriptedBroker } from '../kafka/client/scripted-broker.ts';
import { runProgram } from '../support/program.ts';
import { environmentFor } from './checking.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be in the output
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;
const MAX_LINE = 3000;

test('a broker that names thousands of others, with texts for a terminal, costs neither time nor a screen', async (t) => {
  const port = await freePort();
  const others = Array.from({ length: 2000 }, (_, nodeId) => ({
    nodeId: nodeId + 3,
    host: '127.0.0.1',
    port,
  }));
  const broker: ScriptedBroker = await ScriptedBroker.start(t, {
    versions: rangesOf('3.9').set(METADATA, [0, 6]),
    brokers: () => [
      { nodeId: 1, host: '127.0.0.1', port: broker.port },
      { nodeId: 2, host: `\x1b[2J\u009b31m\u202e${'x'.repeat(30_000)}`, port: -1 },
      ...others,
    ],
  });
  const env = environmentFor(t, { KAFKA_BROKERS: broker.address });
  const [text, json] = await Promise.all([
    runProgram('src/main.js', ['check'], { env }),
    runProgram('src/main.js', ['check', '--json'], { env }),
  ]);
  for (const { code, out, err } of [text, json]) {
    assert.equal(code, 1, err);
    assert.doesNotMatch(out + err, UNSAFE);
    assert.match(out, /1902 more were not tried/);
  }
  assert.ok(text.out.split('\n').every((line) => line.length < MAX_LINE));
  const { findings } = JSON.parse(json.out) as { findings: readonly { name: string }[] };
  assert.equal(findings.filter(({ name }) => name === 'advertised_unreachable').length, 99);
});
