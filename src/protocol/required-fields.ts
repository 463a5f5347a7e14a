// The fields that every reading must have (TCP_REQUIRE). It judges the JSON text of a reading and knows no line. Only the
// canonical text is judged for good: a name that was written with escapes is not found in the bytes as sent.
import { isDigit, MINUS, QUOTE } from './json-scan.ts';
import { MemberWalk } from './members.ts';
import { isRfc3339 } from './rfc3339.ts';

export interface RequiredField {
  readonly name: string;
  readonly type: 'number' | 'string' | 'time';
}

interface Wanted extends RequiredField {
  /** The name as canonical JSON text has it, without its quotes. */
  readonly bytes: Uint8Array;
  readonly bit: number;
}

const WORDS: Readonly<Record<RequiredField['type'], string>> = {
  number: 'a number',
  string: 'a string',
  time: 'a time such as 2026-11-21T08:00:00Z (RFC 3339)',
};

export class RequiredFields {
  readonly #wanted: readonly Wanted[];
  readonly #all: number;
  readonly #walk = new MemberWalk();

  /** @param fields at most 32, a bit for each */
  constructor(fields: readonly RequiredField[]) {
    this.#wanted = fields.map((field, index) => ({
      ...field,
      bytes: Buffer.from(JSON.stringify(field.name).slice(1, -1)),
      bit: 1 << index,
    }));
    this.#all = this.#wanted.reduce((all, { bit }) => all | bit, 0);
  }

  /** True if the reading at bytes[start], a valid JSON object, has every field with its type. */
  hold(bytes: Uint8Array, start: number): boolean {
    return this.#found(bytes, start) === this.#all;
  }

  /** Words on the first field that is missing or of another type. Undefined if there is none. @param reading canonical */
  problemIn(reading: string): string | undefined {
    const found = this.#found(Buffer.from(reading), 0);
    const missed = this.#wanted.find(({ bit }) => (found & bit) === 0);
    return (
      missed && `field '${missed.name}' of 'data': every reading has to have it, as ${WORDS[missed.type]}`
    );
  }

  /** A bit for each field that is there with its type. */
  #found(bytes: Uint8Array, start: number): number {
    const walk = this.#walk;
    let found = 0;
    walk.begin(bytes, start);
    while (found !== this.#all && walk.next())
      for (const wanted of this.#wanted)
        if (isName(wanted.bytes, bytes, walk.nameStart, walk.nameEnd)) {
          if (isOfType(wanted.type, bytes, walk.start, walk.end)) found |= wanted.bit;
          break;
        }
    return found;
  }
}

function isName(name: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (name.length !== to - from) return false;
  for (let i = 0; i < name.length; i++) if (name[i] !== bytes[from + i]) return false;
  return true;
}

function isOfType(type: RequiredField['type'], bytes: Uint8Array, start: number, end: number): boolean {
  const first = bytes[start] as number;
  if (type === 'number') return isDigit(first) || first === MINUS;
  return first === QUOTE && (type === 'string' || isRfc3339(bytes, start + 1, end - 1));
}
