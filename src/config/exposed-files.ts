// Warns of files with secrets that every user of the machine can read or change. It changes no mode.
import { statSync } from 'node:fs';
import { quoted } from './printable.ts';
import { aboutSetting, type SettingName } from './settings.ts';

const EVERYBODY = 0o006;

/** A file that holds a secret. `name` is the setting, or the kind of file. */
export interface SecretFile {
  readonly name: string;
  readonly path: string;
}

/** Those of the files that hold a secret. */
export function secretFilesAmong(
  files: readonly { readonly name: SettingName; readonly path: string }[],
): SecretFile[] {
  return files.filter(({ name }) => aboutSetting(name).secretFile);
}

export function exposedFileWarnings(files: readonly SecretFile[]): string[] {
  return files.flatMap(({ name, path }) => {
    const mode = modeOf(path);
    if ((mode & EVERYBODY) === 0) return [];
    const octal = (mode & 0o777).toString(8).padStart(4, '0');
    return [
      `${name}: every user of this machine can read or change ${quoted(path)}, which holds secrets (mode ${octal}); ` +
        'use chmod 600, or defaultMode: 0400 for a Kubernetes secret',
    ];
  });
}

/** 0 for a file that cannot be looked at: others report it. */
function modeOf(path: string): number {
  try {
    return statSync(path).mode;
  } catch {
    return 0;
  }
}
