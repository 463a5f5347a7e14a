// Writes a line as the Go weather server understood it, for TCP_COMPATIBILITY=go: bytes that are not UTF-8 become U+FFFD,
// the names that it knew are written as it knew them, and of equal names the last counts. It judges nothing: the complete
// decoder does, with the line that is the result. Its memory is bounded by the longest line.
import { CanonicalText } from './canonical-text.ts';
import { GO_MESSAGE_NAMES, GO_READING_NAMES, type GoNames } from './go-names.ts';
import { GoText } from './go-text.ts';
import {
  CLOSE,
  CLOSE_ARRAY,
  COLON,
  COMMA,
  OPEN,
  OPEN_ARRAY,
  QUOTE,
  skipSpace,
  skipValue,
} from './json-scan.ts';
import { MemberWalk, valueEnd } from './members.ts';
import { beginsObject } from './message-fields.ts';
import { hashOf, NameSet } from './name-set.ts';
import { READING_LIMITS } from './readings.ts';

const DATA = Buffer.from('data');
/** Of a member: start and end of its name in #names, start and end of its value in the line, 1 if it counts. */
const NUMBERS = 5;
const COUNTS = 4;

export class GoLines {
  readonly #line = new GoText();
  readonly #result = new CanonicalText();
  /** The names of the members, as the result has them. */
  readonly #names = new CanonicalText();
  readonly #seen = new NameSet();
  readonly #walk = new MemberWalk();
  #members = new Int32Array(64 * NUMBERS);
  #hasChanged = false;

  /**
   * bytes[start, end) as the Go server understood it. Undefined if that is the line itself, and if it is no JSON object.
   * The same memory each time.
   */
  translate(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
    if (!beginsObject(bytes, start, end)) return undefined;
    const line = this.#line;
    line.read(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start));
    const from = skipSpace(line.bytes, 0);
    const after = skipValue(line.bytes, from);
    if (after < 0 || skipSpace(line.bytes, after) !== line.length) return undefined;
    this.#hasChanged = line.hasChanged;
    this.#names.begin(line.length);
    this.#result.begin(line.length);
    this.#object(from, GO_MESSAGE_NAMES);
    return this.#hasChanged ? this.#result.bytes.subarray(0, this.#result.length) : undefined;
  }

  /** Writes the object at the position. `from` counts in numbers of #members, which are used as a stack. */
  #object(at: number, known: GoNames, from = 0): void {
    const b = this.#line.bytes;
    const result = this.#result;
    const names = this.#names;
    const namesLength = names.length;
    const end = this.#find(at, known, from);
    result.push(OPEN);
    let isFirst = true;
    for (let m = from; m < end; m += NUMBERS) {
      const [name = 0, nameEnd = 0, start = 0, valueEnd = 0, counts = 0] = this.#members.subarray(
        m,
        m + NUMBERS,
      );
      if (counts === 0) continue;
      if (!isFirst) result.push(COMMA);
      isFirst = false;
      // With its quotes.
      result.copy(names.bytes, name - 1, nameEnd + 1);
      result.push(COLON);
      const isData = known === GO_MESSAGE_NAMES && isSame(DATA, names.bytes, name, nameEnd);
      if (isData) this.#data(start, valueEnd, end);
      else result.copy(b, start, valueEnd);
    }
    result.push(CLOSE);
    names.length = namesLength;
  }

  /** Writes `data`: an object, or an array in which each object is a reading. */
  #data(start: number, end: number, free: number): void {
    const b = this.#line.bytes;
    const result = this.#result;
    if (b[start] === OPEN) this.#object(start, GO_READING_NAMES, free);
    else if (b[start] !== OPEN_ARRAY) result.copy(b, start, end);
    else {
      let at = start;
      let readings = 0;
      // More readings than a message may have stay as they are: the line is refused for their number.
      for (
        let p = skipSpace(b, start + 1);
        b[at] !== CLOSE_ARRAY && b[p] !== CLOSE_ARRAY && readings <= READING_LIMITS.readings;
        p = skipSpace(b, at + 1)
      ) {
        readings++;
        const to = valueEnd(b, p);
        if (b[p] === OPEN) {
          result.copy(b, at, p);
          this.#object(p, GO_READING_NAMES, free);
        } else result.copy(b, at, to);
        at = skipSpace(b, to);
      }
      result.copy(b, at, end);
    }
  }

  /** Notes the members of the object at the position, and which of them count. Returns the end of its numbers. */
  #find(at: number, known: GoNames, from: number): number {
    const names = this.#names;
    const walk = this.#walk;
    let end = from;
    walk.begin(this.#line.bytes, at);
    for (; walk.next(); end += NUMBERS) {
      const name = names.length + 1;
      names.string(this.#line.bytes, walk.nameStart - 1);
      const found = known.find(names.bytes, name, names.length - 1);
      if (found !== undefined && !isSame(found, names.bytes, name, names.length - 1)) {
        this.#hasChanged = true;
        names.length = name;
        names.copy(found, 0, found.length);
        names.push(QUOTE);
      }
      if (end + NUMBERS > this.#members.length) this.#grow();
      const members = this.#members;
      members[end] = name;
      members[end + 1] = names.length - 1;
      members[end + 2] = walk.start;
      members[end + 3] = walk.end;
      members[end + COUNTS] = 1;
    }
    this.#dropEarlier(from, end);
    return end;
  }

  /** Of members with one name the last counts. */
  #dropEarlier(from: number, end: number): void {
    const members = this.#members;
    const { bytes } = this.#names;
    this.#seen.clear();
    for (let m = end - NUMBERS; m >= from; m -= NUMBERS) {
      const [name, nameEnd] = [members[m] as number, members[m + 1] as number];
      if (this.#seen.add(hashOf(bytes, name, nameEnd), bytes, name, nameEnd)) continue;
      members[m + COUNTS] = 0;
      this.#hasChanged = true;
    }
  }

  #grow(): void {
    const larger = new Int32Array(2 * this.#members.length);
    larger.set(this.#members);
    this.#members = larger;
  }
}

function isSame(name: Uint8Array, b: Uint8Array, from: number, to: number): boolean {
  if (name.length !== to - from) return false;
  for (let i = 0; i < name.length; i++) if (name[i] !== b[from + i]) return false;
  return true;
}
