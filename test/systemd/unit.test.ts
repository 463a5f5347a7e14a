// deploy/systemd: the unit against the exit codes, the settings and the profiles of the gateway, and judged by systemd's own
// tools.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse } from 'dotenv';
import { EXIT_CODES, EXIT_SETTINGS } from '../../src/config/exit-codes.ts';
import { type LoadedSettings, loadSettings } from '../../src/config/load.ts';
import { PROFILES } from '../../src/config/profiles.ts';
import { SETTING_NAMES } from '../../src/config/settings.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { skipWithoutTool } from '../support/missing-tool.ts';

const FOLDER = new URL('../../../deploy/systemd/', import.meta.url);
const unit = readFileSync(new URL('sluice.service', FOLDER), 'utf8');
const example = readFileSync(new URL('sluice.env.example', FOLDER), 'utf8');
/** Tenths, as systemd-analyze takes them. The rest is the network, which a gateway needs, and V8's machine code. */
const MAX_EXPOSURE = 11;
/** Open files beside those of devices, in each process. */
const SPARE_FILES = 300;

test('the unit prevents a restart after each exit code that needs a person, and after no other', () => {
  const codes = fromUnit('RestartPreventExitStatus').split(' ').map(Number);
  const needPerson = EXIT_CODES.filter(({ code, again }) => code !== 0 && again === 'no').map(
    ({ code }) => code,
  );
  assert.deepEqual(codes, needPerson);
  assert.ok(codes.includes(EXIT_SETTINGS));
  assert.equal(fromUnit('Restart'), 'on-failure');
  assert.equal(fromUnit('StartLimitIntervalSec'), '0');
});

for (const name of ['', ...Object.keys(PROFILES)]) {
  test(`the unit gives the gateway time to stop and open files, with PROFILE=${name}`, () => {
    const { settings } = loaded({ PROFILE: name });
    const stopMs = settings.SHUTDOWN_DRAIN + settings.SHUTDOWN_SPREAD + settings.SHUTDOWN_TIMEOUT;
    assert.ok(Number(fromUnit('TimeoutStopSec')) * 1000 >= stopMs + 5_000);
    assert.ok(Number(fromUnit('LimitNOFILE')) >= settings.TCP_MAX_CONNECTIONS + SPARE_FILES);
  });
}

test('every setting that the unit and its file of settings name exists, and the file as it lies there is valid', () => {
  const named = [...unit.matchAll(/\b(?:TCP|KAFKA|SPOOL|HTTP|SHUTDOWN|LOG)_[A-Z_]*[A-Z]\b/g)].map(
    ([name]) => name,
  );
  const written = Object.keys(parse(example.replaceAll(/^#(?=[A-Z_]+=)/gm, '')));
  assert.ok(named.length > 5 && written.length > 5);
  for (const name of [...named, ...written])
    assert.ok((SETTING_NAMES as readonly string[]).includes(name), name);
  loaded(parse(example));
  // systemd reads these characters otherwise than the gateway reads .env.
  for (const value of Object.values(parse(example))) assert.doesNotMatch(value, /["'\\$#]/);
});

test('systemd-analyze verify has no complaint', (t) => {
  if (!hasAnalyze(t)) return;
  const file = join(temporaryDirectory(t), 'sluice.service');
  // It looks whether the programs are there.
  writeFileSync(file, unit.replace(/^(ExecStart=).*/m, `$1${process.execPath}`));
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], {
    encoding: 'utf8',
  });
  const ours = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('sluice'));
  assert.deepEqual(ours, []);
  assert.equal(status, 0, stderr);
});

test(`systemd-analyze security finds an exposure of at most ${(MAX_EXPOSURE / 10).toFixed(1)}`, (t) => {
  if (!hasAnalyze(t)) return;
  const file = join(temporaryDirectory(t), 'sluice.service');
  writeFileSync(file, unit);
  const args = ['security', '--offline=yes', `--threshold=${MAX_EXPOSURE}`, '--no-pager', file];
  const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  assert.equal(status, 0, `${stdout}${stderr}`);
  assert.match(stdout, /Overall exposure level/);
});

function fromUnit(name: string): string {
  const values = [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value);
  assert.equal(values.length, 1, name);
  return values[0] ?? '';
}

function loaded(env: Readonly<Record<string, string>>): LoadedSettings {
  const result = loadSettings({ env });
  if (!result.ok) throw new Error(result.problems.join('\n'));
  return result;
}

function hasAnalyze(t: TestContext): boolean {
  if (spawnSync('systemd-analyze', ['--version']).status === 0) return true;
  skipWithoutTool(t, 'systemd-analyze is missing (on Debian: apt-get install systemd)');
  return false;
}
