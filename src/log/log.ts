// Writes log lines, each by its name in the table of lines.ts: level and text come from there. It owns the level of the
// process, which may change at run time. Nothing else calls pino.
import type { Logger as Pino } from 'pino';
import type { LogLevel } from '../config/settings.ts';
import { LimitedLines } from './limited-lines.ts';
import { FIELD_IN_TEXT, type FieldKind, type Line } from './line.ts';
import { type EventName, type FieldsOf, LINES } from './lines.ts';
import { shownToPeople } from './shown-to-people.ts';

type Fields = Readonly<Record<string, unknown>>;

type Arguments<E extends EventName> =
  Record<never, never> extends FieldsOf<E> ? [fields?: FieldsOf<E>] : [fields: FieldsOf<E>];

export interface LogForm {
  /** For people a line has no field twice, and none that only programs read. */
  readonly forPeople?: boolean;
  /** All lines are of level debug, because another part of the gateway says the same. */
  readonly isQuiet?: boolean;
  /** The server process, a field of all lines. */
  readonly process?: number;
}

export class Log {
  readonly #pino: Pino;
  readonly #form: LogForm;

  constructor(pino: Pino, form: LogForm = {}) {
    this.#pino = pino;
    this.#form = form;
  }

  write<E extends EventName>(event: E, ...[fields]: Arguments<E>): void {
    this.#write(event, { ...fields });
  }

  /** For lines that may come often: those with `everyMs`. @param now monotonic milliseconds */
  limited(now?: () => number): LimitedLines {
    return new LimitedLines((event, fields) => this.#write(event, fields), now);
  }

  /** True if lines of level debug are written. Ask before you gather fields that cost something. */
  get isDebug(): boolean {
    return this.#pino.isLevelEnabled('debug');
  }

  get level(): LogLevel {
    return this.#pino.level as LogLevel;
  }

  /** From now on, also for the logs that were made from this one. */
  setLevel(level: LogLevel): void {
    this.#pino.level = level;
  }

  /** The log of a server process. */
  ofProcess(process: number): Log {
    return new Log(this.#pino, { ...this.#form, process });
  }

  /** The same log with all lines at level debug. */
  quiet(): Log {
    return new Log(this.#pino, { ...this.#form, isQuiet: true });
  }

  /** Calls back once all lines have left the process. It takes at most a second. */
  flush(done: () => void): void {
    this.#pino.flush(done);
  }

  #write(event: EventName, given: Fields): void {
    const line: Line = LINES[event];
    const { forPeople = false, isQuiet = false, process } = this.#form;
    const isRepeat = line.once === true && process !== undefined && process > 0;
    const level = isQuiet || isRepeat ? 'debug' : line.level;
    if (!this.#pino.isLevelEnabled(level)) return;
    // People look a warning up by its name. Other lines explain themselves.
    const name = forPeople && (level === 'info' || level === 'debug') ? {} : { event };
    const place = process === undefined || (line.once && !isRepeat) ? {} : { process };
    this.#pino[level]({ ...name, ...place, ...fieldsOf(line, given, forPeople) }, textOf(line, given));
  }
}

function textOf({ text, fields = {} }: Line, given: Fields): string {
  const kinds: Readonly<Record<string, FieldKind | undefined>> = fields;
  return text.replace(FIELD_IN_TEXT, (_, name: string) => shownToPeople(given[name], kinds[name]));
}

function fieldsOf({ text, fields = {} }: Line, given: Fields, forPeople: boolean): Fields {
  const isShown = (name: string, value: unknown): boolean => {
    if (fields[name] === 'words') return false;
    if (!forPeople || name === 'err') return true;
    return !(fields[name] === 'object' || text.includes(`{${name}}`) || (name === 'count' && value === 1));
  };
  return Object.fromEntries(
    Object.entries(given)
      .filter(([name, value]) => isShown(name, value))
      .map(([name, value]) => [name, typeof value === 'number' ? Math.round(value) : value]),
  );
}
