// The screen of a terminal that is drawn again and again. It writes only the rows that changed, and gives the terminal back as it
// was however the process ends, except by kill -9.
import { writeSync } from 'node:fs';

export interface Line {
  /** Harmless, and not wider than the screen. */
  readonly text: string;
  readonly style?: 'title' | 'head' | 'alarm' | 'faint';
}

const STYLES = { title: '\x1b[1m', head: '\x1b[7m', alarm: '\x1b[1;31m', faint: '\x1b[2m' } as const;
const PLAIN = '\x1b[0m';
/** The alternate screen, without cursor, and without wrapping: a wrong guess of a width cannot move the rows below. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J';
const LEAVE = `${PLAIN}\x1b[?7h\x1b[?25h\x1b[?1049l`;
/** Terminals that know it show the rows at once. Others pass over it. */
const BEGIN = '\x1b[?2026h';
const END = '\x1b[?2026l';
/** Past it the terminal does not read, as after Ctrl-S: the frame is left out. */
const MAX_UNWRITTEN = 64 * 1024;

export class Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #restore = (): void => this.#leave();
  #rows: string[] = [];
  #isOpen = false;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  get width(): number {
    return this.#out.columns;
  }

  get height(): number {
    return this.#out.rows;
  }

  open(): void {
    this.#isOpen = true;
    process.once('exit', this.#restore);
    this.#out.write(ENTER);
  }

  /** The next frame is drawn whole: the terminal has another size, or something else has written on it. */
  clear(): void {
    this.#rows = [];
    if (this.#isOpen) this.#out.write('\x1b[2J');
  }

  draw(lines: readonly Line[]): void {
    if (!this.#isOpen || this.#out.writableLength > MAX_UNWRITTEN) return;
    const rows = Array.from({ length: this.height }, (_, at) => rowText(lines[at]));
    // Erased first: erasing behind a row that fills the screen would take its last character.
    const changed = rows.map((row, at) => (row === this.#rows[at] ? '' : `\x1b[${at + 1};1H\x1b[2K${row}`));
    this.#rows = rows;
    const text = changed.join('');
    if (text !== '') this.#out.write(`${BEGIN}${text}${END}`);
  }

  close(): void {
    process.off('exit', this.#restore);
    this.#leave();
  }

  #leave(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      // At the exit of the process nothing else is written any more.
      writeSync(1, LEAVE);
    } catch {
      // The terminal is gone.
    }
  }
}

function rowText(line: Line | undefined): string {
  if (line === undefined) return '';
  return line.style === undefined ? line.text : `${STYLES[line.style]}${line.text}${PLAIN}`;
}
