// A power cut: the disk keeps the durable changes and, by chance, some of the others. Also says whether a real disk after a
// power cut is one that these rules allow.
//
// - Each pending change of names is kept or lost as a whole, and both halves of a rename have the same fate.
// - The data of a file reach the disk in sectors, and each sector in any of the states that it had since the last sync.
//   A sector may be torn between two of them that follow each other.
// - The length of the file is one that it had, and a write that made it longer may have come through up to any sector.
import { Bytes } from './bytes.ts';
import { Directory, File, type Listing } from './contents.ts';
import { type DiskModel, ROOT, type Tree, type View } from './disk-model.ts';
import type { DiskRandom } from './host.ts';

const SECTOR_BYTES = 512;
/** How many of the sectors are torn. Most disks tear none. */
const TORN_SHARE = 0.1;
/** Sets of lost changes that allowedBy() tries. */
const MAX_SETS = 2 ** 16;

/** How much of the pending changes is left. */
const KINDS = ['everything', 'nothing', 'the first changes', 'some changes'] as const;

/** Cuts the power. Afterwards every change that is left is durable. @returns what is left, in words */
export function cutPower(disk: DiskModel, random: DiskRandom): string {
  const kind = KINDS[Math.floor(random.next() * KINDS.length)] ?? 'nothing';
  const changes = [...disk.nodes.values()].reduce((sum, { pending }) => sum + pending.length, 0);
  if (kind === 'everything') disk.settle();
  else if (kind === 'nothing') disk.apply({ kind: 'power-cut' });
  else disk.settleAt(partialView(disk, kind, random));
  return `${kind} of ${changes} changes that were not synced ${kind === 'some changes' ? 'are' : 'is'} left`;
}

/**
 * Why a disk with this tree cannot be left by a power cut now. Undefined if it can. A journal keeps the first changes of
 * names, which is tried first; other sets only if they are not too many.
 * @param isIgnored paths that need not be in the tree
 */
export function allowedBy(
  disk: DiskModel,
  tree: Tree,
  isIgnored: (path: string) => boolean = () => false,
): string | undefined {
  const sequences = pendingNames(disk);
  let reason: string | undefined;
  for (const lost of setsOf(sequences)) {
    const why = differs(disk, { names: namesWithout(disk, lost), tree, isIgnored });
    if (why === undefined) return undefined;
    // The reason with nothing lost is mostly the one that helps.
    reason ??= why;
  }
  return `${reason} (${sequences.length} changes of names were not synced)`;
}

function* setsOf(sequences: readonly number[]): Generator<ReadonlySet<number>> {
  for (let kept = sequences.length; kept >= 0; kept--) yield new Set(sequences.slice(kept));
  if (2 ** sequences.length > MAX_SETS) return;
  for (let set = 0; set < 2 ** sequences.length; set++)
    yield new Set(sequences.filter((_, index) => (set & (2 ** index)) !== 0));
}

function partialView(disk: DiskModel, kind: (typeof KINDS)[number], random: DiskRandom): View {
  const sequences = pendingNames(disk);
  const cut = sequences[Math.floor(random.next() * sequences.length)] ?? 0;
  const isLost = (sequence: number) => (kind === 'the first changes' ? sequence >= cut : random.next() < 0.5);
  const view = new Map<number, Buffer | Listing>(
    namesWithout(disk, new Set(sequences.filter((sequence) => isLost(sequence)))),
  );
  for (const [node, entry] of disk.nodes)
    if (entry instanceof File && entry.pending.length > 0) view.set(node, fileAfter(entry, random));
  return view;
}

/** The sequences of the pending changes of names, oldest first. */
function pendingNames(disk: DiskModel): number[] {
  const sequences = [...disk.nodes.values()].flatMap((entry) =>
    entry instanceof Directory ? entry.pending.map(({ sequence }) => sequence) : [],
  );
  return [...new Set(sequences)].sort((a, b) => a - b);
}

/** The names in each directory that has pending changes, without the changes that are lost. */
function namesWithout(disk: DiskModel, lost: ReadonlySet<number>): Map<number, Listing> {
  const view = new Map<number, Listing>();
  for (const [node, entry] of disk.nodes)
    if (entry instanceof Directory && entry.pending.length > 0)
      view.set(
        node,
        entry.keeping(({ sequence }) => !lost.has(sequence)),
      );
  return view;
}

// --- the data of a file ---

/** A content that the file may have after a power cut. */
function fileAfter(file: File, random: DiskRandom): Buffer {
  const upTo = (count: number) => Math.floor(random.next() * (count + 1));
  const edits = file.pending.length;
  const sizeAt = upTo(edits);
  const sizes = sizesAt(file, sizeAt);
  const size = sizes[upTo(sizes.length - 1)] ?? 0;
  // Half of the time the data are those of one moment, as if they had been written in order.
  const moment = random.next() < 0.5 ? upTo(edits) : undefined;
  const content = new Bytes(atLength(file, sizeAt));
  for (const sector of writtenSectors(file, size)) {
    const dataAt = moment ?? upTo(edits);
    const bytes = sectorAt(file, sector, { dataAt, sizeAt });
    const last = file.pending[dataAt - 1]?.change;
    if (last?.kind === 'write' && random.next() < TORN_SHARE) {
      // The power failed while this sector was written: behind some byte it is as before the last of the changes.
      const start = Math.max(0, last.position - sector * SECTOR_BYTES);
      const from = Math.min(SECTOR_BYTES, start + upTo(Math.min(SECTOR_BYTES, last.bytes.length)));
      sectorAt(file, sector, { dataAt: dataAt - 1, sizeAt }).copy(bytes, from, from);
    }
    content.write(sector * SECTOR_BYTES, bytes);
  }
  content.truncate(size);
  return content.snapshot();
}

function fileAllows(file: File, content: Buffer): boolean {
  const edits = file.pending.length;
  for (let sizeAt = 0; sizeAt <= edits; sizeAt++) {
    if (!sizesAt(file, sizeAt).includes(content.length)) continue;
    const base = new Bytes(atLength(file, sizeAt));
    base.truncate(content.length);
    const written = new Set(writtenSectors(file, content.length));
    const isAllowed = (sector: number): boolean => {
      const own = content.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES);
      if (!written.has(sector)) return own.equals(base.slice(sector * SECTOR_BYTES, SECTOR_BYTES));
      for (let dataAt = 0; dataAt <= edits; dataAt++) {
        const after = sectorAt(file, sector, { dataAt, sizeAt });
        const torn = own.findIndex((byte, index) => byte !== after[index]);
        if (torn < 0) return true;
        if (dataAt === 0) continue;
        const before = sectorAt(file, sector, { dataAt: dataAt - 1, sizeAt });
        if (own.subarray(torn).equals(before.subarray(torn, own.length))) return true;
      }
      return false;
    };
    const sectors = Array.from({ length: Math.ceil(content.length / SECTOR_BYTES) }, (_, n) => n);
    if (sectors.every(isAllowed)) return true;
  }
  return false;
}

/** The lengths that a file may have if the first `count` of its pending changes, or part of the last, are on the disk. */
function sizesAt({ durable, pending }: File, count: number): number[] {
  let size = durable.length;
  let before = size;
  for (const { change } of pending.slice(0, count)) {
    before = size;
    size = change.kind === 'truncate' ? change.length : Math.max(size, change.position + change.bytes.length);
  }
  const sizes = [size];
  for (let sector = Math.floor(before / SECTOR_BYTES) + 1; sector * SECTOR_BYTES < size; sector++)
    sizes.push(sector * SECTOR_BYTES);
  return sizes;
}

/** The durable content with those of the first `count` pending changes that cut it. */
function atLength({ durable, pending }: File, count: number): Buffer {
  const content = durable.copy();
  for (const { change } of pending.slice(0, count))
    if (change.kind === 'truncate') content.truncate(change.length);
  return content.snapshot();
}

/** The numbers of the sectors below `size` that pending writes touch. */
function writtenSectors({ pending }: File, size: number): number[] {
  const sectors = new Set<number>();
  for (const { change } of pending) {
    if (change.kind !== 'write') continue;
    const end = Math.min(size, change.position + change.bytes.length);
    for (let sector = Math.floor(change.position / SECTOR_BYTES); sector * SECTOR_BYTES < end; sector++)
      sectors.add(sector);
  }
  return [...sectors].sort((a, b) => a - b);
}

/** A sector with the first `dataAt` of the pending writes, and the first `sizeAt` of the pending cuts. */
function sectorAt(
  { durable, pending }: File,
  sector: number,
  { dataAt, sizeAt }: { readonly dataAt: number; readonly sizeAt: number },
): Buffer {
  const from = sector * SECTOR_BYTES;
  const bytes = Buffer.alloc(SECTOR_BYTES);
  durable.slice(from, SECTOR_BYTES).copy(bytes);
  for (const [index, { change }] of pending.entries()) {
    if (change.kind === 'truncate') {
      if (index < sizeAt) bytes.fill(0, Math.min(SECTOR_BYTES, Math.max(0, change.length - from)));
    } else if (index < dataAt) {
      const skipped = Math.max(0, from - change.position);
      if (skipped < change.bytes.length) {
        const at = Math.max(0, change.position - from);
        if (at < SECTOR_BYTES) change.bytes.copy(bytes, at, skipped);
      }
    }
  }
  return bytes;
}

// --- comparing with a real tree ---

/** The first difference between the tree and a disk with these names. */
function differs(
  disk: DiskModel,
  {
    names,
    tree,
    isIgnored,
  }: {
    readonly names: ReadonlyMap<number, Listing>;
    readonly tree: Tree;
    readonly isIgnored: (path: string) => boolean;
  },
): string | undefined {
  const expected = new Map<string, number>();
  const visit = (node: number, path: string): void => {
    if (isIgnored(path)) return;
    if (path !== '') expected.set(path, node);
    const entry = disk.nodes.get(node);
    if (!(entry instanceof Directory)) return;
    for (const [name, child] of names.get(node) ?? entry.current)
      visit(child, path === '' ? name : `${path}/${name}`);
  };
  visit(ROOT, '');
  for (const path of tree.keys()) if (!expected.has(path)) return `${path} is there`;
  for (const [path, node] of expected) {
    const content = tree.get(path);
    if (content === undefined) return `${path} is missing`;
    const entry = disk.nodes.get(node);
    if (entry instanceof File !== (content !== null)) return `${path} is of another kind`;
    if (entry instanceof File && content !== null && !fileAllows(entry, content))
      return `${path} has a content of ${content.length} bytes that is not allowed`;
  }
  return undefined;
}
