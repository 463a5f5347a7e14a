// The states that a crash may leave on a disk, one by one: all applied, all lost, and each single thing lost or torn. The
// crash tests try every one of them. power-cut.ts draws combinations of them by chance.
import { Directory, renamed } from './contents.ts';
import { type Change, type DiskModel, edited, ROOT, type Tree } from './disk-model.ts';

export interface DiskState {
  /** Which of the changes before the crash are on the disk, for people. */
  readonly name: string;
  readonly tree: Tree;
  /** Some unsynced changes are on the disk and some are not. */
  readonly isPartial?: boolean;
}

/** The states that a crash at this moment may leave. */
export function crashStates(disk: DiskModel): DiskState[] {
  const states: DiskState[] = [
    { name: 'everything applied', tree: disk.tree },
    { name: 'everything unsynced lost', tree: disk.durableTree },
  ];
  const paths = pathsOf(disk);
  for (const [node, entry] of disk.nodes) {
    if (entry.pending.length === 0) continue;
    const path = paths.get(node) ?? `node ${node}`;
    const tree = disk.treeWith(disk.viewWithout((other) => other === node));
    states.push({ name: `lost alone: ${path}`, tree, isPartial: true });
    if (entry instanceof Directory && entry.pending.length > 1)
      states.push(...withoutOne(disk, { node, entry, path }));
  }
  return states;
}

/** The states that a crash during this write may leave, with all earlier changes applied. */
export function tornStates(
  disk: DiskModel,
  { node, position, bytes }: Extract<Change, { kind: 'write' }>,
): DiskState[] {
  const { current } = disk.file(node);
  const torn = (name: string, part: Buffer): DiskState => {
    const content = edited(current, { kind: 'write', node, position, bytes: part });
    return { name: `torn: ${name}`, tree: disk.treeWith(new Map([[node, content]])) };
  };
  const states = [Math.floor(bytes.length / 2), bytes.length - 1]
    .filter((length) => length > 0)
    .map((length) => torn(`${length} of ${bytes.length} bytes written`, bytes.subarray(0, length)));
  // The file's new length reached the disk, but its bytes did not.
  if (position >= current.length) states.push(torn('zeros written', Buffer.alloc(bytes.length)));
  return states;
}

/** The state with a change that has begun and not ended. Undefined if the change cannot be on the disk yet. */
export function earlyState(disk: DiskModel, change: Change): DiskState | undefined {
  switch (change.kind) {
    case 'write':
    case 'truncate':
      if (!disk.has(change.node)) return undefined;
      return {
        name: `early: ${change.kind}`,
        tree: disk.treeWith(new Map([[change.node, edited(disk.file(change.node).current, change)]])),
      };
    case 'unlink': {
      if (!disk.has(change.parent)) return undefined;
      const names = renamed(disk.directory(change.parent).current, [[change.name, undefined]]);
      return { name: `early: unlink ${change.name}`, tree: disk.treeWith(new Map([[change.parent, names]])) };
    }
    default:
      return undefined;
  }
}

/** The states in which one change of the directory is lost. */
function withoutOne(
  disk: DiskModel,
  { node, entry, path }: { node: number; entry: Directory; path: string },
): DiskState[] {
  const alone = entry.pending.filter(({ other }) => other === undefined);
  return alone.map((one) => {
    const names = entry.keeping((other) => other !== one);
    const change = one.change.map(([name, to]) => (to === undefined ? `-${name}` : `+${name}`)).join(' ');
    const name = `lost alone: ${change} in ${path}`;
    return { name, tree: disk.treeWith(new Map([[node, names]])), isPartial: true };
  });
}

/** The path of each node, or its last path if it was deleted. */
function pathsOf(disk: DiskModel): Map<number, string> {
  const paths = new Map<number, string>([[ROOT, '.']]);
  const visit = (node: number, path: string): void => {
    const entry = disk.nodes.get(node);
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
