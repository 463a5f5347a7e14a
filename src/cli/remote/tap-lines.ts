// Lines of a tap on their way to the terminal. An accepted line waits shortly for its fate, so that most lines are shown once, and
// with it. Their number is bounded.
import { printable } from '../../config/printable.ts';
import { numberIn, objectIn, textIn } from './fields.ts';

/** Kafka usually answers within it. */
const WAIT_MS = 1000;
const MAX_WAITING = 1000;

type Fields = Readonly<Record<string, unknown>>;

export class TapLines {
  readonly #show: (line: string) => void;
  /** By id, oldest first. */
  readonly #waiting = new Map<string, { readonly line: Fields; readonly timer: NodeJS.Timeout }>();

  constructor(show: (line: string) => void) {
    this.#show = show;
  }

  add(line: Fields): void {
    if (line.fate !== 'accepted') {
      this.#show(lineText(line, fateText(line)));
      return;
    }
    const id = textIn(line.id);
    const timer = setTimeout(() => this.#release(id), WAIT_MS);
    this.#waiting.set(id, { line, timer });
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size > MAX_WAITING && oldest !== undefined) this.#release(oldest);
  }

  settle(fate: Fields): void {
    const id = textIn(fate.id);
    const waiting = this.#waiting.get(id);
    this.#forget(id);
    const text = fateText(fate);
    this.#show(waiting === undefined ? printable(`${id}  ${text}`) : lineText(waiting.line, text));
  }

  /** Shows all that wait. */
  flush(): void {
    for (const id of [...this.#waiting.keys()]) this.#release(id);
  }

  /** The fate of a line that was shown without it comes as a line of its own, so this one has the id. */
  #release(id: string): void {
    const waiting = this.#waiting.get(id);
    this.#forget(id);
    if (waiting !== undefined) this.#show(lineText(waiting.line, `accepted, ${id}`));
  }

  #forget(id: string): void {
    clearTimeout(this.#waiting.get(id)?.timer);
    this.#waiting.delete(id);
  }
}

function lineText(line: Fields, fate: string): string {
  const { at, device_id: device, address, bytes, line: text } = objectIn(line);
  const shown = textIn(text);
  const isCut = numberIn(bytes) > Buffer.byteLength(shown);
  const parts = [textIn(at).slice(11, 23), textIn(device) || '-', textIn(address), fate, shown];
  return printable(`${parts.join('  ')}${isCut ? '...' : ''}`);
}

function fateText({ fate, code, message, reason, after_ms: afterMs }: Fields): string {
  const why = [code, reason, message].map(textIn).filter((one) => one !== '');
  const after = typeof afterMs === 'number' ? ` ${afterMs} ms` : '';
  return `${textIn(fate)}${after}${why.length > 0 ? ` (${why.join(': ')})` : ''}`;
}
