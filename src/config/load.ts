// Loads the settings from the environment and a .env file, or reports every problem at once. Only this file reads
// process.env and .env, and it changes neither.
import { readFileSync } from 'node:fs';
import { parse as parseDotenv } from 'dotenv';
import { crossProblems, settingWarnings } from './checks.ts';
import { isServiceLink, misspelt } from './names.ts';
import { printable, quoted } from './printable.ts';
import { PROFILES } from './profiles.ts';
import { aboutSetting, SETTING_NAMES, type SettingName, type Settings, settingsSchema } from './settings.ts';

export type Origin = 'default' | 'profile' | '.env' | 'environment';

export interface LoadOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The file may be missing. Left out, no file is read. */
  readonly dotenvPath?: string;
}

export interface LoadedSettings {
  readonly ok: true;
  readonly settings: Settings;
  readonly origins: Readonly<Record<SettingName, Origin>>;
  /** Each value as its text, secrets included. */
  readonly texts: Readonly<Record<SettingName, string>>;
  readonly warnings: readonly string[];
}

export type Loaded = LoadedSettings | { readonly ok: false; readonly problems: readonly string[] };

export function environment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

interface Source {
  readonly origin: Origin;
  readonly values: Readonly<Record<string, string | undefined>>;
}

interface Given {
  readonly text: string;
  readonly origin: Origin;
}

/** Order of precedence: environment, .env, profile, default. It throws for no input. */
export function loadSettings({ env, dotenvPath }: LoadOptions): Loaded {
  const problems: string[] = [];
  const file = dotenvPath === undefined ? {} : readDotenv(dotenvPath, problems);
  const written: Source[] = [
    { origin: 'environment', values: env },
    { origin: '.env', values: file },
  ];
  for (const source of written) problems.push(...misspeltNames(source));

  const profile = profileSource(find('PROFILE', written));
  const sources = profile === undefined ? written : [...written, profile];

  const found = {} as Record<SettingName, Given>;
  const values: Partial<Record<SettingName, unknown>> = {};
  for (const name of SETTING_NAMES) {
    found[name] = find(name, sources);
    const result = settingsSchema.shape[name].safeParse(found[name].text);
    if (result.success) values[name] = result.data;
    else problems.push(refused(name, found[name]));
  }
  // Each setting is parsed by itself, so that the checks between settings run although some setting was refused.
  problems.push(...crossProblems(values as Partial<Settings>));
  if (problems.length > 0) return { ok: false, problems };

  const settings = values as Settings;
  const each = <T>(pick: (given: Given) => T) =>
    Object.fromEntries(SETTING_NAMES.map((name) => [name, pick(found[name])])) as Record<SettingName, T>;
  const origins = each((given) => given.origin);
  const texts = each((given) => given.text);
  const byHand = (name: SettingName) => origins[name] === 'environment' || origins[name] === '.env';
  const chosen = (name: SettingName) => byHand(name) && texts[name] !== aboutSetting(name).default;
  return { ok: true, settings, origins, texts, warnings: settingWarnings(settings, chosen) };
}

function readDotenv(path: string, problems: string[]): Record<string, string> {
  try {
    return parseDotenv(readFileSync(path));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code !== 'ENOENT') problems.push(`the file ${quoted(path)} is there but cannot be read (${code})`);
    return {};
  }
}

function misspeltNames({ origin, values }: Source): string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    const nearest = misspelt(name, value ?? '');
    if (nearest === undefined) return [];
    // Without the value: a password under a misspelt name is still a password.
    return [`${printable(name)} (${origin}) is not a setting; the nearest real name is ${nearest}`];
  });
}

function find(name: SettingName, sources: readonly Source[]): Given {
  const { secret, empty, default: byDefault } = aboutSetting(name);
  for (const { origin, values } of sources) {
    const raw = values[name];
    if (raw === undefined) continue;
    const text = secret ? raw : raw.trim();
    // `NAME=` means "not set", unless empty has a meaning for this setting.
    if (text !== '' || empty !== undefined) return { text, origin };
  }
  return { text: byDefault, origin: 'default' };
}

/** Undefined for an unknown profile, which is refused as a value of PROFILE. */
function profileSource(given: Given): Source | undefined {
  const name = settingsSchema.shape.PROFILE.safeParse(given.text).data;
  if (!name) return undefined;
  const values = Object.entries(PROFILES[name].values).map(([key, [value]]) => [key, value] as const);
  return { origin: 'profile', values: Object.fromEntries(values) };
}

function refused(name: SettingName, { text, origin }: Given): string {
  const { secret, allowed } = aboutSetting(name);
  const hint = isServiceLink(name, text)
    ? ' (a Kubernetes service link: set `enableServiceLinks: false`)'
    : '';
  const value = secret ? ' (value hidden)' : `=${quoted(text)}`;
  return `${name}${value} (${origin}) is not allowed${hint}; allowed: ${allowed}`;
}
