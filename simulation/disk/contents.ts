// Files and directories with two contents: the one that every process sees, and the one that a power cut leaves, with the
// changes between them. disk-model.ts has the rules.
import { Bytes } from './bytes.ts';

export type Edit =
  | { readonly kind: 'write'; readonly node: number; readonly position: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly node: number; readonly length: number };

/** Names that get a node, or lose theirs. */
export type Names = readonly (readonly [name: string, node: number | undefined])[];

/** The names in a directory, with their nodes. */
export type Listing = ReadonlyMap<string, number>;

export interface Pending<T> {
  readonly change: T;
  /** Rises with each change of the disk. The two halves of a rename between directories have the same. */
  readonly sequence: number;
  /** The other directory of a rename between two: the rename is durable, or lost, with either of them. */
  readonly other?: Directory;
  /** A sync that covered the change has failed. */
  isDoomed: boolean;
}

export class File {
  durable: Bytes;
  current: Bytes;
  pending: Pending<Edit>[] = [];

  constructor(content: Bytes = new Bytes()) {
    this.durable = content;
    this.current = content.copy();
  }

  copy(): File {
    const copy = new File(this.durable.copy());
    copy.current = this.current.copy();
    copy.pending = this.pending.map((one) => ({ ...one }));
    return copy;
  }

  apply(change: Edit, sequence: number): void {
    edit(this.current, change);
    this.pending.push({ change, sequence, isDoomed: false });
  }

  /** Makes the changes before this sequence durable. */
  sync(before = Number.POSITIVE_INFINITY): void {
    const pending: Pending<Edit>[] = [];
    for (const one of this.pending) {
      const { change, sequence, isDoomed } = one;
      // The length of a file is in the journal, which a failed write of its data does not undo.
      if (sequence >= before || (isDoomed && change.kind === 'write')) {
        pending.push(one);
        continue;
      }
      edit(this.durable, change);
      // Bytes that are durable now are no longer changed by an earlier write that failed.
      const left = pending.splice(0).flatMap((earlier) => without(earlier, change));
      pending.push(...left);
    }
    this.pending = pending;
  }

  /** Every change is lost but the durable ones. */
  lose(): void {
    this.current = this.durable.copy();
    this.pending = [];
  }

  /** Makes this content, or the current one, durable. */
  settle(content: Bytes = this.current): void {
    this.current = content;
    this.durable = content.copy();
    this.pending = [];
  }
}

export class Directory {
  durable: Listing;
  current: Listing;
  pending: Pending<Names>[] = [];

  constructor(names: Listing = new Map()) {
    this.durable = names;
    this.current = names;
  }

  /** Its pending changes still refer to directories of the same disk. */
  copy(): Directory {
    const copy = new Directory(this.durable);
    copy.current = this.current;
    copy.pending = this.pending.map((one) => ({ ...one }));
    return copy;
  }

  apply(change: Names, sequence: number, other?: Directory): void {
    this.current = renamed(this.current, change);
    this.pending.push({ change, sequence, isDoomed: false, ...(other && { other }) });
  }

  /** Makes the changes before this sequence durable. */
  sync(before = Number.POSITIVE_INFINITY): void {
    const isSynced = ({ sequence, isDoomed }: Pending<Names>) => sequence < before && !isDoomed;
    const synced = this.pending.filter(isSynced);
    const last = synced.at(-1)?.sequence ?? -1;
    const names = new Set(synced.flatMap(({ change }) => change.map(([name]) => name)));
    // A name that is durable now is no longer changed by an earlier change that failed.
    this.pending = this.pending
      .filter((one) => !isSynced(one))
      .flatMap((one) => {
        if (one.sequence > last) return one;
        const change = one.change.filter(([name]) => !names.has(name));
        return change.length === 0 ? [] : { ...one, change };
      });
    for (const { change, other } of synced) {
      this.durable = renamed(this.durable, change);
      // Earlier changes of the other directory become durable with the rename.
      if (other?.pending.some((one) => one.other === this && one.sequence < before)) other.sync(before);
    }
  }

  lose(): void {
    this.settle(this.durable);
  }

  /** Makes this content, or the current one, durable. */
  settle(content: Listing = this.current): void {
    this.current = content;
    this.durable = content;
    this.pending = [];
  }

  /** The names that are left if the changes of these directories are lost. */
  without(isLost: (directory: Directory) => boolean): Listing {
    return this.keeping(({ other }) => !isLost(this) && !(other !== undefined && isLost(other)));
  }

  /** The names if only these of the pending changes are on the disk. */
  keeping(isKept: (change: Pending<Names>) => boolean): Listing {
    return this.pending.filter(isKept).reduce((names, { change }) => renamed(names, change), this.durable);
  }
}

export function edit(content: Bytes, change: Edit): void {
  if (change.kind === 'truncate') content.truncate(change.length);
  else content.write(change.position, change.bytes);
}

export function renamed(names: Listing, changes: Names): Listing {
  const after = new Map(names);
  for (const [name, node] of changes) {
    if (node === undefined) after.delete(name);
    else after.set(name, node);
  }
  return after;
}

/** The parts of a pending write that a later change does not replace. */
function without(pending: Pending<Edit>, later: Edit): Pending<Edit>[] {
  const { change } = pending;
  if (change.kind !== 'write') return [pending];
  const { position, bytes } = change;
  const part = (from: number, to: number): Pending<Edit>[] =>
    from >= to
      ? []
      : [
          {
            ...pending,
            change: { ...change, position: from, bytes: bytes.subarray(from - position, to - position) },
          },
        ];
  const end = position + bytes.length;
  if (later.kind === 'truncate') return part(position, Math.min(end, later.length));
  const laterEnd = later.position + later.bytes.length;
  if (laterEnd <= position || later.position >= end) return [pending];
  return [...part(position, later.position), ...part(laterEnd, end)];
}
