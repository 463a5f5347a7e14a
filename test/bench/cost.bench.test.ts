// The target of docs/benchmarks.md for the cost of a message, in a short form for a machine that is busy with other work.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { run } from '../../scripts/kafka/process.ts';
import { kafkaTest } from '../support/kafka.ts';

const BENCH = fileURLToPath(new URL('../../bench/main.js', import.meta.url));
const TIMEOUT_MS = 90_000;

kafkaTest('a message costs at most five times JSON.parse of its line', async ({ bootstrap }) => {
  const args = ['--scenario', 'batch', '--seconds', '1', '--max', 'batch.multiple=5'];
  const command = [`KAFKA_BROKERS=${bootstrap}`, process.execPath, BENCH, ...args];
  const { exitCode, stdout, stderr } = await run('env', command, TIMEOUT_MS);
  assert.equal(exitCode, 0, `${stdout}${stderr}`);
});
