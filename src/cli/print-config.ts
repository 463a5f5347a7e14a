// Prints the settings in force as lines of an environment file. Settings that are not defaults have a remark with their
// origin.
import type { Loaded } from '../config/load.ts';
import { printable } from '../config/printable.ts';
import { aboutSetting, GROUPS, SETTING_NAMES, type SettingName } from '../config/settings.ts';

type Config = Pick<Extract<Loaded, { ok: true }>, 'texts' | 'origins'>;

/** Saved as `.env`, the text gives the same settings except for secrets, which it only mentions. */
export function printConfig(config: Config): string {
  const groups = Object.entries(GROUPS).map(([group, title]) => {
    const names = SETTING_NAMES.filter((name) => aboutSetting(name).group === group);
    return [`# ${title}`, ...names.flatMap((name) => settingLines(name, config))].join('\n');
  });
  return `# Settings without a remark are defaults.\n\n${groups.join('\n\n')}\n`;
}

function settingLines(name: SettingName, { texts, origins }: Config): string[] {
  const text = texts[name];
  // On a line of its own: Docker and systemd take a remark behind a value as part of the value.
  const remark = origins[name] === 'default' ? [] : [`# ${originText[origins[name]]}:`];
  if (aboutSetting(name).secret && text !== '')
    return [`# ${name} is set, hidden (${originText[origins[name]]})`];
  return [...remark, `${name}=${envValue(text)}`];
}

const originText = {
  default: 'default',
  profile: 'from the profile',
  '.env': 'from .env',
  environment: 'from the environment',
} as const;

/** Bare if every program that reads such files understands it, else in quotes that dotenv takes literally. */
function envValue(text: string): string {
  const shown = printable(text);
  if (/^[^\s#'"`\\$]*$/.test(shown)) return shown;
  const quote = ["'", '`'].find((candidate) => !shown.includes(candidate)) ?? '"';
  return `${quote}${shown}${quote}`;
}
