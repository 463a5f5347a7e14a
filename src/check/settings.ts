// The findings about the settings themselves: those that are allowed and risky, and variables that have no effect.
import { pathOfPage } from '../config/pages.ts';
import { SETTING_NAMES } from '../config/settings.ts';
import { LINES } from '../log/lines.ts';
import { serverProcesses } from '../start/server-processes.ts';
import type { Context } from './context.ts';
import { error, type Finding, note, ok } from './finding.ts';
import { linesOf } from './recorded-lines.ts';

export function checkSettings({ loaded, settings }: Context): Finding[] {
  const { warnings, foreignNames, origins } = loaded;
  const lines = linesOf(settings, (log) => {
    for (const warning of warnings) log.write('setting_warned', { warning });
    serverProcesses(settings, log);
  });
  const given = SETTING_NAMES.filter((name) => origins[name] !== 'default').length;
  const all = ok(
    'settings_valid',
    `${SETTING_NAMES.length} settings are valid, ${given === 0 ? 'all are defaults' : `${given} of them are set`}`,
  );
  return [all, ...foreign(foreignNames), ...lines];
}

function foreign(names: readonly string[]): Finding[] {
  if (names.length === 0) return [];
  const { meaning: why, look } = LINES.foreign_names_passed;
  const what = `Variables of other programs are passed over: ${names.join(', ')}`;
  return [
    note({
      name: 'foreign_names_passed',
      what,
      why,
      remedy: `Nothing, unless one was meant for Sluice: ${look}`,
    }),
  ];
}

/** For settings that are refused: nothing else can be checked. */
export function settingsRefused(problems: readonly string[]): Finding[] {
  return problems.map((what) =>
    error('start_refused', {
      name: 'setting_refused',
      what,
      why: 'With this setting nothing is started (exit code 78), and nothing else can be checked.',
      remedy: `Correct it in the environment or in .env. All settings: ${pathOfPage('docs/configuration.md')}`,
    }),
  );
}
