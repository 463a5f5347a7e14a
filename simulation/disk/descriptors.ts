// The open descriptors of each simulated process. They are closed when the process dies.
import { systemError } from './errors.ts';
import type { DiskProcess } from './host.ts';
import type { OpenFile } from './open-file.ts';

/** Numbers below are for standard streams and sockets. */
const FIRST = 20;

export class Descriptors {
  /** Files that a process may have open. Beyond that an open fails with EMFILE. */
  limit = 20_000;
  readonly #closed: (file: OpenFile) => void;
  readonly #tables = new Map<DiskProcess, Map<number, OpenFile>>();

  /** @param closed called with each file that is closed */
  constructor(closed: (file: OpenFile) => void) {
    this.#closed = closed;
  }

  /** Files that this process has open. */
  count(process: DiskProcess): number {
    return this.#tables.get(process)?.size ?? 0;
  }

  /** @throws EMFILE if the process has too many */
  requireRoom(process: DiskProcess, path: string): void {
    if (this.count(process) >= this.limit) throw systemError('EMFILE', { syscall: 'open', path });
  }

  /** @returns the lowest number that is free */
  add(process: DiskProcess, file: OpenFile): number {
    const table = this.#table(process);
    let number = FIRST;
    while (table.has(number)) number++;
    table.set(number, file);
    return number;
  }

  /** @throws EBADF */
  get(process: DiskProcess, number: number, syscall: string): OpenFile {
    const file = this.#tables.get(process)?.get(number);
    if (file === undefined) throw systemError('EBADF', { syscall });
    return file;
  }

  /** @throws EBADF */
  close(process: DiskProcess, number: number): void {
    const file = this.get(process, number, 'close');
    this.#tables.get(process)?.delete(number);
    this.#closed(file);
  }

  closeAll(process: DiskProcess): void {
    const table = this.#tables.get(process);
    this.#tables.delete(process);
    for (const file of table?.values() ?? []) this.#closed(file);
  }

  /** Every process is gone. @returns the files that were open */
  forgetAll(): OpenFile[] {
    const files = [...this.#tables.values()].flatMap((table) => [...table.values()]);
    this.#tables.clear();
    return files;
  }

  #table(process: DiskProcess): Map<number, OpenFile> {
    const known = this.#tables.get(process);
    if (known !== undefined) return known;
    const table = new Map<number, OpenFile>();
    this.#tables.set(process, table);
    process.onDeath(() => this.closeAll(process));
    return table;
  }
}
