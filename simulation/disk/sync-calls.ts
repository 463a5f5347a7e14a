// The synchronous functions of node:fs on a simulated disk. They take no simulated time.
import { encodingOf, type PathArgument, pathOf, spanOf } from './arguments.ts';
import type { Disk } from './disk.ts';
import { systemError } from './errors.ts';
import { type RemoveOptions, removal } from './removal.ts';
import type { SimDirent, SimStats, SimStatsFs } from './stats.ts';

interface StatOptions {
  readonly bigint?: boolean;
  readonly throwIfNoEntry?: boolean;
}

type Stats = SimStats | SimStats['withBigInts'];

export class SyncCalls {
  readonly #disk: Disk;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  openSync = (path: PathArgument, flags?: string | number, mode?: number): number =>
    this.#disk.open(pathOf(path), flags, mode);

  closeSync = (descriptor: number): void => this.#disk.close(descriptor);

  /** Arguments behind the descriptor as for FileHandle.read. */
  readSync = (descriptor: number, ...args: unknown[]): number => {
    const { bytes, position } = spanOf(args);
    return this.#disk.file(descriptor, 'read').read(bytes, position);
  };

  /** Arguments behind the descriptor as for FileHandle.write. */
  writeSync = (descriptor: number, ...args: unknown[]): number => {
    const { bytes, position } = spanOf(args);
    return this.#disk.file(descriptor, 'write').write(bytes, position);
  };

  ftruncateSync = (descriptor: number, length = 0): void =>
    this.#disk.file(descriptor, 'ftruncate').truncate(length);

  fsyncSync = (descriptor: number): void => this.#disk.file(descriptor, 'fsync').sync('fsync');

  fdatasyncSync = (descriptor: number): void => this.#disk.file(descriptor, 'fdatasync').sync('fdatasync');

  fstatSync = (descriptor: number, options?: StatOptions): Stats =>
    asked(this.#disk.file(descriptor, 'fstat').stat(), options);

  readFileSync = (file: PathArgument | number, options?: unknown): Buffer | string => {
    const descriptor = typeof file === 'number' ? file : this.openSync(file, 'r');
    try {
      const content = this.#rest(descriptor);
      const encoding = encodingOf(options);
      return encoding === undefined ? content : content.toString(encoding);
    } finally {
      if (descriptor !== file) this.closeSync(descriptor);
    }
  };

  statSync = (path: PathArgument, options?: StatOptions): Stats | undefined =>
    this.#stat(pathOf(path), 'stat', options);

  lstatSync = (path: PathArgument, options?: StatOptions): Stats | undefined =>
    this.#stat(pathOf(path), 'lstat', options);

  statfsSync = (path: PathArgument): SimStatsFs => this.#disk.files.statfs(pathOf(path));

  accessSync = (path: PathArgument, mode = 0): void => this.#disk.files.access(pathOf(path), mode);

  existsSync = (path: PathArgument): boolean => {
    try {
      this.#disk.files.access(pathOf(path), 0);
      return true;
    } catch {
      return false;
    }
  };

  mkdirSync = (
    path: PathArgument,
    options?: number | { mode?: number; recursive?: boolean },
  ): string | undefined => {
    const { mode, recursive = false } = typeof options === 'object' ? options : { mode: options };
    if (recursive) return this.#disk.files.mkdirs(pathOf(path), mode);
    this.#disk.files.mkdir(pathOf(path), mode);
    return undefined;
  };

  readdirSync = (path: PathArgument, options?: { withFileTypes?: boolean }): (string | SimDirent)[] => {
    const entries = this.#disk.files.readdir(pathOf(path));
    return options?.withFileTypes === true ? entries : entries.map(({ name }) => name);
  };

  unlinkSync = (path: PathArgument): void => this.#disk.files.unlink(pathOf(path));

  rmdirSync = (path: PathArgument): void => this.#disk.files.rmdir(pathOf(path));

  renameSync = (path: PathArgument, to: PathArgument): void =>
    this.#disk.files.rename(pathOf(path), pathOf(to));

  rmSync = (path: PathArgument, options?: RemoveOptions): void => {
    for (const { work } of removal(this.#disk.files, pathOf(path), options)) work();
  };

  readlinkSync = (path: PathArgument): never => this.#disk.files.readlink(pathOf(path));

  /** Node looks at each directory on the way, and names the first one that is missing. */
  realpathSync = (path: PathArgument): string => {
    const real = this.#disk.files.normal(pathOf(path));
    const names = real.split('/').slice(1);
    for (const index of names.keys())
      this.#disk.files.stat(`/${names.slice(0, index + 1).join('/')}`, 'lstat');
    return real;
  };

  #stat(path: string, syscall: 'stat' | 'lstat', options?: StatOptions): Stats | undefined {
    try {
      return asked(this.#disk.files.stat(path, syscall), options);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (options?.throwIfNoEntry === false && code === 'ENOENT') return undefined;
      throw error;
    }
  }

  #rest(descriptor: number): Buffer {
    const file = this.#disk.file(descriptor, 'fstat');
    if (file.stat().isDirectory()) throw systemError('EISDIR', { syscall: 'read' });
    const parts: Buffer[] = [];
    for (;;) {
      const part = Buffer.alloc(64 * 1024);
      const length = file.read(part, null);
      if (length === 0) return Buffer.concat(parts);
      parts.push(part.subarray(0, length));
    }
  }
}

function asked(stats: SimStats, options: StatOptions | undefined): Stats {
  return options?.bigint === true ? stats.withBigInts : stats;
}
