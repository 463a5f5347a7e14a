// The command `npm run bench`, with little load. The figures mean nothing.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../../scripts/kafka/process.ts';
import { kafkaTest } from '../support/kafka.ts';

const BENCH = fileURLToPath(new URL('../../bench/main.js', import.meta.url));
const TIMEOUT_MS = 90_000;
const SHORT = ['--seconds', '0.2', '--warm-up', '0.2', '--connections', '10'];

const bench = (bootstrap: string, args: readonly string[]) =>
  run('env', [`KAFKA_BROKERS=${bootstrap}`, process.execPath, BENCH, ...args], TIMEOUT_MS);

kafkaTest(
  'the bench writes its figures into a file, with confirmations and latency',
  async ({ bootstrap }, t) => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-test-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const json = join(directory, 'bench.json');
    const args = ['--scenario', 'latency', ...SHORT, '--seq', '--json', json];
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
  },
);

kafkaTest(
  'the bench compares with a file, and fails if a figure is worse or misses a limit',
  async ({ bootstrap }, t) => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-test-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const [before, now] = [join(directory, 'before.json'), join(directory, 'now.json')];
    const measured = await bench(bootstrap, ['--scenario', 'kafkajs', ...SHORT, '--json', before]);
    assert.equal(measured.exitCode, 0, measured.stderr);
    const file = JSON.parse(readFileSync(before, 'utf8')) as { results: { runs: { ratio: number }[] }[] };

    const same = await bench(bootstrap, ['--from', before, '--compare', before]);
    assert.equal(same.exitCode, 0, same.stderr);
    assert.match(same.stdout.toString(), /: [1-9]\d* figures, 0 worse/);

    const limited = await bench(bootstrap, ['--from', before, '--max', 'kafkajs.ratio=0.01']);
    assert.equal(limited.exitCode, 1);
    assert.match(limited.stderr, /^LIMIT MISSED {2}kafkajs: ratio is [\d.]+, must be at most 0\.01$/m);

    for (const result of file.results) for (const one of result.runs) one.ratio /= 2;
    writeFileSync(now, JSON.stringify(file));
    const worse = await bench(bootstrap, ['--from', now, '--compare', before]);
    assert.equal(worse.exitCode, 1);
    assert.match(worse.stderr, /^REGRESSION {2}kafkajs\.ratio: .*; 50 % worse, noise is 30 %$/m);
  },
);

test('the bench refuses wrong options before it measures', async () => {
  for (const [args, said] of [
    [['--compare', '/nowhere/file.json'], /cannot be read/],
    [['--compare', fileURLToPath(import.meta.url)], /is not JSON/],
    [['--report', '--runs', '1'], /a report needs at least 5 runs/],
    [['--report', '--runs', '5', '--warm-up', '1'], /the whole warm-up/],
    [['--max', 'batch.multipel=5'], /no figure multipel/],
    [['--scenario', 'bath'], /allowed: batch, /],
  ] as const) {
    const { exitCode, stderr } = await bench('127.0.0.1:1', args);
    assert.notEqual(exitCode, 0);
    assert.match(stderr, said);
  }
});

kafkaTest(
  'the bench measures the spool and its draining, and checks limits on them',
  async ({ bootstrap }) => {
    const limits = [
      ['--min', 'spool.ratio=1000'],
      ['--max', 'spool.p99Ms=0.001'],
      ['--min', 'drain.times=1000000'],
      ['--min', 'drain-slow.times=1000000'],
    ].flat();
    const scenarios = ['spool', 'drain', 'drain-slow'].flatMap((name) => ['--scenario', name]);
    const args = [...scenarios, ...SHORT, ...limits];
    const { exitCode, stdout, stderr } = await bench(bootstrap, args);
    assert.equal(exitCode, 1, `${stdout}${stderr}`);
    assert.doesNotMatch(stderr, /FAILED/);
    const missed = [...stderr.matchAll(/^LIMIT MISSED {2}(.*?):/gm)].map(([, name]) => name);
    assert.deepEqual(missed.sort(), ['drain', 'drain-slow', 'spool', 'spool']);
  },
);

kafkaTest('the bench measures a storm of devices and the stop in a second one', async ({ bootstrap }) => {
  const limits = ['--max', 'storm.failed=0', '--max', 'storm.toldSeconds=0.001', '--min', 'storm.exitCode=9'];
  const args = ['--scenario', 'storm', '--devices', '50', ...SHORT, ...limits];
  const { exitCode, stdout, stderr } = await bench(bootstrap, args);
  assert.equal(exitCode, 1, `${stdout}${stderr}`);
  assert.doesNotMatch(stderr, /FAILED/);
  const missed = [...stderr.matchAll(/^LIMIT MISSED {2}storm: (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(missed.sort(), ['exitCode', 'toldSeconds']);
});

kafkaTest('the bench measures many devices at once, who then send', async ({ bootstrap }) => {
  const limits = ['--max', 'storm-50k.failed=0', '--max', 'storm-50k.toldSeconds=0.001'];
  const args = ['--scenario', 'storm-50k', '--devices', '20', ...SHORT, ...limits];
  const { exitCode, stdout, stderr } = await bench(bootstrap, args);
  assert.equal(exitCode, 1, `${stdout}${stderr}`);
  assert.doesNotMatch(stderr, /FAILED|SKIPPED/);
  const missed = [...stderr.matchAll(/^LIMIT MISSED {2}storm-50k: (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(missed, ['toldSeconds']);
});
