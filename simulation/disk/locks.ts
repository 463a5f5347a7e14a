// The locks of flock(2). A lock belongs to an open file description, and ends when that is closed.
import type { OpenFile } from './open-file.ts';

export type LockKind = 'shared' | 'exclusive';

export class Locks {
  readonly #locks = new Map<OpenFile, LockKind>();

  /** Takes the lock, or turns it into one of this kind. False if another description has a lock that forbids it. */
  take(file: OpenFile, kind: LockKind): boolean {
    const isFree = [...this.#locks].every(
      ([other, held]) =>
        other === file || other.node !== file.node || (kind === 'shared' && held === 'shared'),
    );
    if (isFree) this.#locks.set(file, kind);
    return isFree;
  }

  release(file: OpenFile): void {
    this.#locks.delete(file);
  }

  clear(): void {
    this.#locks.clear();
  }
}
