// The results of stat, statfs and readdir, with the fields and methods that Node gives them.
import { constants } from 'node:fs';
import { BLOCK_BYTES, type Store } from './store.ts';

type Kind = 'file' | 'directory' | 'device';

const TYPE_BITS: Readonly<Record<Kind, number>> = {
  file: constants.S_IFREG,
  directory: constants.S_IFDIR,
  device: constants.S_IFCHR,
};

class Entry {
  readonly #kind: Kind;

  constructor(kind: Kind) {
    this.#kind = kind;
  }

  isFile(): boolean {
    return this.#kind === 'file';
  }

  isDirectory(): boolean {
    return this.#kind === 'directory';
  }

  isCharacterDevice(): boolean {
    return this.#kind === 'device';
  }

  isSymbolicLink(): boolean {
    return false;
  }

  isBlockDevice(): boolean {
    return false;
  }

  isFIFO(): boolean {
    return false;
  }

  isSocket(): boolean {
    return false;
  }
}

interface Figures {
  readonly dev: number;
  readonly ino: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly blksize: number;
  readonly blocks: number;
  readonly atimeMs: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly birthtimeMs: number;
}

/** As fs.Stats. */
export class SimStats extends Entry {
  declare readonly dev: number;
  declare readonly ino: number;
  declare readonly mode: number;
  declare readonly nlink: number;
  declare readonly uid: number;
  declare readonly gid: number;
  declare readonly size: number;
  declare readonly mtimeMs: number;
  declare readonly birthtimeMs: number;
  readonly #kind: Kind;
  readonly #figures: Figures;

  constructor(kind: Kind, figures: Figures) {
    super(kind);
    this.#kind = kind;
    this.#figures = figures;
    Object.assign(this, figures);
  }

  get atime(): Date {
    return new Date(this.#figures.atimeMs);
  }

  get mtime(): Date {
    return new Date(this.#figures.mtimeMs);
  }

  get ctime(): Date {
    return new Date(this.#figures.ctimeMs);
  }

  get birthtime(): Date {
    return new Date(this.#figures.birthtimeMs);
  }

  /** As fs.BigIntStats: the same figures as bigints, and the times in nanoseconds too. */
  get withBigInts(): Entry & Readonly<Record<string, unknown>> {
    const figures = Object.entries(this.#figures).flatMap(([name, value]: [string, number]) => {
      const own = [name, BigInt(Math.trunc(value))];
      return name.endsWith('timeMs')
        ? [own, [name.replace('Ms', 'Ns'), BigInt(Math.round(value * 1e6))]]
        : [own];
    });
    return Object.assign(new Entry(this.#kind), Object.fromEntries(figures) as Record<string, unknown>);
  }
}

export function statsOf(store: Store, node: number, isNull: boolean): SimStats {
  const { model } = store;
  const isDirectory = model.isDirectory(node);
  const kind = isDirectory ? 'directory' : isNull ? 'device' : 'file';
  const { mode, uid, gid, names, mtimeMs, ctimeMs, birthtimeMs } = store.meta(node);
  const size = isDirectory ? BLOCK_BYTES : model.sizeOf(node);
  const folders = isDirectory
    ? [...model.directory(node).current.values()].filter((child) => model.isDirectory(child)).length
    : 0;
  return new SimStats(kind, {
    dev: 1,
    ino: node + 1,
    mode: TYPE_BITS[kind] | mode,
    nlink: isDirectory && names > 0 ? 2 + folders : names,
    uid,
    gid,
    size,
    blksize: BLOCK_BYTES,
    blocks: Math.ceil(size / BLOCK_BYTES) * (BLOCK_BYTES / 512),
    atimeMs: mtimeMs,
    mtimeMs,
    ctimeMs,
    birthtimeMs,
  });
}

/** As fs.Dirent. */
export class SimDirent extends Entry {
  readonly name: string;
  readonly parentPath: string;
  readonly path: string;

  constructor(name: string, parentPath: string, isDirectory: boolean) {
    super(isDirectory ? 'directory' : 'file');
    this.name = name;
    this.parentPath = parentPath;
    this.path = parentPath;
  }
}

/** As fs.StatsFs. */
export interface SimStatsFs {
  readonly type: number;
  readonly bsize: number;
  readonly blocks: number;
  readonly bfree: number;
  readonly bavail: number;
  readonly files: number;
  readonly ffree: number;
}

export function spaceOf(store: Store): SimStatsFs {
  const free = Math.floor(store.freeBytes / BLOCK_BYTES);
  const files = 2 ** 20;
  return {
    // EXT4_SUPER_MAGIC of statfs(2).
    type: 0xef53,
    bsize: BLOCK_BYTES,
    blocks: Math.floor(store.limitBytes / BLOCK_BYTES),
    bfree: free,
    bavail: free,
    files,
    ffree: files - store.model.nodes.size,
  };
}
