// Holds docs/migrating.md to the code: the environment file of the Go system, and the defaults that differ.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { aboutSetting, SETTING_NAMES, type SettingName } from '../../src/config/settings.ts';
import { accepted, problems } from '../config/loading.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { blockOf, PAGE } from './page.ts';

const NAMES: readonly string[] = SETTING_NAMES;

test('the environment file of the Go system is accepted, and each name that both have counts', (t) => {
  const file = join(temporaryDirectory(t), '.env');
  const text = blockOf('go-environment');
  writeFileSync(file, text);
  const { settings } = accepted({}, file);
  assert.equal(settings.TCP_INACTIVITY_TIMEOUT, 120_000);
  assert.equal(settings.KAFKA_BATCH_SIZE, 100);
  assert.equal(settings.KAFKA_REQUIRED_ACKS, 1);
  const shared = [...text.matchAll(/^(\w+)=/gm)]
    .map(([, name = '']) => name)
    .filter((name) => NAMES.includes(name));
  assert.equal(shared.length, 17);
});

test('Go durations and booleans mean the same, and a value that cannot be read is named', (t) => {
  const file = join(temporaryDirectory(t), '.env');
  writeFileSync(file, 'TCP_INACTIVITY_TIMEOUT=1m30s\nKAFKA_ASYNC=F\n');
  const { settings } = accepted({}, file);
  assert.equal(settings.TCP_INACTIVITY_TIMEOUT, 90_000);
  assert.equal(settings.KAFKA_ASYNC, false);
  writeFileSync(file, 'TCP_IDENTIFY_TIMEOUT=10 seconds\n');
  assert.match(problems({}, file).join('\n'), /TCP_IDENTIFY_TIMEOUT="10 seconds"/);
});

test('the table of defaults shows those of the Go file and those of the code, and misses no other', () => {
  const former = new Map(
    [...blockOf('go-environment').matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  );
  const rows = [...PAGE.matchAll(/^\| `([A-Z_]+)` \| `([^`]+)` \| `([^`]+)` \|/gm)];
  const shown = new Set(rows.map(([, name]) => name));
  for (const [, name = '', go, own] of rows) {
    assert.equal(go, former.get(name), name);
    assert.equal(own, aboutSetting(name as SettingName).default, name);
  }
  for (const [name, value] of former) {
    if (NAMES.includes(name) && !shown.has(name))
      assert.equal(aboutSetting(name as SettingName).default, value, name);
  }
});
