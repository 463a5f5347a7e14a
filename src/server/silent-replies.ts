// The replies to a sender of plain lines: there are none. At the end of the connection it gets our FIN.
import type { ByteSource } from './byte-source.ts';
import type { Replies } from './device-replies.ts';

export class SilentReplies implements Replies {
  readonly heldBytes = 0;
  readonly isStuck = false;
  readonly areDue = false;
  readonly storedSeq = -1;
  readonly hasUnsettled = false;
  readonly #source: ByteSource;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  expectStored(): void {}

  alreadyStored(): void {}

  stored(): void {}

  send(): void {}

  close(): void {}

  end(): void {
    if (this.#source.writable) this.#source.end();
  }

  clear(): void {}
}
