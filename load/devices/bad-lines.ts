// Lines that a gateway must refuse, each with the code of the refusal, and which of the sent ones still wait for it.
import type { Code } from '../../src/protocol/codes.ts';

interface BadLine {
  readonly code: Code;
  readonly bytes: Buffer;
}

/** No code of these closes the connection. */
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

/** Replies come in the order of the lines, so a code always belongs to the oldest line with that code. */
export class BadLineBook {
  #open: Code[] = [];

  /** Bad lines that wait for their reply. */
  get open(): number {
    return this.#open.length;
  }

  sent({ code }: BadLine): void {
    this.#open.push(code);
  }

  /** How many older bad lines got no reply before this one; undefined if no bad line waits for this code. */
  answered(code: string): number | undefined {
    const at = this.#open.indexOf(code as Code);
    if (at < 0) return undefined;
    this.#open.splice(0, at + 1);
    return at;
  }

  /** The connection is closed. Returns how many bad lines got no reply. */
  clear(): number {
    return this.#open.splice(0).length;
  }
}
