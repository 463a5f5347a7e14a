// FileHandle of node:fs/promises. A close waits for calls that have not ended, and calls after it fail, as in Node.
import { encodingOf, spanOf } from './arguments.ts';
import type { Disk } from './disk.ts';
import { notSimulated } from './errors.ts';
import type { DiskOp } from './faults.ts';
import type { OpenFile } from './open-file.ts';
import type { SimStats } from './stats.ts';

export class SimFileHandle {
  readonly #disk: Disk;
  readonly #path: string;
  #descriptor: number;
  #calls = 0;
  #idle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(disk: Disk, descriptor: number, path: string) {
    this.#disk = disk;
    this.#descriptor = descriptor;
    this.#path = path;
  }

  /** -1 once it is closed, or about to be. */
  get fd(): number {
    return this.#descriptor;
  }

  read(...args: unknown[]): Promise<{ bytesRead: number; buffer: unknown }> {
    const { bytes, position } = spanOf(args);
    const [first] = args;
    const buffer = ArrayBuffer.isView(first) ? first : ((first as { buffer?: unknown })?.buffer ?? bytes);
    return this.#call({ op: 'read', syscall: 'read' }, (file) => ({
      bytesRead: file.read(bytes, position),
      buffer,
    }));
  }

  write(...args: unknown[]): Promise<{ bytesWritten: number; buffer: unknown }> {
    const { bytes, position } = spanOf(args);
    return this.#call({ op: 'write', syscall: 'write' }, (file) => ({
      bytesWritten: file.write(bytes, position),
      buffer: args[0],
    }));
  }

  /** @param position left out or null for the file's own */
  writev(
    buffers: readonly Uint8Array[],
    position?: number | null,
  ): Promise<{ bytesWritten: number; buffers: readonly Uint8Array[] }> {
    return this.#call({ op: 'write', syscall: 'write' }, (file) => ({
      bytesWritten: file.write(Buffer.concat(buffers), position ?? null),
      buffers,
    }));
  }

  async readFile(options?: unknown): Promise<Buffer | string> {
    const parts: Buffer[] = [];
    for (;;) {
      const part = Buffer.alloc(64 * 1024);
      const { bytesRead } = await this.read(part, 0, part.length, null);
      if (bytesRead === 0) break;
      parts.push(part.subarray(0, bytesRead));
    }
    const encoding = encodingOf(options);
    const content = Buffer.concat(parts);
    return encoding === undefined ? content : content.toString(encoding);
  }

  async writeFile(data: string | Uint8Array): Promise<void> {
    let rest = Buffer.from(data);
    while (rest.length > 0) {
      const { bytesWritten } = await this.write(rest, 0, rest.length, null);
      rest = rest.subarray(bytesWritten);
    }
  }

  truncate(length = 0): Promise<void> {
    return this.#call({ op: 'truncate', syscall: 'ftruncate' }, (file) => file.truncate(length));
  }

  sync(): Promise<void> {
    return this.#sync('fsync');
  }

  datasync(): Promise<void> {
    return this.#sync('fdatasync');
  }

  stat(options?: { bigint?: boolean }): Promise<SimStats | SimStats['withBigInts']> {
    return this.#call({ op: 'stat', syscall: 'fstat' }, (file) => {
      const stats = file.stat();
      return options?.bigint === true ? stats.withBigInts : stats;
    });
  }

  chmod(mode: number): Promise<void> {
    return this.#call({ op: 'chmod', syscall: 'fchmod' }, (file) => file.chmod(mode));
  }

  chown(uid: number, gid: number): Promise<void> {
    return this.#call({ op: 'chmod', syscall: 'fchown' }, (file) => file.chown(uid, gid));
  }

  close(): Promise<void> {
    if (this.#descriptor === -1) return this.#closing ?? Promise.resolve();
    const descriptor = this.#descriptor;
    const path = this.#path;
    this.#descriptor = -1;
    const close = (): Promise<void> =>
      this.#disk.later({ op: 'close', path }, () => this.#disk.close(descriptor));
    this.#closing =
      this.#calls === 0
        ? close()
        : new Promise<void>((resolve) => {
            this.#idle = resolve;
          }).then(close);
    return this.#closing.finally(() => {
      this.#closing = undefined;
    });
  }

  createReadStream(): never {
    throw notSimulated('FileHandle.createReadStream');
  }

  createWriteStream(): never {
    throw notSimulated('FileHandle.createWriteStream');
  }

  appendFile(): never {
    throw notSimulated('FileHandle.appendFile');
  }

  readv(): never {
    throw notSimulated('FileHandle.readv');
  }

  utimes(): never {
    throw notSimulated('FileHandle.utimes');
  }

  #sync(syscall: 'fsync' | 'fdatasync'): Promise<void> {
    let begin: number | undefined;
    return this.#call(
      { op: 'sync', syscall },
      (file) => file.sync(syscall, begin),
      (file) => {
        begin = file.syncBegin;
      },
    );
  }

  /** @param atBegin called at once, with the open file */
  async #call<R>(
    { op, syscall }: { readonly op: DiskOp; readonly syscall: string },
    work: (file: OpenFile) => R,
    atBegin?: (file: OpenFile) => void,
  ): Promise<R> {
    if (this.#descriptor === -1) throw Object.assign(new Error('file closed'), { code: 'EBADF', syscall });
    const file = this.#disk.file(this.#descriptor, syscall);
    atBegin?.(file);
    this.#calls++;
    try {
      return await this.#disk.later({ op, path: this.#path, isAtEnd: op === 'sync' }, () => work(file));
    } finally {
      this.#calls--;
      if (this.#calls === 0) this.#idle?.();
    }
  }
}
