// Compares the settings of a running gateway with those that a start would have now. It tells names, and no value.
import type { LoadedSettings } from './load.ts';
import { SETTING_NAMES, type SettingName } from './settings.ts';

/** Settings with another value. Contents of files are left out: they are watched (files/file-watch.ts). */
export function changedSettings(running: LoadedSettings, now: LoadedSettings): SettingName[] {
  return SETTING_NAMES.filter(
    (name) =>
      running.texts[name] !== now.texts[name] &&
      !(running.origins[name] === 'file' && now.origins[name] === 'file'),
  );
}
