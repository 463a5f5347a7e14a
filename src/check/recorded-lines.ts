// Turns lines of the log into findings: whatever the gateway says in its log at a start, `sluice check` says in the same
// words, with the meaning and the remedy of the table of lines.
import type { Settings } from '../config/settings.ts';
import type { Line } from '../log/line.ts';
import { type EventName, LINES } from '../log/lines.ts';
import type { Log } from '../log/log.ts';
import type { OutputStream } from '../log/log-output.ts';
import { createLogger } from '../log/logger.ts';
import type { Effect, Finding, Level } from './finding.ts';

const LEVELS: Readonly<Record<Line['level'], Level>> = {
  debug: 'ok',
  info: 'ok',
  warn: 'warning',
  error: 'error',
  fatal: 'error',
};

/** Of each line of level error that a check writes. */
const EFFECTS_OF_LINES: Readonly<Partial<Record<EventName, Effect>>> = {
  certificate_expired: 'connections_refused',
};

/** The findings of the lines that `work` writes. Secrets of the settings are hidden in them. */
export function linesOf(settings: Settings, work: (log: Log) => void): Finding[] {
  const findings: Finding[] = [];
  const stream: OutputStream = {
    writableLength: 0,
    on: () => undefined,
    write: (text) => {
      const { event, msg } = JSON.parse(text) as { event: EventName; msg: string };
      findings.push(findingOf(event, msg));
      return true;
    },
  };
  work(createLogger({ ...settings, LOG_LEVEL: 'info', LOG_FORMAT: 'json' }, stream));
  return findings;
}

function findingOf(name: EventName, what: string): Finding {
  const { level: lineLevel, meaning: why, remedy }: Line = LINES[name];
  const level = LEVELS[lineLevel];
  return level === 'ok'
    ? { level, name, what }
    : {
        level,
        name,
        what,
        why: plain(why),
        remedy: remedy && plain(remedy),
        ...(level === 'error' && { effect: EFFECTS_OF_LINES[name] ?? 'unknown' }),
      };
}

/** The table is written for docs/operations.md, with links to other pages of docs. */
function plain(text: string): string {
  return text.replace(/\[[^\]]*\]\(([^)]+)\)/g, 'docs/$1');
}

/** Of connections, which write lines of level debug only. */
export function silentLog(settings: Settings): Log {
  const stream: OutputStream = { writableLength: 0, on: () => undefined, write: () => true };
  return createLogger({ ...settings, LOG_LEVEL: 'silent' }, stream);
}
