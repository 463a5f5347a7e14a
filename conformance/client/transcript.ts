// Keeps the lines of both sides of a connection, shortened, for the report of a failed rule.
import type { Exchange } from '../outcome.ts';

const MAX_ENTRIES = 12;
const MAX_CHARACTERS = 240;

export class Transcript {
  readonly #sent: string[] = [];
  readonly #came: string[] = [];

  sent(bytes: Uint8Array): void {
    for (const line of linesOf(bytes)) add(this.#sent, line);
  }

  sentEnd(): void {
    add(this.#sent, '(FIN)');
  }

  came(bytes: Uint8Array): void {
    add(this.#came, shown(bytes));
  }

  cameEnd(how: string): void {
    add(this.#came, `(${how})`);
  }

  exchange(): Exchange {
    return { sent: [...this.#sent], came: [...this.#came] };
  }
}

function add(list: string[], text: string): void {
  list.push(text);
  if (list.length > MAX_ENTRIES) list.splice(0, list.length - MAX_ENTRIES);
}

/** Only the last lines are kept, so no more than these are made. */
function linesOf(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  let end = bytes.length;
  while (end > 0 && lines.length < MAX_ENTRIES) {
    const start = bytes.subarray(0, end - 1).lastIndexOf(0x0a) + 1;
    lines.unshift(shown(bytes.subarray(start, end)));
    end = start;
  }
  return lines;
}

/** Bytes as people read them: line feeds, control characters and bytes that are not UTF-8 are escaped. */
export function shown(bytes: Uint8Array): string {
  const isLong = bytes.length > MAX_CHARACTERS;
  const part = Buffer.from(bytes.buffer, bytes.byteOffset, isLong ? MAX_CHARACTERS : bytes.length);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: !isLong, ignoreBOM: true }).decode(part);
  } catch {
    text = part.toString('latin1').replace(/[\x80-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it has to find control characters
  text = text.replace(/[\u0000-\u001f\u007f-\u009f\ufeff]/g, escaped);
  return isLong ? `${text}... (${bytes.length} bytes)` : text;
}

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const escaped = (character: string) =>
  NAMED[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
