// Plays scripts of file calls on a directory, of the real disk or of a simulated one, and says what each call gave, in a form
// that both must have in common.
import realFs from 'node:fs';
import realPromises from 'node:fs/promises';
import type { Disk } from '../../../simulation/disk/disk.ts';
import { PromiseCalls } from '../../../simulation/disk/promise-calls.ts';
import type { SimStats } from '../../../simulation/disk/stats.ts';
import { SyncCalls } from '../../../simulation/disk/sync-calls.ts';

/** A path below the directory, such as `a/b`; empty for the directory itself. */
type Path = string;

export type Step =
  | { readonly kind: 'open'; readonly slot: number; readonly path: Path; readonly flags: string | number }
  | { readonly kind: 'close'; readonly slot: number }
  | { readonly kind: 'read'; readonly slot: number; readonly bytes: number; readonly position: number | null }
  | {
      readonly kind: 'write';
      readonly slot: number;
      readonly parts: readonly Buffer[];
      readonly position: number | null;
    }
  | { readonly kind: 'truncate'; readonly slot: number; readonly bytes: number }
  | { readonly kind: 'sync' | 'datasync' | 'fstat'; readonly slot: number }
  | { readonly kind: 'chmod'; readonly path: Path; readonly mode: number }
  | { readonly kind: 'mkdir' | 'rm'; readonly path: Path; readonly isDeep: boolean }
  | {
      readonly kind:
        | 'rmdir'
        | 'unlink'
        | 'readdir'
        | 'stat'
        | 'lstat'
        | 'statfs'
        | 'readFile'
        | 'access'
        | 'realpath'
        | 'syncFolder';
      readonly path: Path;
    }
  | { readonly kind: 'rename'; readonly path: Path; readonly to: Path };

export interface ScriptedCall {
  readonly step: Step;
  /** With the synchronous function. */
  readonly isSync: boolean;
}

/** The same functions of node:fs for both disks, as far as the scripts use them. */
interface Calls {
  readonly sync: SyncCalls;
  readonly promises: PromiseCalls;
}

type Handle = Awaited<ReturnType<PromiseCalls['open']>>;

export class Player {
  readonly #root: string;
  readonly #calls: Calls;
  readonly #handles = new Map<number, Handle>();
  readonly #descriptors = new Map<number, number>();

  private constructor(root: string, calls: Calls) {
    this.#root = root;
    this.#calls = calls;
  }

  /** Plays on a real directory. */
  static real(root: string): Player {
    // The simulated functions have fewer forms of arguments, and the scripts use only those.
    const calls = { sync: realFs, promises: realPromises } as unknown as Calls;
    return new Player(root, calls);
  }

  static simulated(root: string, disk: Disk): Player {
    return new Player(root, { sync: new SyncCalls(disk), promises: new PromiseCalls(disk) });
  }

  /** The result of the call, or its error, in words. */
  async play({ step, isSync }: ScriptedCall): Promise<string> {
    try {
      return wordsOf(isSync ? this.#now(step) : await this.#later(step));
    } catch (error) {
      // The steps of rm() depend on the version of Node.
      return step.kind === 'rm' ? `${(error as NodeJS.ErrnoException).code}` : this.#errorWords(error);
    }
  }

  async end(): Promise<void> {
    for (const handle of this.#handles.values()) await handle.close();
    for (const descriptor of this.#descriptors.values()) this.#calls.sync.closeSync(descriptor);
    this.#handles.clear();
    this.#descriptors.clear();
  }

  #now(step: Step): unknown {
    const { sync: fs } = this.#calls;
    if (!('path' in step)) return this.#nowOpen(step);
    const path = this.#full(step.path);
    switch (step.kind) {
      case 'open':
        // A slot that is in use stays as it is, as the other form of the call leaves it.
        if (this.#isUsed(step.slot)) return 'in use';
        this.#descriptors.set(step.slot, fs.openSync(path, step.flags, 0o600));
        return 'opened';
      case 'chmod':
        return 'only with a promise';
      case 'mkdir':
        return this.#relative(fs.mkdirSync(path, { recursive: step.isDeep, mode: 0o700 }));
      case 'rm':
        return fs.rmSync(path, { recursive: step.isDeep, force: step.isDeep });
      case 'rmdir':
        return fs.rmdirSync(path);
      case 'unlink':
        return fs.unlinkSync(path);
      case 'readdir':
        return fs.readdirSync(path, { withFileTypes: true });
      case 'stat':
        return fs.statSync(path);
      case 'lstat':
        return fs.lstatSync(path, { throwIfNoEntry: false });
      case 'statfs':
        return 'bsize' in fs.statfsSync(path);
      case 'readFile':
        return fs.readFileSync(path);
      case 'access':
        return fs.accessSync(path, 7);
      case 'realpath':
        return this.#relative(fs.realpathSync(path));
      case 'rename':
        return fs.renameSync(path, this.#full(step.to));
      case 'syncFolder': {
        const folder = fs.openSync(path, 'r');
        try {
          return fs.fsyncSync(folder);
        } finally {
          fs.closeSync(folder);
        }
      }
    }
  }

  #nowOpen(step: Exclude<Step, { readonly path: Path }>): unknown {
    const { sync: fs } = this.#calls;
    const { slot } = step;
    const descriptor = this.#descriptors.get(slot);
    if (descriptor === undefined) return this.#isUsed(slot) ? 'a handle' : 'not open';
    switch (step.kind) {
      case 'close':
        this.#descriptors.delete(slot);
        return fs.closeSync(descriptor);
      case 'read': {
        const bytes = Buffer.alloc(step.bytes);
        return bytes.subarray(0, fs.readSync(descriptor, bytes, 0, step.bytes, step.position));
      }
      case 'write': {
        const bytes = Buffer.concat(step.parts);
        return fs.writeSync(descriptor, bytes, 0, bytes.length, step.position);
      }
      case 'truncate':
        return fs.ftruncateSync(descriptor, step.bytes);
      case 'sync':
        return fs.fsyncSync(descriptor);
      case 'datasync':
        return fs.fdatasyncSync(descriptor);
      case 'fstat':
        return fs.fstatSync(descriptor);
    }
  }

  async #later(step: Step): Promise<unknown> {
    const { promises: fs } = this.#calls;
    if (!('path' in step)) return this.#laterOpen(step);
    const path = this.#full(step.path);
    switch (step.kind) {
      case 'open':
        if (this.#isUsed(step.slot)) return 'in use';
        this.#handles.set(step.slot, await fs.open(path, step.flags, 0o600));
        return 'opened';
      case 'chmod':
        return fs.chmod(path, step.mode);
      case 'mkdir':
        return this.#relative(await fs.mkdir(path, { recursive: step.isDeep, mode: 0o700 }));
      case 'rm':
        return fs.rm(path, { recursive: step.isDeep, force: step.isDeep });
      case 'readdir':
        return fs.readdir(path, { withFileTypes: true });
      case 'statfs':
        return 'bsize' in (await fs.statfs(path));
      case 'access':
        return fs.access(path, 7);
      case 'realpath':
        return this.#relative(await fs.realpath(path));
      case 'rename':
        return fs.rename(path, this.#full(step.to));
      case 'syncFolder': {
        const folder = await fs.open(path, 'r');
        try {
          return await folder.sync();
        } finally {
          await folder.close();
        }
      }
      default:
        return fs[step.kind](path);
    }
  }

  async #laterOpen(step: Exclude<Step, { readonly path: Path }>): Promise<unknown> {
    const { slot } = step;
    const handle = this.#handles.get(slot);
    if (handle === undefined) return this.#isUsed(slot) ? 'a descriptor' : 'not open';
    switch (step.kind) {
      case 'close':
        this.#handles.delete(slot);
        await handle.close();
        return `closed, ${handle.fd}`;
      case 'read': {
        const bytes = Buffer.alloc(step.bytes);
        const { bytesRead } = await handle.read(bytes, 0, step.bytes, step.position);
        return bytes.subarray(0, bytesRead);
      }
      case 'write':
        return (await handle.writev(step.parts, step.position)).bytesWritten;
      case 'truncate':
        return handle.truncate(step.bytes);
      case 'sync':
        return handle.sync();
      case 'datasync':
        return handle.datasync();
      case 'fstat':
        return handle.stat();
    }
  }

  #isUsed(slot: number): boolean {
    return this.#handles.has(slot) || this.#descriptors.has(slot);
  }

  #full(path: Path): string {
    return path === '' ? this.#root : `${this.#root}/${path}`;
  }

  #relative(path: string | undefined): string | undefined {
    return path?.replace(this.#root, '<root>');
  }

  #errorWords(error: unknown): string {
    const { name, code, errno, syscall, path, dest, message } = error as NodeJS.ErrnoException & {
      dest?: string;
    };
    if (code === undefined) throw error;
    return [name, code, errno, syscall, path, dest, message]
      .join(' ')
      .replaceAll(this.#root, '<root>')
      .replace(/\s+/g, ' ');
  }
}

function wordsOf(result: unknown): string {
  if (Buffer.isBuffer(result)) return `${result.length} bytes: ${result.toString('latin1').slice(0, 40)}`;
  if (Array.isArray(result))
    return result
      .map((entry: realFs.Dirent) => `${entry.name}${entry.isDirectory() ? '/' : ''}`)
      .sort()
      .join(' ');
  if (typeof result !== 'object' || result === null) return `${result}`;
  const stats = result as SimStats;
  const { mode, uid, gid, nlink, size } = stats;
  // The size of a directory depends on the size of blocks.
  return stats.isDirectory()
    ? `directory ${mode.toString(8)} ${uid} ${gid} ${nlink}`
    : `file ${mode.toString(8)} ${uid} ${gid} ${nlink} ${size} ${stats.isFile()}`;
}
