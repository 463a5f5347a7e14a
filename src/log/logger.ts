// The one logger: pino, as JSON for machines or readable for people, onto standard output. What a device sent
// may stand in any value: it can forge neither a line nor a colour in either format.
import { type Logger, pino } from 'pino';
import { isColorSupported, prettyFactory } from 'pino-pretty';
import { printable } from '../config/printable.ts';
import type { Settings } from '../config/settings.ts';
import { LogOutput, type OutputStream } from './log-output.ts';

export type { Logger } from 'pino';

export type LogSettings = Pick<Settings, 'LOG_LEVEL' | 'LOG_FORMAT'>;

/** Before the process ends, wait for `log.flush(callback)`; it takes a second at most. */
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

/** JSON escapes CR, LF and ESC by itself; C1 and bidirectional characters it leaves raw. */
function safeJson(line: string): string {
  return `${printable(line.trimEnd())}\n`;
}

/** In process and synchronous: a worker thread would lose the last lines of a process that fails. */
function prettyFormat(colorize: boolean): (line: string) => string {
  const prettify = prettyFactory({
    colorize,
    singleLine: true,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
  });
  return (line) => prettify(doublyEscaped(line.trimEnd()));
}

// One JSON escape at a time, so that the second half of `\\` is never taken for the start of another. The group
// holds those that stay as they are.
const ESCAPE = /\\(?:(["\\/]|n(?= {4}at |caused by: ))|[a-z])/g;

/**
 * pino-pretty prints what JSON escapes stand for, line feeds included. So every escape but those of quotes and
 * backslashes is escaped once more and shows as `\n`. The line feeds of a stack trace stay: what follows them is
 * indented or begins with "caused by", and so never looks like a line of the log.
 */
function doublyEscaped(line: string): string {
  return printable(line).replace(ESCAPE, (whole, kept) => (kept === undefined ? `\\${whole}` : whole));
}
