// Lines that a gateway must refuse, each with the code it must refuse them with, and the book of what is still
// to be answered.
import type { Code } from '../../src/protocol/codes.ts';

interface BadLine {
  readonly code: Code;
  readonly bytes: Buffer;
}

/** None of them closes the connection. */
export const BAD_LINES: readonly BadLine[] = [
  { code: 'invalid_json', bytes: Buffer.from('{"type":"metrics","data":{"temperature":21.5\n') },
  {
    code: 'invalid_utf8',
    bytes: Buffer.from('{"type":"metrics","data":{"note":"\xff\xfe"}}\n', 'latin1'),
  },
  { code: 'invalid_message', bytes: Buffer.from('{"type":"metrics","data":{}}\n') },
  {
    code: 'already_identified',
    bytes: Buffer.from('{"type":"identify","zipcode":"90210","city":"Again"}\n'),
  },
];

/** Answers come in the order of the lines, so the oldest line with that code is the one that is meant. */
export class BadLineBook {
  #open: Code[] = [];

  /** Bad lines that wait for their answer. */
  get open(): number {
    return this.#open.length;
  }

  sent({ code }: BadLine): void {
    this.#open.push(code);
  }

  /** How many older ones this answer passed over, or undefined where no bad line waits for it. */
  answered(code: string): number | undefined {
    const at = this.#open.indexOf(code as Code);
    if (at < 0) return undefined;
    this.#open.splice(0, at + 1);
    return at;
  }

  /** The connection is gone. Answers how many never got their answer. */
  clear(): number {
    return this.#open.splice(0).length;
  }
}
