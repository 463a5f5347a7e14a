// The bench as a command, on so little load that its figures mean nothing.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../scripts/kafka/process.ts';
import { kafkaTest } from './support/kafka.ts';

const BENCH = fileURLToPath(new URL('../scripts/bench.js', import.meta.url));
const TIMEOUT_MS = 90_000;

const bench = (bootstrap: string, args: readonly string[]) =>
  run('env', [`KAFKA_BROKERS=${bootstrap}`, process.execPath, BENCH, ...args], TIMEOUT_MS);

kafkaTest('the bench writes what it measured, with confirmations and latency', async ({ bootstrap }, t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-test-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const json = join(directory, 'bench.json');
  const args = ['--scenario', 'latency', '--seconds', '0.2', '--connections', '10', '--seq', '--json', json];
  const { exitCode, stdout, stderr } = await bench(bootstrap, args);
  assert.equal(exitCode, 0, `${stdout}${stderr}`);
  const { results } = JSON.parse(readFileSync(json, 'utf8')) as {
    results: {
      name: string;
      runs: { messages: number; serverCpuUs: number; latencyMs: { p99: number } }[];
    }[];
  };
  assert.deepEqual(
    results.map(({ name }) => name),
    ['latency'],
  );
  const [measured] = results[0]?.runs ?? [];
  assert.equal(measured?.messages, 400);
  assert.ok(measured.serverCpuUs > 0 && measured.latencyMs.p99 > 0);
});

kafkaTest('the bench fails where a limit is passed', async ({ bootstrap }) => {
  const args = ['--scenario', 'batch', '--seconds', '0.2', '--connections', '10', '--max-multiple', '0.01'];
  const { exitCode, stderr } = await bench(bootstrap, args);
  assert.equal(exitCode, 1);
  assert.match(stderr, /LIMIT MISSED {2}batch/);
});

kafkaTest(
  'the bench measures the spool and its draining, and holds them to limits',
  async ({ bootstrap }) => {
    const limits = ['--min-spool-ratio', '1000', '--max-stored-p99', '0.001', '--min-drain', '1000000'];
    const scenarios = ['spool', 'drain', 'drain-slow'].flatMap((name) => ['--scenario', name]);
    const args = [...scenarios, '--seconds', '0.2', '--connections', '10', ...limits];
    const { exitCode, stdout, stderr } = await bench(bootstrap, args);
    assert.equal(exitCode, 1, `${stdout}${stderr}`);
    assert.doesNotMatch(stderr, /FAILED/);
    const missed = [...stderr.matchAll(/^LIMIT MISSED {2}(.*?):/gm)].map(([, name]) => name);
    assert.deepEqual(missed, ['spool', 'spool', 'drain', 'drain-slow']);
  },
);
