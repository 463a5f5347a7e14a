// Records every change that this process makes below one directory, in the order in which the changes end. Changes are made
// one after the other, which is one of the orders in which a kernel may make concurrent ones. fs-patches.ts intercepts
// the calls.
import fs from 'node:fs';
import { join, sep } from 'node:path';
import { type Change, DiskModel, ROOT } from '../../simulation/disk/disk-model.ts';
import { bitsOf, crashed, failure, patchedFor } from './fs-patches.ts';
import { writeTree } from './trees.ts';

/** An event between two changes, added by the test. */
export interface Mark<T> {
  readonly kind: 'mark';
  readonly mark: T;
}

export interface Entry<T> {
  readonly change: Change | Mark<T>;
  /** For people. */
  readonly text: string;
  /** The number of entries when the change was requested. */
  readonly askedAt: number;
}

export type FaultyStep = 'create' | 'mkdir' | 'write' | 'truncate' | 'sync' | 'unlink' | 'rename';

export interface JournalOptions {
  /** The content of the directory. Left out, it is empty. */
  readonly disk?: DiskModel;
  /** Files whose content nobody reads, by their paths below the root. Changes of their content are not recorded. */
  readonly unread?: (path: string) => boolean;
}

export interface OpenFile {
  readonly node: number;
  readonly path: string;
  readonly appends: boolean;
  /** The position of the next write without a position of its own. */
  position: number;
  readonly generation: number;
}

export interface Write {
  readonly bytes: Buffer;
  /** Null = behind the last write. */
  readonly position: number | null;
}

const { O_CREAT, O_TRUNC, O_APPEND } = fs.constants;

export class FsJournal<T = never> {
  readonly root: string;
  readonly entries: Entry<T>[] = [];
  /** The disk at the beginning. */
  readonly before: DiskModel;
  /** The disk now. */
  readonly disk: DiskModel;
  /** Most bytes of all files together. Beyond that a write is cut short, and the next one fails. */
  capacityBytes = Infinity;
  /** The error code with which a step fails, undefined if it succeeds. */
  fault: (step: FaultyStep, path: string) => string | undefined = () => undefined;
  /** Whether the kernel syncs too, which takes most of the time. */
  isSyncing = true;

  #last: Promise<unknown> = Promise.resolve();
  // Number of the process whose changes are recorded. A process that has crashed makes no more changes.
  #generation = 0;
  #nextGeneration = 1;
  #crashesAfter: ((text: string) => boolean) | undefined;
  #isPaused = false;
  // Files of which only the names are recorded.
  readonly #unread: (path: string) => boolean;
  readonly #forget: () => void;

  private constructor(root: string, { disk = new DiskModel(), unread = () => false }: JournalOptions) {
    this.root = root;
    this.#unread = unread;
    this.before = disk.copy();
    this.disk = disk.copy();
    this.#forget = patchedFor(this);
  }

  /** From now on changes below `root` are recorded. */
  static record<T>(root: string, options: JournalOptions = {}): FsJournal<T> {
    return new FsJournal<T>(root, options);
  }

  stop(): void {
    this.#forget();
  }

  mark(mark: T, text: string): void {
    this.entries.push({ change: { kind: 'mark', mark }, text, askedAt: this.entries.length });
  }

  /** The process dies. None of its later changes is made, not even by `end`, which closes its files. */
  async crash(end: () => Promise<void>): Promise<void> {
    await this.#last;
    this.#freeze();
    await end();
    await this.#last;
    this.#generation = this.#nextGeneration;
  }

  /** The process makes no change after the first one whose text matches. The caller must still call crash(). */
  crashAfter(isIt: (text: string) => boolean): void {
    this.#crashesAfter = isIt;
  }

  get isFrozen(): boolean {
    return Number.isNaN(this.#generation);
  }

  /** After crash(): the machine died as well. Only durable changes are on the disk. */
  powerCut(): void {
    this.#add({ kind: 'power-cut' }, 'power cut', this.entries.length);
    this.#isPaused = true;
    for (const name of fs.readdirSync(this.root))
      fs.rmSync(join(this.root, name), { recursive: true, force: true });
    writeTree(this.root, this.disk.tree);
    this.#isPaused = false;
  }

  // --- for fs-patches.ts ---

  /** Whether the path is the directory or below it. */
  covers(path: string): boolean {
    return !this.#isPaused && (path === this.root || path.startsWith(this.root + sep));
  }

  /** Makes one change after the other. Changes of a process that has crashed fail. */
  one<R>(step: (asked: number) => Promise<R>, file?: OpenFile): Promise<R> {
    const generation = this.#generation;
    const asked = this.entries.length;
    const done = this.#last.then(() => {
      if (generation !== this.#generation) throw crashed();
      return step(this.now(asked, file));
    });
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** The number of the change that is made now. @throws if its process has crashed */
  now(asked = this.entries.length, file?: OpenFile): number {
    const isDead =
      Number.isNaN(this.#generation) || (file !== undefined && file.generation !== this.#generation);
    if (isDead) throw crashed();
    return asked;
  }

  /** Returns a function that records the changes of opening the file, to be called once it is open. */
  opening(path: string, flags: unknown): (asked: number) => void {
    const bits = bitsOf(flags);
    const node = this.#node(path);
    if (node === undefined && (bits & O_CREAT) !== 0) {
      this.#check('create', path);
      return (asked) => this.#add(this.#new('create', path), `create ${this.#name(path)}`, asked);
    }
    if (node !== undefined && (bits & O_TRUNC) !== 0 && this.disk.sizeOf(node) > 0)
      return (asked) => {
        this.#add({ kind: 'truncate', node, length: 0 }, `truncate ${this.#name(path)} to 0`, asked);
      };
    return () => undefined;
  }

  opened(path: string, flags: unknown): OpenFile {
    const node = this.#node(path);
    if (node === undefined) throw new Error(`${path} was opened and is not recorded`);
    const appends = (bitsOf(flags) & O_APPEND) !== 0;
    return { node, path, appends, position: 0, generation: this.#generation };
  }

  /** The part of the write that fits, and its position. @throws if the disk is full */
  writing(file: OpenFile, { bytes, position }: Write): { at: number; part: Buffer } {
    this.#check('write', file.path);
    const size = this.disk.sizeOf(file.node);
    const at = file.appends ? size : (position ?? file.position);
    const room = this.capacityBytes - this.#usedBytes() + Math.max(0, size - at);
    if (bytes.length > 0 && room <= 0) throw failure('ENOSPC');
    // A copy, because the caller may reuse the memory.
    return { at, part: Buffer.from(bytes.subarray(0, Math.min(bytes.length, room))) };
  }

  written(file: OpenFile, { at, part }: { at: number; part: Buffer }, write: Write, asked: number): void {
    // A write with a position does not move the file's own position.
    if (write.position === null) file.position = at + part.length;
    if (this.#unread(this.#name(file.path))) return;
    const text = `write ${part.length} bytes at ${at} of ${this.#name(file.path)}`;
    this.#add({ kind: 'write', node: file.node, position: at, bytes: part }, text, asked);
  }

  /** This and the next four return a function that records the change, to be called once it is made. */
  truncating({ node, path }: OpenFile, length: number): (asked: number) => void {
    this.#check('truncate', path);
    if (this.#unread(this.#name(path))) return () => undefined;
    const text = `truncate ${this.#name(path)} to ${length}`;
    return (asked) => this.#add({ kind: 'truncate', node, length }, text, asked);
  }

  making(path: string): (asked: number) => void {
    this.#check('mkdir', path);
    const place = this.#place(path);
    const paths = place.map((_, index) => join(this.root, ...place.slice(0, index + 1)));
    const missing = paths.filter((one) => this.#node(one) === undefined);
    return (asked) => {
      for (const one of missing) this.#add(this.#new('mkdir', one), `mkdir ${this.#name(one)}`, asked);
    };
  }

  removing(kind: 'unlink' | 'rmdir', path: string): (asked: number) => void {
    this.#check('unlink', path);
    return (asked) => this.#add({ kind, ...this.#at(path) }, `${kind} ${this.#name(path)}`, asked);
  }

  renaming(from: string, to: string): (asked: number) => void {
    this.#check('rename', from);
    const { parent, name } = this.#at(from);
    const { parent: newParent, name: newName } = this.#at(to);
    const text = `rename ${this.#name(from)} to ${this.#name(to)}`;
    return (asked) => this.#add({ kind: 'rename', parent, name, newParent, newName }, text, asked);
  }

  linking(from: string, to: string): (asked: number) => void {
    const node = this.#node(from);
    if (node === undefined) throw new Error(`${from} is not recorded`);
    return (asked) => this.#add({ kind: 'link', ...this.#at(to), node }, `link ${this.#name(to)}`, asked);
  }

  /** @throws if the sync must fail */
  synced(file: OpenFile, asked: number): void {
    const code = this.fault('sync', this.#name(file.path));
    const failed = code !== undefined;
    this.#add(
      { kind: 'sync', node: file.node, failed },
      `sync ${this.#name(file.path)}${failed ? ' fails' : ''}`,
      asked,
    );
    if (failed) throw failure(code);
  }

  /** The names in a directory; undefined if the path is no directory. */
  namesIn(path: string): string[] | undefined {
    const node = this.#node(path);
    return node !== undefined && this.disk.isDirectory(node) ? this.disk.namesIn(node) : undefined;
  }

  isThere(path: string): boolean {
    return this.#node(path) !== undefined;
  }

  // --- the rest ---

  #check(step: FaultyStep, path: string): void {
    const code = this.fault(step, this.#name(path));
    if (code !== undefined) throw failure(code);
  }

  #add(change: Change, text: string, askedAt: number): void {
    this.disk.apply(change);
    this.entries.push({ change, text, askedAt });
    if (this.#crashesAfter?.(text) !== true) return;
    this.#crashesAfter = undefined;
    this.#freeze();
  }

  /** From now on the process makes no changes. */
  #freeze(): void {
    if (Number.isNaN(this.#generation)) return;
    this.#nextGeneration = this.#generation + 1;
    this.#generation = Number.NaN;
  }

  /** The result of statfs(); undefined without a capacity of its own. */
  get space(): { readonly bsize: number; readonly blocks: number; readonly bavail: number } | undefined {
    const { capacityBytes: blocks } = this;
    if (blocks === Infinity) return undefined;
    return { bsize: 1, blocks, bavail: Math.max(0, blocks - this.#usedBytes()) };
  }

  #usedBytes(): number {
    if (this.capacityBytes === Infinity) return 0;
    let bytes = 0;
    for (const content of this.disk.tree.values()) bytes += content?.length ?? 0;
    return bytes;
  }

  /** The names on the way from the root to the path. */
  #place(path: string): string[] {
    return path
      .slice(this.root.length + 1)
      .split(sep)
      .filter(Boolean);
  }

  #name(path: string): string {
    return this.#place(path).join('/') || '.';
  }

  #node(path: string): number | undefined {
    let node: number | undefined = ROOT;
    for (const name of this.#place(path)) {
      if (node === undefined || !this.disk.isDirectory(node)) return undefined;
      node = this.disk.lookUp(node, name);
    }
    return node;
  }

  #at(path: string): { parent: number; name: string } {
    const place = this.#place(path);
    const name = place.at(-1);
    const parent = this.#node(join(this.root, ...place.slice(0, -1)));
    if (name === undefined || parent === undefined)
      throw new Error(`${path} is in no directory that is recorded`);
    return { parent, name };
  }

  #new(kind: 'create' | 'mkdir', path: string): Change {
    return { kind, ...this.#at(path), node: this.disk.nextNode };
  }
}
