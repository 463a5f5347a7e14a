// Creates the logger: pino on standard output, as JSON for machines or as text for people. Values may hold anything that
// a device sent. They can forge neither a line nor a colour in either format.
import { type Logger, pino } from 'pino';
import { isColorSupported, prettyFactory } from 'pino-pretty';
import { printable } from '../config/printable.ts';
import type { Settings } from '../config/settings.ts';
import { LogOutput, type OutputStream } from './log-output.ts';

export type { Logger } from 'pino';

export type LogSettings = Pick<Settings, 'LOG_LEVEL' | 'LOG_FORMAT'>;

/** Wait for `log.flush(callback)` before the process ends. It takes at most a second. */
export function createLogger(settings: LogSettings, stream: OutputStream = process.stdout): Logger {
  const terminal = stream.isTTY === true;
  const pretty = settings.LOG_FORMAT === 'pretty' || (settings.LOG_FORMAT === 'auto' && terminal);
  const output = new LogOutput({
    stream,
    format: pretty ? prettyFormat(terminal && isColorSupported) : safeJson,
    onLost: (lost) => log.warn({ lost }, 'log lines were lost because standard output was not read'),
  });
  const log: Logger = pino(
    {
      level: settings.LOG_LEVEL,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    output,
  );
  return log;
}

/** JSON itself escapes CR, LF and ESC, but not C1 and bidirectional characters. */
function safeJson(line: string): string {
  return `${printable(line.trimEnd())}\n`;
}

/** Synchronous, because a worker thread would lose the last lines of a process that fails. */
function prettyFormat(colorize: boolean): (line: string) => string {
  const prettify = prettyFactory({
    colorize,
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
