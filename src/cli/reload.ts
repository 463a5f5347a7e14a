// SIGHUP for a gateway that goes on: it has the files of certificates, tokens and passwords read again, takes LOG_LEVEL from
// .env, and names the settings that need a restart. It changes no other setting.

import { changedSettings } from '../config/changes.ts';
import type { Loaded, LoadedSettings } from '../config/load.ts';
import type { App } from '../gateway/lifecycle.ts';
import { changeLogLevel } from '../log/level.ts';
import type { Log } from '../log/log.ts';

export interface ReloadOptions {
  /** The settings of the start. */
  readonly started: LoadedSettings;
  /** Reads the environment and .env again. */
  readonly load: () => Loaded;
  readonly log: Log;
}

/** @returns to be called on each SIGHUP */
export function reloader({ started, load, log }: ReloadOptions): (app: App) => void {
  let level = started.settings.LOG_LEVEL;
  return (app) => {
    log.write('files_reload_began', { signal: 'SIGHUP' });
    app.reloadFiles();
    const now = load();
    if (!now.ok) {
      log.write('settings_invalid', { problems: now.problems });
      return;
    }
    const settings = changedSettings(started, now).filter((name) => name !== 'LOG_LEVEL');
    if (settings.length > 0) log.write('settings_need_restart', { settings });
    const { LOG_LEVEL } = now.settings;
    if (LOG_LEVEL === level) return;
    level = LOG_LEVEL;
    const before = app.logLevel();
    changeLogLevel(app, level, () =>
      log.write('log_level_changed', { by: 'SIGHUP', before, logLevel: LOG_LEVEL }),
    );
  };
}
