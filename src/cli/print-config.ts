// Prints the settings in force as lines of an environment file. Settings that are not defaults have a remark with their
// origin.
import { existsSync } from 'node:fs';
import { GROUPS } from '../config/groups.ts';
import { holdsSecret } from '../config/hidden.ts';
import type { LoadedSettings, Origin } from '../config/load.ts';
import { printable } from '../config/printable.ts';
import { aboutSetting, SETTING_NAMES, type SettingName } from '../config/settings.ts';

const MAX_VALUE_COLUMNS = 60;

type Config = Pick<LoadedSettings, 'texts' | 'origins'>;

/** Returns the exit code. Warnings go to standard error. */
export function runPrintConfig(loaded: LoadedSettings): number {
  process.stdout.write(printConfig(loaded));
  for (const warning of loaded.warnings) process.stderr.write(`warning: ${warning}\n`);
  if (loaded.foreignNames.length > 0)
    process.stderr.write(
      `note: passed over, as they belong to other programs: ${loaded.foreignNames.join(', ')}\n`,
    );
  return 0;
}

/** Saved as `.env`, the text gives the same settings except for secrets, which it only mentions. */
export function printConfig(config: Config): string {
  const groups = Object.entries(GROUPS).map(([group, title]) => {
    const names = SETTING_NAMES.filter((name) => aboutSetting(name).group === group);
    return [`# ${title}`, ...names.flatMap((name) => settingLines(name, config))].join('\n');
  });
  return `# Settings without a remark are defaults.\n\n${groups.join('\n\n')}\n`;
}

/** The settings that are no defaults, each on a line with its origin. */
export function printSet(config: Config): string {
  const shown = SETTING_NAMES.filter((name) => config.origins[name] !== 'default').map((name) => {
    const text = config.texts[name];
    const value = isHidden(name, text) ? `${name} is set, hidden` : `${name}=${envValue(text)}`;
    return { value, origin: originText[config.origins[name]] };
  });
  const others = SETTING_NAMES.length - shown.length;
  if (shown.length === 0) return `No setting is set, all ${others} are defaults (--all prints them)\n`;
  const width = Math.min(MAX_VALUE_COLUMNS, Math.max(...shown.map(({ value }) => value.length)));
  const lines = shown.map(({ value, origin }) => `  ${value.padEnd(width)}  ${origin}\n`);
  return `Settings that are set; the other ${others} are defaults (--all prints them)\n${lines.join('')}`;
}

export interface ShownSetting {
  /** Null if it is hidden. */
  readonly value: string | null;
  readonly origin: Origin;
}

/** For programs. */
export function configObject(
  { texts, origins }: Config,
  { onlySet }: { onlySet: boolean },
): Readonly<Record<string, ShownSetting>> {
  const names = SETTING_NAMES.filter((name) => !onlySet || origins[name] !== 'default');
  const shown = (name: SettingName): ShownSetting => ({
    value: texts[name] !== '' && isHidden(name, texts[name]) ? null : texts[name],
    origin: origins[name],
  });
  return Object.fromEntries(names.map((name) => [name, shown(name)]));
}

function settingLines(name: SettingName, { texts, origins }: Config): string[] {
  const text = texts[name];
  // On a line of its own: Docker and systemd take a remark behind a value as part of the value.
  const remark = origins[name] === 'default' ? [] : [`# ${originText[origins[name]]}:`];
  if (text !== '' && isHidden(name, text)) return [`# ${name} is set, hidden (${originText[origins[name]]})`];
  return [...remark, `${name}=${envValue(text)}`];
}

/** A path without a file may be the secret itself, pasted in place of its path. */
function isHidden(name: SettingName, text: string): boolean {
  const { secret, secretFile } = aboutSetting(name);
  return secret === true || holdsSecret(text) || (secretFile === true && !existsSync(text));
}

const originText = {
  default: 'default',
  profile: 'from the profile',
  compatibility: 'from TCP_COMPATIBILITY',
  '.env': 'from .env',
  environment: 'from the environment',
  file: 'from its file',
} as const;

/** Bare if every program that reads such files understands it, else in quotes that dotenv takes literally. */
function envValue(text: string): string {
  const shown = printable(text);
  if (/^[^\s#'"`\\$]*$/.test(shown)) return shown;
  const quote = ["'", '`'].find((candidate) => !shown.includes(candidate)) ?? '"';
  return `${quote}${shown}${quote}`;
}
