// Secrets in files: if NAME is a secret, NAME_FILE names a file that holds it. Error texts never hold the content, and
// they hold the path only if a file is there: people paste the secret itself where its path belongs.
import { contentSync, FileError } from './file-content.ts';
import { quoted } from './printable.ts';
import { aboutSetting, parseSetting, SETTING_NAMES, type SettingName } from './settings.ts';

/** The settings that can be read from a file. */
export type SecretName = {
  [Name in SettingName]: `${Name}_FILE` extends SettingName ? Name : never;
}[SettingName];

export const MAX_SECRET_BYTES = 64 * 1024;

/** The setting with the path, if this setting is a secret. */
export function fileSettingOf(name: SettingName): SettingName | undefined {
  return SETTING_NAMES.find((other) => other === `${name}_FILE` && aboutSetting(other).secretFile);
}

/**
 * @param fileName the setting that has the path
 * @throws FileError that names the setting
 */
export function readSecret(
  name: SettingName,
  { fileName, path }: { fileName: SettingName; path: string },
): string {
  let content: Buffer;
  try {
    content = contentSync(path, MAX_SECRET_BYTES);
  } catch (error) {
    const { reason } = error as FileError;
    throw new FileError(`${fileName} (value hidden): ${reason}; allowed: ${aboutSetting(fileName).allowed}`);
  }
  try {
    return secretIn(content, name);
  } catch (error) {
    throw new FileError(`${fileName}=${quoted(path)}: ${(error as FileError).message}`);
  }
}

/** The content without its last line feed, which editors and `echo` add. @throws FileError if it is not allowed as NAME */
export function secretIn(content: Buffer, name: SettingName): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content).replace(/\r?\n$/, '');
  } catch {
    throw new FileError('the file is not UTF-8 text');
  }
  // Otherwise an empty file would mean "not set", and turn a protection off.
  if (text === '') throw new FileError('the file is empty');
  if (parseSetting(name, text) === undefined)
    throw new FileError(`the content is not allowed for ${name}; allowed: ${aboutSetting(name).allowed}`);
  return text;
}
