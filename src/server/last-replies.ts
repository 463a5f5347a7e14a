// Closes connections that were never served: each hears why, in one reply. A limited number stay open for that, for a
// second; further ones are closed at once.
import { NOBODY } from './byte-source.ts';
import type { PlainSource } from './plain-source.ts';

const MAX_OPEN = 128;
const LINGER_MS = 1000;

export class LastReplies {
  readonly #exhausted: () => boolean;
  readonly #open = new Set<PlainSource>();

  /** @param exhausted true while no descriptor is left for devices */
  constructor(exhausted: () => boolean = () => false) {
    this.#exhausted = exhausted;
  }

  /** Whoever had the source hears nothing more of it. Its unread input is thrown away. */
  end(source: PlainSource, reply: string): void {
    if (this.#open.size >= MAX_OPEN || this.#exhausted()) {
      source.take(NOBODY);
      source.destroy();
      return;
    }
    this.#open.add(source);
    const timer = setTimeout(() => source.destroy(), LINGER_MS);
    timer.unref();
    const onClose = () => {
      clearTimeout(timer);
      this.#open.delete(source);
    };
    source.take({ ...NOBODY, onClose });
    // A close with unread input sends a reset, which may overtake the reply.
    source.resume();
    source.end(reply);
  }

  close(): void {
    for (const source of this.#open) source.destroy();
  }
}
