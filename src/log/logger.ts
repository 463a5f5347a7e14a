// Creates the logger: pino on standard output, as JSON for machines or as text for people. Values may hold anything that
// a device sent. They can forge neither a line nor a colour in either format.
import { createRequire } from 'node:module';
import { type Logger, pino } from 'pino';
import { printable } from '../config/printable.ts';
import { aboutSetting, SETTING_NAMES, type Settings } from '../config/settings.ts';
import { hideSecrets } from './hide-secrets.ts';
import { Log } from './log.ts';
import { LogOutput, type OutputStream } from './log-output.ts';

/** The values of secrets among the settings do not get into the log. */
export type LogSettings = Pick<Settings, 'LOG_LEVEL' | 'LOG_FORMAT'> & Partial<Settings>;

/** Wait for `log.flush(callback)` before the process ends. It takes at most a second. */
export function createLogger(settings: LogSettings, stream: OutputStream = process.stdout): Log {
  const onLost = (lost: number) => log.write('log_lines_lost', { lost });
  const log = new Log(createPino(settings, { stream, onLost }), { forPeople: isPretty(settings, stream) });
  return log;
}

/** pino as Log uses it. */
export function createPino(
  settings: LogSettings,
  { stream, onLost = () => {} }: { stream: OutputStream; onLost?: (count: number) => void },
): Logger {
  const hide = hideSecrets(secretsIn(settings));
  const format = isPretty(settings, stream) ? prettyFormat(stream.isTTY === true) : safeJson;
  const output = new LogOutput({ stream, format: (line) => format(hide(line)), onLost });
  return pino(
    {
      level: settings.LOG_LEVEL,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    output,
  );
}

function isPretty({ LOG_FORMAT }: LogSettings, stream: OutputStream): boolean {
  return LOG_FORMAT === 'pretty' || (LOG_FORMAT === 'auto' && stream.isTTY === true);
}

function secretsIn(settings: Partial<Settings>): string[] {
  return SETTING_NAMES.flatMap((name) => {
    const value = settings[name];
    return aboutSetting(name).secret && typeof value === 'string' ? [value] : [];
  });
}

/** JSON itself escapes CR, LF and ESC, but not C1 and bidirectional characters. */
function safeJson(line: string): string {
  return `${printable(line.trimEnd())}\n`;
}

/**
 * Synchronous, because a worker thread would lose the last lines of a process that fails. Its package is loaded here,
 * because most gateways log JSON.
 */
function prettyFormat(isTerminal: boolean): (line: string) => string {
  const { isColorSupported, prettyFactory } = createRequire(import.meta.url)(
    'pino-pretty',
  ) as typeof import('pino-pretty');
  const prettify = prettyFactory({
    colorize: isTerminal && isColorSupported,
    singleLine: true,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
  });
  return (line) => prettify(doublyEscaped(line.trimEnd()));
}

// Matches one JSON escape at a time, so that the second half of `\\` is not taken for the start of an escape. The group
// matches escapes that stay as they are.
const ESCAPE = /\\(?:(["\\/]|n(?= {4}at |caused by: ))|[a-z])/g;

/**
 * pino-pretty decodes JSON escapes, line feeds included. So every escape except those of quotes and backslashes is
 * escaped again and shows as `\n`. The line feeds of a stack trace stay: the text behind them is indented or begins with
 * "caused by", so it never looks like a log line.
 */
function doublyEscaped(line: string): string {
  return printable(line).replace(ESCAPE, (whole, kept) => (kept === undefined ? `\\${whole}` : whole));
}
