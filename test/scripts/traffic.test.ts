// Which runs record their traffic, and judge it at their end. The files that judge it cannot see that nobody runs them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { select } from '../../scripts/tests/suites.ts';
import { recordTraffic, TRAFFIC, TRAFFIC_IS_WHOLE } from '../../scripts/tests/traffic.ts';
import { temporaryDirectory } from '../support/directory.ts';

const JUDGES = ['test/contracts/admin-traffic.last.test.ts', 'test/contracts/traffic.last.test.ts'];
const JUDGE = fileURLToPath(new URL('../contracts/traffic.last.test.js', import.meta.url));
const ADMIN_JUDGE = fileURLToPath(new URL('../contracts/admin-traffic.last.test.js', import.meta.url));

const lastOf = (...args: Parameters<typeof select>) =>
  select(...args)
    .filter(({ kind }) => kind === 'last')
    .map(({ source }) => source)
    .sort();

test('npm test judges its traffic, and so does a run of the contracts alone', () => {
  assert.deepEqual(lastOf('all', []), JUDGES);
  assert.deepEqual(lastOf('all', ['contracts']), JUDGES);
  assert.deepEqual(lastOf('unit', []), []);
});

test('a run that records says so to its processes until it has ended', (t) => {
  // This run may record, too.
  const former = { ...process.env };
  t.after(() => {
    for (const name of [TRAFFIC, TRAFFIC_IS_WHOLE, 'NODE_OPTIONS']) {
      const value = former[name];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  for (const name of [TRAFFIC, TRAFFIC_IS_WHOLE, 'NODE_OPTIONS']) delete process.env[name];
  const end = recordTraffic({ isWhole: true });
  const directory = process.env[TRAFFIC] ?? '';
  assert.ok(existsSync(directory));
  assert.equal(process.env[TRAFFIC_IS_WHOLE], '1');
  assert.match(process.env.NODE_OPTIONS ?? '', /--import=\S+preload\.js/);
  end();
  assert.ok(!existsSync(directory));
  assert.deepEqual(
    [TRAFFIC, TRAFFIC_IS_WHOLE, 'NODE_OPTIONS'].map((name) => process.env[name]),
    [undefined, undefined, undefined],
  );
});

test('a run fails if it recorded nothing, or its runner forgot to', (t) => {
  const empty = join(temporaryDirectory(t), 'empty');
  mkdirSync(empty);
  const run = (file: string, more: NodeJS.ProcessEnv) =>
    spawnSync(process.execPath, ['--test', '--test-reporter=spec', file], {
      env: { PATH: process.env.PATH, SLUICE_TEST_SUITE: 'all', ...more },
      encoding: 'utf8',
    });
  for (const [file, failures] of [
    [JUDGE, 4],
    [ADMIN_JUDGE, 2],
  ] as const) {
    const { status, stdout } = run(file, {
      [TRAFFIC]: empty,
      [TRAFFIC_IS_WHOLE]: '1',
      SLUICE_TEST_KAFKA: 'x',
    });
    assert.equal(status, 1, stdout);
    assert.match(stdout, new RegExp(`^ℹ fail ${failures}$`, 'm'));
  }
  const forgotten = run(JUDGE, {});
  assert.equal(forgotten.status, 1, forgotten.stdout);
  assert.match(forgotten.stdout, /this run has recorded no traffic/);
});
