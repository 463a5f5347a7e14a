// Loads settings that a test expects to be accepted or to be refused.
import assert from 'node:assert/strict';
import { type LoadedSettings, loadSettings } from '../../src/config/load.ts';

export type Env = Readonly<Record<string, string>>;

const load = (env: Env, dotenvPath?: string) =>
  loadSettings(dotenvPath === undefined ? { env } : { env, dotenvPath });

export function accepted(env: Env, dotenvPath?: string): LoadedSettings {
  const loaded = load(env, dotenvPath);
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.join('\n'));
  return loaded;
}

export function problems(env: Env, dotenvPath?: string): readonly string[] {
  const loaded = load(env, dotenvPath);
  assert.ok(!loaded.ok, 'should have been refused');
  return loaded.problems;
}
