// The disk of one machine in a world: its files, the descriptors and locks of its processes, the time that calls take, and
// the faults that a history asks for. shims/fs.ts and shims/fs-promises.ts give it the face of node:fs.
//
// - A synchronous call takes no time. An asynchronous one takes a thread of its process and some time; its change is made
//   at the beginning or at the end of that time, so a process that is killed meanwhile has made it or not.
// - A sync covers the changes that were made before it began, and counts from its end on.
import { Descriptors } from './descriptors.ts';
import { ROOT } from './disk-model.ts';
import type { DiskOp, FaultOptions, Matching } from './faults.ts';
import { FileSystem } from './file-system.ts';
import type { DiskHost, DiskProcess, DiskRandom } from './host.ts';
import { type LockKind, Locks } from './locks.ts';
import type { OpenFile } from './open-file.ts';
import { cutPower } from './power-cut.ts';
import { Store } from './store.ts';
import { ThreadPools } from './thread-pool.ts';

export interface Call {
  readonly op: DiskOp;
  /** For faults. */
  readonly path: string;
  /** The change is made at the end of the call only. */
  readonly isAtEnd?: boolean;
}

/** Shortest and longest time of an asynchronous call, in milliseconds. */
const CALL_MS = [0.02, 0.2] as const;
/** fdatasync of 64 KiB was measured with 0.21 ms at the median and 0.34 ms at the 99th percentile. */
const SYNC_MS = [0.15, 1.5] as const;

export class Disk {
  readonly files: FileSystem;
  readonly #host: DiskHost;
  readonly #store: Store;
  readonly #times: DiskRandom;
  readonly #locks = new Locks();
  readonly #pools = new ThreadPools();
  readonly #descriptors = new Descriptors((file) => this.#closed(file));
  #hanging: (() => void)[] = [];

  constructor(host: DiskHost) {
    this.#host = host;
    this.#store = new Store(host);
    this.files = new FileSystem(this.#store);
    this.#times = host.random('disk times');
  }

  // --- for the shims ---

  /** Opens a file for the process that runs now. @returns its descriptor */
  open(path: string, flags?: string | number, mode?: number): number {
    this.#descriptors.requireRoom(this.#host.current, path);
    return this.#descriptors.add(this.#host.current, this.files.open(path, flags, mode));
  }

  /** The open file of a descriptor of the process that runs now. @throws EBADF */
  file(descriptor: number, syscall: string): OpenFile {
    return this.#descriptors.get(this.#host.current, descriptor, syscall);
  }

  /** @throws EBADF, or the error of a fault; the descriptor is closed all the same */
  close(descriptor: number): void {
    const { path } = this.file(descriptor, 'close');
    this.#descriptors.close(this.#host.current, descriptor);
    this.#store.faults.check('close', { syscall: 'close' }, path);
  }

  /** Does the work as an asynchronous call of the process that runs now. */
  later<R>({ op, path, isAtEnd = false }: Call, work: () => R): Promise<R> {
    const process = this.#host.current;
    return new Promise((resolve, reject) => {
      this.#pools.add(process, (done) => {
        const delayMs = this.#delayOf(op) + this.#store.faults.delayOf(op, path);
        const hangs = this.#store.faults.hangs(op, path);
        const isEarly = !isAtEnd && !hangs && this.#times.next() < 0.5;
        const early = isEarly ? outcomeOf(work) : undefined;
        const end = (): void => {
          const outcome = early ?? outcomeOf(work);
          done();
          if ('error' in outcome) reject(outcome.error);
          else resolve(outcome.result);
        };
        const finish = (): unknown => this.#host.after(delayMs, end, process);
        if (!hangs) finish();
        else {
          this.#store.note(`${op} ${path} hangs`);
          this.#hanging.push(finish);
        }
      });
    });
  }

  /**
   * Takes a lock of flock(2) on a descriptor of the process that runs now. False if another description has it.
   * @throws EBADF
   */
  flock(descriptor: number, kind: LockKind): boolean {
    return this.#locks.take(this.file(descriptor, 'flock'), kind);
  }

  // --- faults ---

  /** The next call of this kind fails with the code, such as EIO or ENOSPC. */
  failNext(op: DiskOp, code: string, matching?: Matching): void {
    this.fail(op, code, { matching });
  }

  /** As failNext, for more than one call. Returns the way to end the fault. */
  fail(op: DiskOp, code: string, options: FaultOptions = {}): () => void {
    return this.#store.faults.fail(op, code, options);
  }

  /** The next write takes only this share of its bytes, from 0 to 1, and the one after it goes on as usual. */
  shortenNextWrite(share: number, matching?: Matching): void {
    this.#store.faults.shorten(share, { matching });
  }

  /** Asynchronous calls of this kind take so much longer, until the returned function is called. */
  slow(op: DiskOp, delayMs: number, options: FaultOptions = {}): () => void {
    return this.#store.faults.slow(op, delayMs, { times: Number.POSITIVE_INFINITY, ...options });
  }

  /** The next asynchronous call of this kind does not end before release(). */
  hang(op: DiskOp, options: FaultOptions = {}): () => void {
    return this.#store.faults.hang(op, options);
  }

  /** Calls that hang go on. */
  release(): void {
    for (const finish of this.#hanging.splice(0)) finish();
  }

  /** Size of the disk. Less than is used means that it is full. */
  get limitBytes(): number {
    return this.#store.limitBytes;
  }

  set limitBytes(bytes: number) {
    this.#store.limitBytes = bytes;
    this.#store.note(`the disk has ${bytes} bytes, of which ${this.#store.freeBytes} are free`);
  }

  get usedBytes(): number {
    return this.#store.usedBytes;
  }

  set isReadOnly(isReadOnly: boolean) {
    this.#store.isReadOnly = isReadOnly;
    this.#store.note(`the disk is ${isReadOnly ? 'read-only' : 'writable'}`);
  }

  /** Files that a process may have open. */
  set maxDescriptors(limit: number) {
    this.#descriptors.limit = limit;
  }

  /** Flips one bit of one of these files, on the disk and in memory. Undefined if they hold no byte. */
  flipBit(
    random: DiskRandom,
    matching: Matching = () => true,
  ): { readonly path: string; readonly position: number; readonly bit: number } | undefined {
    const files = [...this.files.list()].filter(({ path, bytes }) => bytes > 0 && matching(path));
    let at = Math.floor(random.next() * files.reduce((sum, { bytes }) => sum + bytes, 0));
    for (const { path, node, bytes } of files) {
      if (at < bytes) {
        const bit = Math.floor(random.next() * 8);
        const { current, durable } = this.#store.model.file(node);
        current.flip(at, bit);
        durable.flip(at, bit);
        this.#store.note(`bit ${bit} of byte ${at} of ${path} flips`);
        return { path, position: at, bit };
      }
      at -= bytes;
    }
    return undefined;
  }

  /**
   * `process` changes nothing: the files of a process that dies are closed anyway. `power` is for a machine of which every
   * process was killed: of the changes that were not synced a part is lost, by chance.
   */
  crash(kind: 'process' | 'power', random: DiskRandom): void {
    if (kind === 'process') return;
    this.#store.note(`power cut: ${cutPower(this.#store.model, random)}`);
    for (const file of this.#descriptors.forgetAll()) file.forget();
    this.#locks.clear();
    this.#hanging = [];
    this.#store.recount();
  }

  /** Ends every fault, and gives the disk all its room. Bits that were flipped, and lost changes, stay as they are. */
  heal(): void {
    this.#store.faults.clear();
    this.#store.limitBytes = this.#store.roomBytes;
    this.#store.isReadOnly = false;
    this.release();
    this.#store.note('no more faults');
  }

  /** How often each kind of fault has met a call: `error write EIO`, `short write`, `hang sync`. */
  get faultsMet(): ReadonlyMap<string, number> {
    return this.#store.faults.met;
  }

  // --- for the judge and for tests; they take no time and meet no fault ---

  /** The size of each file below a directory, by its path. */
  sizes(under = '/'): Map<string, number> {
    const found = [...this.files.list()].filter(({ path }) =>
      path.startsWith(`${under.replace(/\/$/, '')}/`),
    );
    return new Map(found.map(({ path, bytes }) => [path, bytes]));
  }

  bytesUnder(under: string): number {
    return [...this.sizes(under).values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** The content of a file; undefined if there is none of that path. */
  contentOf(path: string): Buffer | undefined {
    for (const file of this.files.list())
      if (file.path === path) return Buffer.from(this.#store.model.file(file.node).current.snapshot());
    return undefined;
  }

  /** Puts a file on the disk, durably. Directories on the way are made. */
  put(path: string, content: Buffer | string): void {
    const folders = path.split('/').slice(1, -1);
    for (const index of folders.keys()) {
      const folder = folderAt(folders, index);
      if (!this.files.exists(folder)) this.files.mkdir(folder, 0o755);
    }
    const file = this.files.open(path, 'w', 0o644);
    file.write(Buffer.from(content), 0);
    file.close();
    const nodes = [
      file.node,
      ...folders.map((_, index) => this.files.nodeOf(folderAt(folders, index))),
      ROOT,
    ];
    for (const node of nodes) this.#store.apply({ kind: 'sync', node, failed: false });
  }

  /** Descriptors of files that a process has open. */
  openCount(process: DiskProcess): number {
    return this.#descriptors.count(process);
  }

  #closed(file: OpenFile): void {
    this.#locks.release(file);
    file.close();
  }

  #delayOf(op: DiskOp): number {
    const [shortest, longest] = op === 'sync' ? SYNC_MS : CALL_MS;
    return shortest + (longest - shortest) * this.#times.next();
  }
}

function folderAt(folders: readonly string[], index: number): string {
  return `/${folders.slice(0, index + 1).join('/')}`;
}

type Outcome<R> = { readonly result: R } | { readonly error: unknown };

function outcomeOf<R>(work: () => R): Outcome<R> {
  try {
    return { result: work() };
  } catch (error) {
    return { error };
  }
}
