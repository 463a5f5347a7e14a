// Changes the log level at run time, so that the log itself says so. It keeps no level: that of the logger counts.
import { LOG_LEVELS, type LogLevel } from '../config/settings.ts';

export interface LogLevelOwner {
  logLevel(): LogLevel;
  /** For all processes, also those that are started later. */
  setLogLevel(level: LogLevel): void;
}

/** @param write writes the line about the change. It comes under the level that shows more of the log */
export function changeLogLevel(owner: LogLevelOwner, level: LogLevel, write: () => void): void {
  const isLouder = LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(owner.logLevel());
  if (!isLouder) write();
  owner.setLogLevel(level);
  if (isLouder) write();
}
