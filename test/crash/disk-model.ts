// Models which states a disk may have after a crash, by the rules of POSIX. It knows files and directories by numbers;
// fs-journal.ts maps paths to them.
//
// - Writes to a file are durable once the file is synced, and its name once the directory is synced.
// - Until then any of them may be lost. A change of a directory is lost as a whole. This includes renames, so a renamed
//   file never loses both names.
// - Writes that a failed sync covered may be lost for ever: a later sync of the file does not make them durable.

/** The root directory. It is durable. */
export const ROOT = 0;

/** One change to the file system, or a sync. */
export type Change =
  | {
      readonly kind: 'create' | 'mkdir' | 'link';
      readonly parent: number;
      readonly name: string;
      readonly node: number;
    }
  | { readonly kind: 'write'; readonly node: number; readonly position: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly node: number; readonly length: number }
  | { readonly kind: 'unlink' | 'rmdir'; readonly parent: number; readonly name: string }
  | {
      readonly kind: 'rename';
      readonly parent: number;
      readonly name: string;
      readonly newParent: number;
      readonly newName: string;
    }
  | { readonly kind: 'sync'; readonly node: number; readonly failed: boolean }
  /** The machine died, and only durable changes remained. */
  | { readonly kind: 'power-cut' };

/** Path to content; null for a directory. Parents come before their children. */
export type Tree = ReadonlyMap<string, Buffer | null>;

export interface DiskState {
  /** Which of the changes before the crash are on the disk, for people. */
  readonly name: string;
  readonly tree: Tree;
  /** Some unsynced changes are on the disk and some are not. */
  readonly isPartial?: boolean;
}

type Edit = Extract<Change, { kind: 'write' | 'truncate' }>;
/** Names that get a node, or lose theirs. */
type Names = readonly (readonly [name: string, node: number | undefined])[];

interface Pending<T> {
  readonly change: T;
  /** The other directory of a rename between two: the rename is durable, or lost, with either of them. */
  readonly other?: Directory;
  /** A sync that covered the change has failed. */
  isDoomed: boolean;
}

/** The content of a file or a directory, and the changes that are not durable yet. */
abstract class Content<C, T> {
  durable: C;
  current: C;
  pending: Pending<T>[] = [];

  constructor(content: C) {
    this.durable = content;
    this.current = content;
  }

  /** Takes over the state of another. Pending changes still refer to directories of its disk. */
  become({ durable, current, pending }: Content<C, T>): this {
    Object.assign(this, { durable, current, pending: pending.map((one) => ({ ...one })) });
    return this;
  }

  lose(): void {
    this.current = this.durable;
    this.pending = [];
  }
}

class File extends Content<Buffer, Edit> {
  copy(): File {
    return new File(this.durable).become(this);
  }

  apply(change: Edit): void {
    this.current = edited(this.current, change);
    this.pending.push({ change, isDoomed: false });
  }

  sync(): void {
    for (const { change, isDoomed } of this.pending)
      if (!isDoomed) this.durable = edited(this.durable, change);
    this.pending = this.pending.filter(({ isDoomed }) => isDoomed);
  }
}

class Directory extends Content<ReadonlyMap<string, number>, Names> {
  copy(): Directory {
    return new Directory(this.durable).become(this);
  }

  apply(change: Names, other?: Directory): void {
    this.current = renamed(this.current, change);
    this.pending.push({ change, isDoomed: false, ...(other && { other }) });
  }

  sync(): void {
    const synced = this.pending.filter(({ isDoomed }) => !isDoomed);
    this.pending = this.pending.filter(({ isDoomed }) => isDoomed);
    for (const { change, other } of synced) {
      this.durable = renamed(this.durable, change);
      // Earlier changes of the other directory become durable with the rename.
      if (other?.pending.some((one) => one.other === this)) other.sync();
    }
  }

  /** The names that are left if the changes of these directories are lost. */
  without(isLost: (directory: Directory) => boolean): ReadonlyMap<string, number> {
    return this.pending
      .filter(({ other }) => !isLost(this) && !(other !== undefined && isLost(other)))
      .reduce((names, { change }) => renamed(names, change), this.durable);
  }
}

/** The contents of files and directories on the disk that differ from the latest ones. */
type View = ReadonlyMap<number, Buffer | ReadonlyMap<string, number>>;

export class Disk {
  /** The number for the next file or directory. */
  nextNode = ROOT + 1;
  readonly #nodes = new Map<number, File | Directory>([[ROOT, new Directory(new Map())]]);

  /** A disk with this tree, durable. */
  static holding(tree: Tree): Disk {
    const disk = new Disk();
    const nodes = new Map([['', ROOT]]);
    for (const [path, content] of tree) {
      const slash = path.lastIndexOf('/');
      const parent = nodes.get(path.slice(0, Math.max(0, slash)));
      if (parent === undefined) throw new Error(`${path} is in no directory of the tree`);
      const node = disk.nextNode;
      nodes.set(path, node);
      const name = path.slice(slash + 1);
      disk.apply({ kind: content === null ? 'mkdir' : 'create', parent, name, node });
      if (content !== null) disk.apply({ kind: 'write', node, position: 0, bytes: content });
    }
    disk.settle();
    return disk;
  }

  /** The same disk, with the same changes that are not durable yet. */
  copy(): Disk {
    const copy = new Disk();
    copy.nextNode = this.nextNode;
    const twins = new Map<Directory, Directory>();
    for (const [node, entry] of this.#nodes) {
      const twin = entry.copy();
      copy.#nodes.set(node, twin);
      if (entry instanceof Directory && twin instanceof Directory) twins.set(entry, twin);
    }
    for (const twin of twins.values())
      twin.pending = twin.pending.map((one) => {
        const other = one.other && twins.get(one.other);
        return { ...one, ...(other && { other }) };
      });
    return copy;
  }

  /** Whether every change is durable. */
  get isSettled(): boolean {
    return [...this.#nodes.values()].every(({ pending }) => pending.length === 0);
  }

  apply(change: Change): void {
    switch (change.kind) {
      case 'create':
      case 'mkdir':
      case 'link':
        this.nextNode = Math.max(this.nextNode, change.node + 1);
        if (change.kind === 'create') this.#nodes.set(change.node, new File(Buffer.alloc(0)));
        if (change.kind === 'mkdir') this.#nodes.set(change.node, new Directory(new Map()));
        this.#directory(change.parent).apply([[change.name, change.node]]);
        break;
      case 'unlink':
      case 'rmdir':
        this.#directory(change.parent).apply([[change.name, undefined]]);
        break;
      case 'rename':
        this.#rename(change);
        break;
      case 'write':
      case 'truncate':
        this.#file(change.node).apply(change);
        break;
      case 'sync':
        this.#sync(change);
        break;
      case 'power-cut':
        for (const node of this.#nodes.values()) node.lose();
        break;
    }
  }

  /** Makes the current state durable, as the base for a start after a crash. */
  settle(): void {
    for (const node of this.#nodes.values()) {
      node.durable = node.current;
      node.pending = [];
    }
  }

  lookUp(parent: number, name: string): number | undefined {
    return this.#directory(parent).current.get(name);
  }

  isDirectory(node: number): boolean {
    return this.#nodes.get(node) instanceof Directory;
  }

  has(node: number): boolean {
    return this.#nodes.has(node);
  }

  namesIn(node: number): string[] {
    return [...this.#directory(node).current.keys()];
  }

  sizeOf(node: number): number {
    return this.#file(node).current.length;
  }

  /** The state that every process sees, and that is left if only the process dies. */
  get tree(): Tree {
    return this.#tree(new Map());
  }

  /** The state that is left if the machine dies and only durable changes remain. */
  get durableTree(): Tree {
    return this.#tree(this.#durable(() => true));
  }

  /** The states that a crash at this moment may leave. */
  states(): DiskState[] {
    const states: DiskState[] = [
      { name: 'everything applied', tree: this.tree },
      { name: 'everything unsynced lost', tree: this.durableTree },
    ];
    const paths = this.#paths();
    for (const [node, entry] of this.#nodes) {
      if (entry.pending.length === 0) continue;
      const path = paths.get(node) ?? `node ${node}`;
      const tree = this.#tree(this.#durable((other) => other === node));
      states.push({ name: `lost alone: ${path}`, tree, isPartial: true });
      if (entry instanceof Directory && entry.pending.length > 1)
        states.push(...this.#withoutOne(node, entry, path));
    }
    return states;
  }

  /** The states that a crash during this write may leave, with all earlier changes applied. */
  torn({ node, position, bytes }: Extract<Change, { kind: 'write' }>): DiskState[] {
    const { current } = this.#file(node);
    const torn = (name: string, part: Buffer): DiskState => {
      const content = edited(current, { kind: 'write', node, position, bytes: part });
      return { name: `torn: ${name}`, tree: this.#tree(new Map([[node, content]])) };
    };
    const states = [Math.floor(bytes.length / 2), bytes.length - 1]
      .filter((length) => length > 0)
      .map((length) => torn(`${length} of ${bytes.length} bytes written`, bytes.subarray(0, length)));
    // The file's new length reached the disk, but its bytes did not.
    if (position >= current.length) states.push(torn('zeros written', Buffer.alloc(bytes.length)));
    return states;
  }

  /** The state with a change that has begun and not ended. Undefined if the change cannot be on the disk yet. */
  early(change: Change): DiskState | undefined {
    switch (change.kind) {
      case 'write':
      case 'truncate':
        if (!this.has(change.node)) return undefined;
        return {
          name: `early: ${change.kind}`,
          tree: this.#tree(new Map([[change.node, edited(this.#file(change.node).current, change)]])),
        };
      case 'unlink': {
        if (!this.has(change.parent)) return undefined;
        const names = renamed(this.#directory(change.parent).current, [[change.name, undefined]]);
        return { name: `early: unlink ${change.name}`, tree: this.#tree(new Map([[change.parent, names]])) };
      }
      default:
        return undefined;
    }
  }

  /** The states in which one change of the directory is lost. */
  #withoutOne(node: number, { durable, pending }: Directory, path: string): DiskState[] {
    const alone = pending.filter(({ other }) => other === undefined);
    return alone.map((one) => {
      const names = pending
        .filter((other) => other !== one)
        .reduce((before, { change }) => renamed(before, change), durable);
      const what = one.change.map(([name, to]) => (to === undefined ? `-${name}` : `+${name}`)).join(' ');
      const name = `lost alone: ${what} in ${path}`;
      return { name, tree: this.#tree(new Map([[node, names]])), isPartial: true };
    });
  }

  #rename({ parent, name, newParent, newName }: Extract<Change, { kind: 'rename' }>): void {
    const node = this.lookUp(parent, name);
    if (node === undefined) throw new Error(`${name} is not there to be renamed`);
    const [from, to] = [this.#directory(parent), this.#directory(newParent)];
    if (from === to)
      from.apply([
        [name, undefined],
        [newName, node],
      ]);
    else {
      from.apply([[name, undefined]], to);
      to.apply([[newName, node]], from);
    }
  }

  #sync({ node, failed }: Extract<Change, { kind: 'sync' }>): void {
    const entry = this.#nodes.get(node);
    if (entry === undefined) throw new Error(`there is no node ${node}`);
    if (failed) for (const one of entry.pending) one.isDoomed = true;
    else entry.sync();
  }

  #durable(isLost: (node: number) => boolean): View {
    const view = new Map<number, Buffer | ReadonlyMap<string, number>>();
    const lost = new Set([...this.#nodes].flatMap(([node, entry]) => (isLost(node) ? entry : [])));
    for (const [node, entry] of this.#nodes) {
      if (entry.pending.length === 0) continue;
      if (entry instanceof Directory)
        view.set(
          node,
          entry.without((one) => lost.has(one)),
        );
      else if (lost.has(entry)) view.set(node, entry.durable);
    }
    return view;
  }

  #tree(view: View): Tree {
    const tree = new Map<string, Buffer | null>();
    const visit = (node: number, path: string): void => {
      const entry = this.#nodes.get(node);
      const seen = view.get(node) ?? entry?.current;
      if (Buffer.isBuffer(seen)) {
        tree.set(path, seen);
        return;
      }
      if (node !== ROOT) tree.set(path, null);
      for (const [name, child] of [...(seen ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)))
        visit(child, path === '' ? name : `${path}/${name}`);
    };
    visit(ROOT, '');
    return tree;
  }

  /** The path of each node, or its last path if it was deleted. */
  #paths(): Map<number, string> {
    const paths = new Map<number, string>([[ROOT, '.']]);
    const visit = (node: number, path: string): void => {
      const entry = this.#nodes.get(node);
      if (!(entry instanceof Directory)) return;
      for (const [name, child] of [...entry.durable, ...entry.current]) {
        const isSeen = paths.has(child);
        const below = path === '' ? name : `${path}/${name}`;
        paths.set(child, below);
        if (!isSeen) visit(child, below);
      }
    };
    visit(ROOT, '');
    return paths;
  }

  #file(node: number): File {
    const entry = this.#nodes.get(node);
    if (!(entry instanceof File)) throw new Error(`node ${node} is no file`);
    return entry;
  }

  #directory(node: number): Directory {
    const entry = this.#nodes.get(node);
    if (!(entry instanceof Directory)) throw new Error(`node ${node} is no directory`);
    return entry;
  }
}

function edited(content: Buffer, change: Edit): Buffer {
  if (change.kind === 'truncate') {
    const cut = Buffer.alloc(change.length);
    content.copy(cut);
    return cut;
  }
  const { position, bytes } = change;
  const grown = Buffer.alloc(Math.max(content.length, position + bytes.length));
  content.copy(grown);
  bytes.copy(grown, position);
  return grown;
}

function renamed(names: ReadonlyMap<string, number>, changes: Names): ReadonlyMap<string, number> {
  const after = new Map(names);
  for (const [name, node] of changes) {
    if (node === undefined) after.delete(name);
    else after.set(name, node);
  }
  return after;
}
