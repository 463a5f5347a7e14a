// `npm run plan -- calibrate` measures every constant with a real Kafka, and with --no-keep changes no file. The windows are
// too short for figures to keep: only their order of magnitude is looked at.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  CONSTANT_NAMES,
  CONSTANTS,
  CONSTANTS_FILE,
  type ConstantName,
  readConstants,
} from '../../plan/constants.ts';
import { run } from '../../scripts/kafka/process.ts';
import { clusterTest } from '../support/kafka.ts';

const MAIN = fileURLToPath(new URL('../../plan/main.js', import.meta.url));
const TIMEOUT_MS = 300_000;
const SHORT = ['--runs', '1', '--connections', '200', '--seconds', '1', '--no-keep'];
/** A busy or slow machine, and short windows. A wrong unit is a factor of 1,000. */
const FACTOR = 30;
/** Terms of a fit that may come out as 0. */
const MAY_BE_0: readonly ConstantName[] = [
  'messageUs',
  'byteNs',
  'batchUs',
  'tlsMessageUs',
  'brokerRequestUs',
  'brokerBatchUs',
  'brokerMessageUs',
  'storedRecordBytes',
  'storedBatchShare',
];

describe('npm run plan -- calibrate', () => {
  clusterTest('measures every constant, and keeps the file if it is told to', async (t) => {
    if (process.env.SLUICE_TEST_KAFKA_RUNTIME === 'docker') {
      t.skip('the CPU time of a broker in Docker cannot be read');
      return;
    }
    const before = readFileSync(CONSTANTS_FILE, 'utf8');
    const known = readConstants();
    const args = ['-u', 'KAFKA_BROKERS', process.execPath, MAIN, 'calibrate', ...SHORT];
    const ended = await run('env', args, TIMEOUT_MS);
    const [stdout, stderr] = [ended.stdout.toString(), ended.stderr.toString()];
    const { exitCode } = ended;
    assert.equal(exitCode, 0, stdout + stderr);
    assert.equal(readFileSync(CONSTANTS_FILE, 'utf8'), before);
    for (const name of CONSTANT_NAMES) {
      if (name === 'kernelBytes' && process.getuid?.() !== 0) continue;
      const [, value, unit] = new RegExp(`^${name} +([\\d.e+-]+) +\\S+ +\\S+ +(.+)$`, 'm').exec(stdout) ?? [];
      assert.equal(unit, CONSTANTS[name].unit, name);
      if (Number(value) === 0 && MAY_BE_0.includes(name)) continue;
      const ratio = Number(value) / Math.max(known[name], 1e-3);
      // A constant that was 0 says nothing about its size.
      if (known[name] > 0)
        assert.ok(ratio > 1 / FACTOR && ratio < FACTOR, `${name}: ${value} and ${known[name]}`);
    }
  });
});
