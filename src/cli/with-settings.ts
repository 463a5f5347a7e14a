// Loads the settings for a command. It reports every wrong one, and then runs nothing.

import { environment } from '../config/environment.ts';
import { EXIT_SETTINGS } from '../config/exit-codes.ts';
import { type Loaded, type LoadedSettings, loadSettings } from '../config/load.ts';
import { pathOfPage } from '../config/pages.ts';

/** @param overrides options of the command line, which take precedence over the environment */
export function load(overrides: Readonly<Record<string, string>> = {}): Loaded {
  return loadSettings({ env: { ...environment(), ...overrides }, dotenvPath: '.env' });
}

/** Resolves with the exit code. */
export async function withSettings<Code extends number | undefined>(
  loaded: Loaded,
  run: (loaded: LoadedSettings) => Promise<Code>,
): Promise<Code | typeof EXIT_SETTINGS> {
  if (loaded.ok) return run(loaded);
  process.stderr.write(refusal(loaded.problems));
  return EXIT_SETTINGS;
}

function refusal(problems: readonly string[]): string {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  const lines = problems.map((problem) => `  ${problem}\n`).join('');
  return `sluice: ${count} in the settings, nothing was started\n${lines}All settings: ${pathOfPage('docs/configuration.md')}\n`;
}
