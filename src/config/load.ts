// Loads the settings from the environment and a .env file, or reports every problem at once. It changes neither.
import { readFileSync } from 'node:fs';
import { parse as parseDotenv } from 'dotenv';
import { crossProblems } from './checks.ts';
import { namesWithoutEquals } from './dotenv-lines.ts';
import { cutOffSecrets } from './dotenv-secrets.ts';
import { exposedFileWarnings, type SecretFile, secretFilesAmong } from './exposed-files.ts';
import { holdsPem, holdsSecret } from './hidden.ts';
import { hintOf } from './hints.ts';
import { judgeName } from './names.ts';
import { printable, quoted } from './printable.ts';
import { PROFILES } from './profiles.ts';
import { fileSettingOf, readSecret } from './secret-file.ts';
import { aboutSetting, parseSetting, SETTING_NAMES, type SettingName, type Settings } from './settings.ts';
import { settingWarnings } from './warnings.ts';

/** `file` = the value of a secret comes from the file that NAME_FILE names. */
export type Origin = 'default' | 'profile' | 'compatibility' | '.env' | 'environment' | 'file';

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
  /** Variables of other programs that begin like settings. */
  readonly foreignNames: readonly string[];
}

export type Loaded = LoadedSettings | { readonly ok: false; readonly problems: readonly string[] };

interface Source {
  readonly origin: Origin;
  readonly values: Readonly<Record<string, string | undefined>>;
}

interface Given {
  readonly text: string;
  readonly origin: Origin;
}

/** Order of precedence: environment, .env, TCP_COMPATIBILITY, profile, default. It throws for no input. */
export function loadSettings({ env, dotenvPath }: LoadOptions): Loaded {
  const problems: string[] = [];
  const file = dotenvPath === undefined ? {} : readDotenv(dotenvPath, problems);
  const written: Source[] = [
    { origin: 'environment', values: env },
    { origin: '.env', values: file },
  ];
  const names = judgedNames(written);
  problems.push(...names.problems);

  const profile = profileSource(find('PROFILE', written));
  const settled = profile === undefined ? written : [...written, profile];
  const sources = [...written, ...compatibilitySource(settled), ...(profile === undefined ? [] : [profile])];

  const found = {} as Record<SettingName, Given>;
  const values: Partial<Record<SettingName, unknown>> = {};
  for (const name of SETTING_NAMES) {
    const given = findSecretFile(name, sources, problems) ?? find(name, sources);
    if (given === 'refused') continue;
    found[name] = given;
    const value = parsed(name, given, problems);
    if (value !== undefined) values[name] = value;
  }
  // Each setting is parsed by itself, so that the checks between settings run although some setting was refused.
  problems.push(...crossProblems(values as Partial<Settings>));
  if (problems.length > 0) return { ok: false, problems };

  const settings = values as Settings;
  const each = <T>(pick: (given: Given) => T) =>
    Object.fromEntries(SETTING_NAMES.map((name) => [name, pick(found[name])])) as Record<SettingName, T>;
  const origins = each((given) => given.origin);
  const texts = each((given) => given.text);
  const dotenv = dotenvPath !== undefined && SETTING_NAMES.some((name) => isSecret(name) && file[name]);
  const secretFiles = [...secretFilesOf(settings), ...(dotenv ? [{ name: '.env', path: dotenvPath }] : [])];
  const warnings = [...names.warnings, ...settingWarnings(settings), ...exposedFileWarnings(secretFiles)];
  return { ok: true, settings, origins, texts, warnings, foreignNames: names.foreign };
}

export type LoadedSome<Name extends SettingName> =
  | { readonly ok: true; readonly settings: Pick<Settings, Name> }
  | { readonly ok: false; readonly problems: readonly string[] };

/** The named settings, for commands that need no others: a wrong value of another one does not stop them. */
export function loadSome<Name extends SettingName>(
  names: readonly Name[],
  { env, dotenvPath }: LoadOptions,
): LoadedSome<Name> {
  const sources: Source[] = [
    { origin: 'environment', values: env },
    { origin: '.env', values: dotenvPath === undefined ? {} : readDotenv(dotenvPath, []) },
  ];
  const problems: string[] = [];
  const values = Object.fromEntries(
    names.map((name) => {
      const given = findSecretFile(name, sources, problems) ?? find(name, sources);
      return [name, given === 'refused' ? undefined : parsed(name, given, problems)];
    }),
  ) as Pick<Settings, Name>;
  return problems.length > 0 ? { ok: false, problems } : { ok: true, settings: values };
}

/** Undefined if it is not allowed. Its problem is added. */
function parsed<Name extends SettingName>(
  name: Name,
  given: Given,
  problems: string[],
): Settings[Name] | undefined {
  const value = parseSetting(name, given.text);
  const isPasted = !aboutSetting(name).secret && holdsPem(given.text);
  if (isPasted) problems.push(pasted(name, given));
  else if (value !== undefined) return value;
  else problems.push(refused(name, given));
  return undefined;
}

function isSecret(name: string): boolean {
  const known = SETTING_NAMES.find((setting) => setting === name);
  return known !== undefined && aboutSetting(known).secret === true;
}

function secretFilesOf(settings: Settings): SecretFile[] {
  const files = SETTING_NAMES.map((name) => ({ name, path: settings[name] }));
  return secretFilesAmong(
    files.flatMap(({ name, path }) => (typeof path === 'string' ? { name, path } : [])),
  );
}

function readDotenv(path: string, problems: string[]): Record<string, string> {
  try {
    const content = readFileSync(path);
    // Windows' editors write UTF-16. dotenv would find no setting in it, and the defaults would be used without a word.
    if (content.includes(0)) {
      problems.push(
        `the file ${quoted(path)} is not UTF-8 text, so no setting in it can be read; save it as UTF-8`,
      );
      return {};
    }
    for (const { name, line } of namesWithoutEquals(content.toString(), SETTING_NAMES))
      problems.push(
        `${name} (.env, line ${line}) has no = behind it, so the line has no effect; write ${name}=value`,
      );
    for (const { name, line } of cutOffSecrets(content.toString(), isSecret))
      problems.push(
        `${name} (.env, line ${line}): the value would end before a # that is not in quotes (value hidden); ` +
          "allowed: the whole value in quotes, such as 'one#two', with a space before a remark",
      );
    return parseDotenv(content);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code !== 'ENOENT')
      problems.push(
        `the file ${quoted(path)} is there but cannot be read (${code}); it has to be a file of settings that this user may read, or be missing`,
      );
    return {};
  }
}

/** Names only, no values: a password under a misspelt name is still a password. */
function judgedNames(sources: readonly Source[]): Record<'problems' | 'warnings' | 'foreign', string[]> {
  const problems: string[] = [];
  const warnings: string[] = [];
  const foreign = new Set<string>();
  for (const { origin, values } of sources) {
    for (const [name, value] of Object.entries(values)) {
      const judged = judgeName(name, value ?? '');
      if (judged.kind === 'fine') continue;
      const shown = printable(name);
      if (judged.kind === 'foreign') foreign.add(shown);
      else if (judged.kind === 'doubtful')
        warnings.push(
          `${shown} (${origin}) is not a setting and has no effect; did you mean ${judged.nearest.join(' or ')}?`,
        );
      else problems.push(`${shown} (${origin}) is not a setting${proposal(judged.nearest)}`);
    }
  }
  return { problems, warnings, foreign: [...foreign] };
}

function proposal([first, ...others]: readonly SettingName[]): string {
  if (first === undefined)
    return ', and no setting has a similar name; if it is for another program, take it out of the environment of the gateway';
  if (others.length === 0) return `; the nearest real name is ${first}`;
  return `; the nearest real names are ${[first, ...others].join(', ')}`;
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

/** Undefined unless a file is named for this setting. Its problems are added. */
function findSecretFile(
  name: SettingName,
  sources: readonly Source[],
  problems: string[],
): Given | 'refused' | undefined {
  const fileName = fileSettingOf(name);
  if (fileName === undefined) return undefined;
  const { text: path } = find(fileName, sources);
  // A path that is not allowed is a problem of NAME_FILE.
  if (path === '') return undefined;
  if (parseSetting(fileName, path) === undefined) return 'refused';
  if (find(name, sources).text !== '') {
    problems.push(`${name} and ${fileName} are both set; allowed: one of them`);
    return 'refused';
  }
  try {
    return { text: readSecret(name, { fileName, path }), origin: 'file' };
  } catch (error) {
    problems.push((error as Error).message);
    return 'refused';
  }
}

/** Undefined for an unknown profile, which is refused as a value of PROFILE. */
function profileSource(given: Given): Source | undefined {
  const name = parseSetting('PROFILE', given.text);
  if (!name) return undefined;
  const values = Object.entries(PROFILES[name].values).map(([key, [value]]) => [key, value] as const);
  return { origin: 'profile', values: Object.fromEntries(values) };
}

/** The defaults with TCP_COMPATIBILITY=go. The limits of the Go server count more than those of a profile. */
function compatibilitySource(sources: readonly Source[]): Source[] {
  if (find('TCP_COMPATIBILITY', sources).text.toLowerCase() !== 'go') return [];
  const { text: inactivity } = find('TCP_INACTIVITY_TIMEOUT', sources);
  const values = { TCP_MAX_LINE_BYTES: '1MiB', TCP_LINE_TIMEOUT: inactivity };
  return [{ origin: 'compatibility', values }];
}

function refused(name: SettingName, { text, origin }: Given): string {
  const { secret, secretFile, allowed } = aboutSetting(name);
  const isHidden = secret || secretFile || holdsSecret(text);
  const hint = isHidden ? undefined : hintOf(name, text);
  const value = isHidden ? ' (value hidden)' : `=${quoted(text)}`;
  return `${name}${value} (${origin}) is not allowed${hint === undefined ? '' : ` (${hint})`}; allowed: ${allowed}`;
}

/** Whoever pastes a key instead of its path must not find it in his terminal, log and ticket. */
function pasted(name: SettingName, { origin }: Given): string {
  return `${name} (value hidden) (${origin}) is the content of a PEM file; allowed: ${aboutSetting(name).allowed}`;
}
