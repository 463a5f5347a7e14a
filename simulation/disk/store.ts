// What the calls of the file system share: the model of the disk, the facts about each file that the model does not have,
// the room that is left, and the trace.
import type { Change } from './disk-model.ts';
import { DiskModel, ROOT } from './disk-model.ts';
import { Faults } from './faults.ts';
import type { DiskHost } from './host.ts';

/** Facts about a file or directory. Unlike names and contents they are durable at once. */
export interface Meta {
  mode: number;
  uid: number;
  gid: number;
  mtimeMs: number;
  ctimeMs: number;
  readonly birthtimeMs: number;
  /** Names that lead to it. */
  names: number;
  /** Open descriptions of it. */
  opened: number;
}

export const BLOCK_BYTES = 4096;
/** A disk that nobody has made smaller. */
const ROOM_BYTES = 2 ** 40;
/** Nodes that were deleted are looked for after this many deletions. */
const PRUNE_EVERY = 64;

export class Store {
  readonly model = new DiskModel();
  readonly faults = new Faults();
  /** Size of the disk. Files count in blocks. */
  limitBytes = ROOM_BYTES;
  /** Every change is refused with EROFS. */
  isReadOnly = false;
  readonly #host: DiskHost;
  readonly #metas = new Map<number, Meta>();
  #usedBytes = 0;
  #deletions = 0;

  constructor(host: DiskHost) {
    this.#host = host;
    this.#metas.set(ROOT, { ...this.#newMeta(0o755), names: 1 });
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get freeBytes(): number {
    return Math.max(0, this.limitBytes - this.#usedBytes);
  }

  get roomBytes(): number {
    return ROOM_BYTES;
  }

  get nowMs(): number {
    return this.#host.wallMs;
  }

  /** Makes a change. @param words for the trace; left out, it is not worth a line */
  apply(change: Change, words?: string): void {
    this.model.apply(change);
    if (words !== undefined) this.#host.note(`disk: ${words}`);
  }

  note(words: string): void {
    this.#host.note(`disk: ${words}`);
  }

  meta(node: number): Meta {
    const meta = this.#metas.get(node);
    if (meta === undefined) throw new Error(`nothing is known of node ${node}`);
    return meta;
  }

  /** Adds the facts about a node that is about to be made. @returns its number */
  add(mode: number): number {
    const node = this.model.nextNode;
    this.#metas.set(node, this.#newMeta(mode));
    return node;
  }

  touch(node: number): void {
    const meta = this.meta(node);
    meta.mtimeMs = this.nowMs;
    meta.ctimeMs = meta.mtimeMs;
  }

  /** A name more, or one less, leads to the node. */
  named(node: number, change: 1 | -1): void {
    const meta = this.meta(node);
    meta.names += change;
    meta.ctimeMs = this.nowMs;
    if (change === 1 && this.model.isDirectory(node)) this.#usedBytes += BLOCK_BYTES;
    if (change === -1) this.#freeIfUnused(node);
  }

  opened(node: number, change: 1 | -1): void {
    const meta = this.meta(node);
    meta.opened += change;
    if (change === -1) this.#freeIfUnused(node);
  }

  /** A file has grown or shrunk. */
  resized(from: number, to: number): void {
    this.#usedBytes += blockBytes(to) - blockBytes(from);
  }

  /** How many bytes of a file may be written up to `end` before the disk is full. */
  roomFor(size: number, end: number): number {
    if (end <= size) return end;
    const more = Math.floor(this.freeBytes / BLOCK_BYTES) * BLOCK_BYTES;
    return Math.min(end, blockBytes(size) + more);
  }

  /** After a power cut: names may have come back, and nothing is open. */
  recount(): void {
    this.model.prune(() => false);
    this.#usedBytes = 0;
    for (const [node, meta] of this.#metas) {
      if (!this.model.has(node)) this.#metas.delete(node);
      meta.opened = 0;
      meta.names = node === ROOT ? 1 : 0;
    }
    for (const node of this.model.nodes.keys()) {
      if (this.model.isDirectory(node)) {
        if (node !== ROOT) this.#usedBytes += BLOCK_BYTES;
        for (const child of this.model.directory(node).current.values()) this.meta(child).names++;
      } else this.#usedBytes += blockBytes(this.model.sizeOf(node));
    }
  }

  #freeIfUnused(node: number): void {
    const { names, opened } = this.meta(node);
    if (names > 0 || opened > 0) return;
    this.#usedBytes -= this.model.isDirectory(node) ? BLOCK_BYTES : blockBytes(this.model.sizeOf(node));
    this.#deletions++;
    if (this.#deletions % PRUNE_EVERY !== 0) return;
    this.model.prune((held) => (this.#metas.get(held)?.opened ?? 0) > 0);
    for (const known of this.#metas.keys()) if (!this.model.has(known)) this.#metas.delete(known);
  }

  #newMeta(mode: number): Meta {
    const { nowMs } = this;
    return {
      mode,
      uid: 0,
      gid: 0,
      mtimeMs: nowMs,
      ctimeMs: nowMs,
      birthtimeMs: nowMs,
      names: 0,
      opened: 0,
    };
  }
}

function blockBytes(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}
