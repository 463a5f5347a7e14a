// A log for tests: silent, or with its lines in an array.
import { type DestinationStream, type LoggerOptions, pino } from 'pino';
import { Log } from '../../src/log/log.ts';
import type { OutputStream } from '../../src/log/log-output.ts';

export interface LogLine {
  /** pino's number: 20 debug, 30 info, 40 warn, 50 error. */
  readonly level: number;
  /** The name in the table. */
  readonly event: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** @param options of pino; `{ level: 'silent' }` for a log that nobody reads */
export function testLog(options: LoggerOptions, stream?: DestinationStream): Log {
  return new Log(stream === undefined ? pino(options) : pino(options, stream));
}

/** `lines` grows with each line from level debug on. */
export function recordedLog(): { log: Log; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line) as LogLine);
  return { log: testLog({ level: 'debug' }, { write }), lines };
}

/** An output of a log, and all that was written to it. */
export function textStream(): { readonly stream: OutputStream; text(): string } {
  let text = '';
  const stream: OutputStream = {
    writableLength: 0,
    on: () => {},
    write: (line, done) => {
      text += line;
      done();
      return true;
    },
  };
  return { stream, text: () => text };
}
