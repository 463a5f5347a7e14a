// Models which states a disk may have after a crash, by the rules of POSIX. It knows files and directories by numbers;
// file-system.ts (and test/crash/fs-journal.ts) map paths to them.
//
// - Writes to a file are durable once the file is synced, and its name once the directory is synced.
// - Until then any of them may be lost. A change of a directory is lost as a whole. This includes renames, so a renamed
//   file never loses both names.
// - Writes that a failed sync covered may be lost for ever: a later sync of the file does not make them durable.
import { Bytes } from './bytes.ts';
import { Directory, type Edit, edit, File, type Listing } from './contents.ts';

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
  | Edit
  | { readonly kind: 'unlink' | 'rmdir'; readonly parent: number; readonly name: string }
  | {
      readonly kind: 'rename';
      readonly parent: number;
      readonly name: string;
      readonly newParent: number;
      readonly newName: string;
    }
  | {
      readonly kind: 'sync';
      readonly node: number;
      readonly failed: boolean;
      /** The sync began at this value of `sequence`: later changes are not covered. Left out, all are. */
      readonly before?: number;
    }
  /** The machine died, and only durable changes remained. */
  | { readonly kind: 'power-cut' };

/** Path to content; null for a directory. Parents come before their children. */
export type Tree = ReadonlyMap<string, Buffer | null>;

/** The contents of files and directories on the disk that differ from the latest ones. */
export type View = ReadonlyMap<number, Buffer | Listing>;

export class DiskModel {
  /** The number for the next file or directory. */
  nextNode = ROOT + 1;
  /** Rises with each change. */
  sequence = 0;
  readonly #nodes = new Map<number, File | Directory>([[ROOT, new Directory()]]);

  /** A disk with this tree, durable. */
  static holding(tree: Tree): DiskModel {
    const disk = new DiskModel();
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
  copy(): DiskModel {
    const copy = new DiskModel();
    copy.nextNode = this.nextNode;
    copy.sequence = this.sequence;
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

  /** Every file and directory by its number. Those without a name stay while a power cut may bring them back. */
  get nodes(): ReadonlyMap<number, File | Directory> {
    return this.#nodes;
  }

  /** Whether every change is durable. */
  get isSettled(): boolean {
    return [...this.#nodes.values()].every(({ pending }) => pending.length === 0);
  }

  apply(change: Change): void {
    const sequence = this.sequence++;
    switch (change.kind) {
      case 'create':
      case 'mkdir':
      case 'link':
        this.nextNode = Math.max(this.nextNode, change.node + 1);
        if (change.kind === 'create') this.#nodes.set(change.node, new File());
        if (change.kind === 'mkdir') this.#nodes.set(change.node, new Directory());
        this.directory(change.parent).apply([[change.name, change.node]], sequence);
        break;
      case 'unlink':
      case 'rmdir':
        this.directory(change.parent).apply([[change.name, undefined]], sequence);
        break;
      case 'rename':
        this.#rename(change, sequence);
        break;
      case 'write':
      case 'truncate':
        this.file(change.node).apply(change, sequence);
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
    for (const node of this.#nodes.values()) node.settle();
  }

  /** Makes this state of the disk the current and durable one. */
  settleAt(view: View): void {
    for (const [node, entry] of this.#nodes) {
      const seen = view.get(node);
      if (seen === undefined) entry.settle();
      else if (entry instanceof File && Buffer.isBuffer(seen)) entry.settle(new Bytes(seen));
      else if (entry instanceof Directory && !Buffer.isBuffer(seen)) entry.settle(seen);
    }
  }

  /** Forgets files and directories that no crash can bring back, unless they are held, as open ones are. */
  prune(isHeld: (node: number) => boolean): void {
    const reached = new Set<number>();
    const visit = (node: number | undefined): void => {
      if (node === undefined || reached.has(node)) return;
      reached.add(node);
      const entry = this.#nodes.get(node);
      if (!(entry instanceof Directory)) return;
      for (const names of [entry.durable, entry.current]) for (const child of names.values()) visit(child);
      for (const { change } of entry.pending) for (const [, child] of change) visit(child);
    };
    visit(ROOT);
    for (const node of this.#nodes.keys()) if (isHeld(node)) visit(node);
    for (const node of this.#nodes.keys()) if (!reached.has(node)) this.#nodes.delete(node);
  }

  lookUp(parent: number, name: string): number | undefined {
    return this.directory(parent).current.get(name);
  }

  isDirectory(node: number): boolean {
    return this.#nodes.get(node) instanceof Directory;
  }

  has(node: number): boolean {
    return this.#nodes.has(node);
  }

  namesIn(node: number): string[] {
    return [...this.directory(node).current.keys()];
  }

  sizeOf(node: number): number {
    return this.file(node).current.length;
  }

  /** The state that every process sees, and that is left if only the process dies. */
  get tree(): Tree {
    return this.treeWith(new Map());
  }

  /** The state that is left if the machine dies and only durable changes remain. */
  get durableTree(): Tree {
    return this.treeWith(this.viewWithout(() => true));
  }

  /** The view in which the pending changes of these files and directories are lost. */
  viewWithout(isLost: (node: number) => boolean): View {
    const view = new Map<number, Buffer | Listing>();
    const lost = new Set([...this.#nodes].flatMap(([node, entry]) => (isLost(node) ? entry : [])));
    for (const [node, entry] of this.#nodes) {
      if (entry.pending.length === 0) continue;
      if (entry instanceof Directory)
        view.set(
          node,
          entry.without((one) => lost.has(one)),
        );
      else if (lost.has(entry)) view.set(node, entry.durable.snapshot());
    }
    return view;
  }

  treeWith(view: View): Tree {
    const tree = new Map<string, Buffer | null>();
    const visit = (node: number, path: string): void => {
      const entry = this.#nodes.get(node);
      const seen = view.get(node) ?? (entry instanceof File ? entry.current.snapshot() : entry?.current);
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

  file(node: number): File {
    const entry = this.#nodes.get(node);
    if (!(entry instanceof File)) throw new Error(`node ${node} is no file`);
    return entry;
  }

  directory(node: number): Directory {
    const entry = this.#nodes.get(node);
    if (!(entry instanceof Directory)) throw new Error(`node ${node} is no directory`);
    return entry;
  }

  #rename({ parent, name, newParent, newName }: Extract<Change, { kind: 'rename' }>, sequence: number): void {
    const node = this.lookUp(parent, name);
    if (node === undefined) throw new Error(`${name} is not there to be renamed`);
    const [from, to] = [this.directory(parent), this.directory(newParent)];
    if (from === to)
      from.apply(
        [
          [name, undefined],
          [newName, node],
        ],
        sequence,
      );
    else {
      from.apply([[name, undefined]], sequence, to);
      to.apply([[newName, node]], sequence, from);
    }
  }

  #sync({ node, failed, before = Number.POSITIVE_INFINITY }: Extract<Change, { kind: 'sync' }>): void {
    const entry = this.#nodes.get(node);
    if (entry === undefined) throw new Error(`there is no node ${node}`);
    if (!failed) entry.sync(before);
    else for (const one of entry.pending) if (one.sequence < before) one.isDoomed = true;
  }
}

/** The content of a file after one more change. */
export function edited(content: Bytes, change: Edit): Buffer {
  const copy = content.copy();
  edit(copy, change);
  return copy.snapshot();
}
