// The functions of node:fs/promises on a simulated disk. Each takes simulated time, on a thread of its process.
import { encodingOf, type PathArgument, pathOf } from './arguments.ts';
import type { Disk } from './disk.ts';
import { notSimulated } from './errors.ts';
import type { DiskOp } from './faults.ts';
import { SimFileHandle } from './file-handle.ts';
import { type RemoveOptions, removal } from './removal.ts';
import type { SimDirent, SimStats, SimStatsFs } from './stats.ts';

type Stats = SimStats | SimStats['withBigInts'];

export class PromiseCalls {
  readonly #disk: Disk;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  open = async (path: PathArgument, flags?: string | number, mode?: number): Promise<SimFileHandle> => {
    const text = pathOf(path);
    const descriptor = await this.#call('open', text, () => this.#disk.open(text, flags, mode));
    return new SimFileHandle(this.#disk, descriptor, text);
  };

  readFile = async (file: PathArgument | SimFileHandle, options?: unknown): Promise<Buffer | string> => {
    if (file instanceof SimFileHandle) return file.readFile(options);
    const handle = await this.open(file, 'r');
    try {
      return await handle.readFile(options);
    } finally {
      await handle.close();
    }
  };

  writeFile = async (
    file: PathArgument | SimFileHandle,
    data: string | Uint8Array,
    options?: { encoding?: BufferEncoding; mode?: number; flag?: string },
  ): Promise<void> => {
    if (file instanceof SimFileHandle) return file.writeFile(data);
    const handle = await this.open(file, options?.flag ?? 'w', options?.mode);
    try {
      await handle.writeFile(data);
    } finally {
      await handle.close();
    }
  };

  stat = (path: PathArgument, options?: { bigint?: boolean }): Promise<Stats> =>
    this.#stat(pathOf(path), 'stat', options);

  lstat = (path: PathArgument, options?: { bigint?: boolean }): Promise<Stats> =>
    this.#stat(pathOf(path), 'lstat', options);

  statfs = (path: PathArgument): Promise<SimStatsFs> =>
    this.#call('statfs', pathOf(path), () => this.#disk.files.statfs(pathOf(path)));

  /** Missing directories on the way are made in one call, as Node makes them. */
  mkdir = (
    path: PathArgument,
    options?: number | { mode?: number; recursive?: boolean },
  ): Promise<string | undefined> => {
    const text = pathOf(path);
    const { mode, recursive = false } = typeof options === 'object' ? options : { mode: options };
    return this.#call('mkdir', text, () => {
      if (recursive) return this.#disk.files.mkdirs(text, mode);
      this.#disk.files.mkdir(text, mode);
      return undefined;
    });
  };

  readdir = async (
    path: PathArgument,
    options?: { withFileTypes?: boolean; recursive?: boolean },
  ): Promise<(string | SimDirent)[]> => {
    if (options?.recursive === true) throw notSimulated('readdir with recursive');
    const text = pathOf(path);
    const entries = await this.#call('readdir', text, () => this.#disk.files.readdir(text));
    return options?.withFileTypes === true ? entries : entries.map(({ name }) => name);
  };

  unlink = (path: PathArgument): Promise<void> =>
    this.#call('unlink', pathOf(path), () => this.#disk.files.unlink(pathOf(path)));

  rmdir = (path: PathArgument): Promise<void> =>
    this.#call('rmdir', pathOf(path), () => this.#disk.files.rmdir(pathOf(path)));

  rename = (path: PathArgument, to: PathArgument): Promise<void> =>
    this.#call('rename', pathOf(path), () => this.#disk.files.rename(pathOf(path), pathOf(to)));

  rm = async (path: PathArgument, options?: RemoveOptions): Promise<void> => {
    for (const { op, path: one, work } of removal(this.#disk.files, pathOf(path), options))
      await this.#call(op, one, work);
  };

  chmod = (path: PathArgument, mode: number): Promise<void> =>
    this.#call('chmod', pathOf(path), () => this.#disk.files.chmod(pathOf(path), mode));

  access = (path: PathArgument, mode = 0): Promise<void> =>
    this.#call('stat', pathOf(path), () => this.#disk.files.access(pathOf(path), mode));

  realpath = (path: PathArgument): Promise<string> =>
    this.#call('stat', pathOf(path), () => this.#disk.files.realpath(pathOf(path)));

  /** The six characters at the end are those of a counter, since only their newness matters. */
  mkdtemp = (prefix: string, options?: unknown): Promise<string> => {
    if (encodingOf(options) !== undefined) throw notSimulated('mkdtemp with an encoding');
    const path = pathOf(prefix);
    return this.#call('mkdir', path, () => {
      for (let number = 0; ; number++) {
        const made = `${path}${String(number).padStart(6, '0')}`;
        if (this.#disk.files.exists(made)) continue;
        this.#disk.files.mkdir(made, 0o700);
        return made;
      }
    });
  };

  #stat(path: string, syscall: 'stat' | 'lstat', options?: { bigint?: boolean }): Promise<Stats> {
    return this.#call('stat', path, () => {
      const stats = this.#disk.files.stat(path, syscall);
      return options?.bigint === true ? stats.withBigInts : stats;
    });
  }

  #call<R>(op: DiskOp, path: string, work: () => R): Promise<R> {
    return this.#disk.later({ op, path }, work);
  }
}
