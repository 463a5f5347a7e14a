// Runs `sluice check`: prints the settings in force and the findings, and chooses the exit code.
import { isatty } from 'node:tty';
import { AREAS } from '../../check/checks.ts';
import { counts, report } from '../../check/report.ts';
import { type Placed, runChecks } from '../../check/run.ts';
import { settingsRefused } from '../../check/settings.ts';
import { environment } from '../../config/environment.ts';
import { EXIT_SETTINGS } from '../../config/exit-codes.ts';
import type { Loaded } from '../../config/load.ts';
import { jsonText } from '../json-text.ts';
import { configObject, printConfig, printSet } from '../print-config.ts';
import { load } from '../with-settings.ts';
import type { CheckWish } from './command.ts';

/** Resolves with the exit code. */
export async function runCheck({ all, json, strict }: CheckWish): Promise<number> {
  const loaded = load();
  const placed: Placed[] = loaded.ok
    ? await runChecks(loaded)
    : settingsRefused(loaded.problems).map((finding) => ({ area: AREAS[0], finding }));
  const { error, warning } = counts(placed);
  const code = !loaded.ok ? EXIT_SETTINGS : error > 0 || (strict && warning > 0) ? 1 : 0;
  await print(json ? jsonOf(loaded, placed, all === true) : textOf(loaded, placed, all === true));
  // A name that is still being looked up would hold the process for as long as the resolver waits.
  process.exit(code);
}

function textOf(loaded: Loaded, placed: readonly Placed[], all: boolean): string {
  const isTerminal = isatty(1);
  const { NO_COLOR, TERM } = environment();
  const form = {
    hasColours: isTerminal && !NO_COLOR && TERM !== 'dumb',
    columns: isTerminal ? process.stdout.columns : 0,
  };
  const settings = loaded.ok ? `${all ? printConfig(loaded) : printSet(loaded)}\n` : '';
  return `${settings}${report(placed, form)}`;
}

function jsonOf(loaded: Loaded, placed: readonly Placed[], all: boolean): string {
  const findings = placed.map(({ area, finding }) => ({ area: area.toLowerCase(), ...finding }));
  const settings = loaded.ok ? configObject(loaded, { onlySet: !all }) : {};
  return `${jsonText({ counts: counts(placed), findings, settings }, 2)}\n`;
}

function print(text: string): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.on('error', () => resolve());
    process.stdout.write(text, () => resolve());
  });
}
