// One open file description: what read, write, ftruncate, fsync and fstat do. Two descriptors from two calls of open have
// two of these, with a position each.
import { constants } from 'node:fs';
import { systemError } from './errors.ts';
import type { DiskOp } from './faults.ts';
import { type SimStats, statsOf } from './stats.ts';
import type { Store } from './store.ts';

const { O_WRONLY, O_RDWR, O_APPEND, O_ACCMODE } = { ...constants, O_ACCMODE: 3 };

export class OpenFile {
  readonly node: number;
  /** At the time of opening, for faults and the trace. */
  readonly path: string;
  readonly #store: Store;
  readonly #flags: number;
  readonly #isNull: boolean;
  #position = 0;
  #isClosed = false;

  /** @param isNull the file is /dev/null */
  constructor(
    store: Store,
    { node, path, flags, isNull }: { node: number; path: string; flags: number; isNull: boolean },
  ) {
    this.#store = store;
    this.node = node;
    this.path = path;
    this.#flags = flags;
    this.#isNull = isNull;
    store.opened(node, 1);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#store.model.has(this.node)) this.#store.opened(this.node, -1);
  }

  /** A power cut has ended every process, so nothing is open. */
  forget(): void {
    this.#isClosed = true;
  }

  /** Reads into `target`. @param position null for the file's own, which then moves @returns the number of bytes */
  read(target: Uint8Array, position: number | null): number {
    this.#check('read', 'read');
    if ((this.#flags & O_ACCMODE) === O_WRONLY) throw systemError('EBADF', { syscall: 'read' });
    const { model } = this.#store;
    if (model.isDirectory(this.node)) throw systemError('EISDIR', { syscall: 'read' });
    if (this.#isNull) return 0;
    const bytes = model.file(this.node).current.slice(position ?? this.#position, target.length);
    target.set(bytes);
    if (position === null) this.#position += bytes.length;
    return bytes.length;
  }

  /** Writes as much as there is room for. @returns the number of bytes */
  write(bytes: Uint8Array, position: number | null): number {
    this.#check('write', 'write');
    this.#requireWriting('EBADF', 'write');
    if (this.#isNull) return bytes.length;
    const { model } = this.#store;
    const { node, path } = this;
    const size = model.sizeOf(node);
    const appends = (this.#flags & O_APPEND) !== 0;
    const at = appends ? size : (position ?? this.#position);
    const wanted = this.#store.faults.taken(bytes.length, path);
    const length = Math.min(wanted, this.#store.roomFor(size, at + wanted) - at);
    if (bytes.length > 0 && length <= 0) throw systemError('ENOSPC', { syscall: 'write' });
    // A copy, because the caller may use the memory again.
    const part = Buffer.from(bytes.subarray(0, length));
    const cut = length < bytes.length ? ` of ${bytes.length}` : '';
    if (length > 0)
      this.#store.apply(
        { kind: 'write', node, position: at, bytes: part },
        `write ${length}${cut} bytes at ${at} of ${path}`,
      );
    this.#resized(size);
    if (position === null) this.#position = at + length;
    return length;
  }

  truncate(length: number): void {
    this.#check('truncate', 'ftruncate');
    this.#requireWriting('EINVAL', 'ftruncate');
    const size = this.#store.model.sizeOf(this.node);
    this.#store.apply({ kind: 'truncate', node: this.node, length }, `truncate ${this.path} to ${length}`);
    this.#resized(size);
  }

  /** The value of the disk's `sequence` at which a sync that begins now has begun. */
  get syncBegin(): number {
    return this.#store.model.sequence;
  }

  /** Ends a sync. @param before where it began @throws if it fails; then the changes that it covers may be lost */
  sync(syscall: 'fsync' | 'fdatasync', before = this.syncBegin): void {
    const { node, path } = this;
    try {
      this.#check('sync', syscall);
    } catch (error) {
      this.#store.apply({ kind: 'sync', node, failed: true, before }, `sync ${path} fails`);
      throw error;
    }
    this.#store.apply({ kind: 'sync', node, failed: false, before }, `sync ${path}`);
  }

  stat(): SimStats {
    this.#check('stat', 'fstat');
    return statsOf(this.#store, this.node, this.#isNull);
  }

  chmod(mode: number): void {
    this.#check('chmod', 'fchmod');
    const meta = this.#store.meta(this.node);
    meta.mode = mode;
    meta.ctimeMs = this.#store.nowMs;
  }

  chown(uid: number, gid: number): void {
    this.#check('chmod', 'fchown');
    const meta = this.#store.meta(this.node);
    Object.assign(meta, { uid, gid, ctimeMs: this.#store.nowMs });
  }

  #check(op: DiskOp, syscall: string): void {
    if (this.#isClosed) throw systemError('EBADF', { syscall });
    this.#store.faults.check(op, { syscall }, this.path);
  }

  #requireWriting(code: 'EBADF' | 'EINVAL', syscall: string): void {
    if ((this.#flags & (O_WRONLY | O_RDWR)) === 0) throw systemError(code, { syscall });
    if (this.#store.isReadOnly) throw systemError('EROFS', { syscall });
  }

  #resized(from: number): void {
    this.#store.resized(from, this.#store.model.sizeOf(this.node));
    this.#store.touch(this.node);
  }
}
