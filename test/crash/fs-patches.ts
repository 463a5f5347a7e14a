// Replaces functions of node:fs to tell journals (fs-journal.ts) of each change below their directories. Calls that it
// cannot record there are refused, so that no test passes because a change was missed.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join, resolve } from 'node:path';
import type { FsJournal, OpenFile, Write } from './fs-journal.ts';

type Call = (this: unknown, ...args: unknown[]) => unknown;
type Callback = (error: unknown, ...results: unknown[]) => void;
// The type of a journal's marks does not matter here.
type Journal = FsJournal<never>;

interface Place {
  readonly journal: Journal;
  readonly path: string;
}

interface Recorded {
  readonly journal: Journal;
  readonly file: OpenFile;
}

const { O_CREAT, O_TRUNC, O_APPEND, O_WRONLY, O_RDWR } = fs.constants;
const FLAGS: Readonly<Record<string, number>> = {
  r: 0,
  'r+': O_RDWR,
  w: O_WRONLY | O_CREAT | O_TRUNC,
  wx: O_WRONLY | O_CREAT | O_TRUNC,
  'w+': O_RDWR | O_CREAT | O_TRUNC,
  'wx+': O_RDWR | O_CREAT | O_TRUNC,
  a: O_WRONLY | O_CREAT | O_APPEND,
  'a+': O_RDWR | O_CREAT | O_APPEND,
};

const NOT_RECORDED = {
  promises: ['copyFile', 'cp', 'symlink', 'truncate', 'appendFile', 'mkdtemp'],
  callbacks: [
    ...['copyFile', 'cp', 'symlink', 'truncate', 'appendFile', 'writeFile', 'ftruncate', 'mkdtemp', 'link'],
    ...['mkdir', 'rename', 'rm', 'rmdir', 'unlink', 'fsync', 'fdatasync'],
  ],
  sync: ['copyFileSync', 'cpSync', 'symlinkSync', 'truncateSync', 'appendFileSync', 'writevSync'],
  handles: ['createWriteStream', 'appendFile'],
};

const journals = new Set<Journal>();
const handles = new WeakMap<object, Recorded>();
const descriptors = new Map<number, Recorded>();
const originals: (() => void)[] = [];

/** Tells the journal of changes until the returned function is called. */
export function patchedFor<T>(journal: FsJournal<T>): () => void {
  const added = journal as unknown as Journal;
  if (journals.size === 0) patchAll();
  journals.add(added);
  return () => {
    if (journals.delete(added) && journals.size === 0) unpatchAll();
  };
}

export function bitsOf(flags: unknown): number {
  if (typeof flags === 'number') return flags;
  const bits = FLAGS[String(flags)];
  if (bits === undefined) throw notRecorded(`open with ${String(flags)}`);
  return bits;
}

export function failure(code: string): Error {
  return Object.assign(new Error(`${code}: made to fail by the test`), { code });
}

export function crashed(): Error {
  return Object.assign(new Error('the process has crashed'), { code: 'EIO' });
}

export function notRecorded(what: string): Error {
  return new Error(`the journal does not know how to record ${what}`);
}

function patchAll(): void {
  patchHandles(fileHandlePrototype);
  patchNames();
  patchPromises();
  patchCallbacks();
  patchSync();
  for (const name of NOT_RECORDED.promises) refuse(fs.promises, name);
  for (const name of [...NOT_RECORDED.callbacks, ...NOT_RECORDED.sync]) refuse(fs, name);
  syncBuiltinESMExports();
}

function unpatchAll(): void {
  for (const restore of originals.splice(0).reverse()) restore();
  syncBuiltinESMExports();
}

const file = await fs.promises.open('.', 'r');
const fileHandlePrototype = Object.getPrototypeOf(file) as object;
await file.close();

// --- changes of names, with promises and synchronous ---

/** Each returns a function that records the change once it is made. */
const NAME_CHANGES: Readonly<
  Record<string, (journal: Journal, path: string, to: unknown) => (asked: number) => void>
> = {
  mkdir: (journal, path) => journal.making(path),
  unlink: (journal, path) => journal.removing('unlink', path),
  rmdir: (journal, path) => journal.removing('rmdir', path),
  rename: (journal, path, to) => journal.renaming(path, pathIn(journal, to)),
  link: (journal, path, to) => journal.linking(path, pathIn(journal, to)),
};

function patchNames(): void {
  for (const [name, begin] of Object.entries(NAME_CHANGES)) {
    const journalOf = (args: readonly unknown[]) => (placeOf(args[0]) ?? placeOf(args[1]))?.journal;
    patch(fs.promises, name, (original) => (...args) => {
      const journal = journalOf(args);
      if (journal === undefined) return original(...args);
      return journal.one(async (asked) => {
        const record = begin(journal, pathIn(journal, args[0]), args[1]);
        const result = await original(...args);
        record(asked);
        return result;
      });
    });
    patch(fs, `${name}Sync`, (original) => (...args) => {
      const journal = journalOf(args);
      if (journal === undefined) return original(...args);
      const now = journal.now();
      const record = begin(journal, pathIn(journal, args[0]), args[1]);
      const result = original(...args);
      record(now);
      return result;
    });
  }
}

/** The steps of rm, in order. */
function* removal(
  { journal, path }: Place,
  options: fs.RmOptions = {},
): Generator<readonly ['unlink' | 'rmdir', string]> {
  if (!journal.isThere(path) && options.force) return;
  const names = journal.namesIn(path);
  if (names === undefined) return yield ['unlink', path];
  if (!options.recursive) throw notRecorded('rm of a directory that is not recursive');
  for (const name of names) yield* removal({ journal, path: join(path, name) }, options);
  yield ['rmdir', path];
}

// --- node:fs/promises ---

function patchPromises(): void {
  const { promises } = fs;
  patchPath(promises, 'open', async (original, { journal, path }, args) => {
    const [, flags = 'r'] = args;
    const open = async (asked?: number) => {
      const record = asked === undefined ? undefined : journal.opening(path, flags);
      const handle = (await original(...args)) as object;
      if (asked !== undefined) record?.(asked);
      handles.set(handle, { journal, file: journal.opened(path, flags) });
      return handle;
    };
    return isWriting(flags) ? journal.one(open) : open();
  });
  patchPath(promises, 'statfs', async (original, { journal }, args) => journal.space ?? original(...args));
  patchPath(promises, 'writeFile', async (_, { path }, [, data, options]) => {
    const handle = await fs.promises.open(path, flagOf(options) ?? 'w');
    try {
      await handle.write(asBuffer(data));
    } finally {
      await handle.close();
    }
  });
  patchPath(promises, 'rm', async (_, place, [, options]) => {
    for (const [step, path] of removal(place, options as fs.RmOptions | undefined))
      await promises[step](path);
  });
}

function patchHandles(prototype: object): void {
  const { write, truncate, sync, datasync } = prototype as Record<string, Call>;
  if (!write || !truncate || !sync || !datasync) throw new Error('this is no FileHandle');
  const append = ({ journal, file }: Recorded, handle: object, wanted: Write) =>
    journal.one(async (asked) => {
      const place = journal.writing(file, wanted);
      await write.call(handle, place.part, 0, place.part.length, place.at);
      journal.written(file, place, wanted, asked);
      return { bytesWritten: place.part.length, buffer: wanted.bytes };
    }, file);
  patchHandle(prototype, 'write', (recorded, handle, args) => append(recorded, handle, writeOf(args)));
  patchHandle(prototype, 'writev', (recorded, handle, [buffers, position]) =>
    append(recorded, handle, {
      bytes: Buffer.concat(buffers as Buffer[]),
      position: numberOr(position, null),
    }),
  );
  patchHandle(prototype, 'writeFile', async (recorded, handle, [data]) => {
    await append(recorded, handle, { bytes: asBuffer(data), position: null });
  });
  patchHandle(prototype, 'truncate', ({ journal, file }, handle, [length = 0]) =>
    journal.one(async (asked) => {
      const record = journal.truncating(file, length as number);
      await truncate.call(handle, length);
      record(asked);
    }, file),
  );
  for (const [name, original] of Object.entries({ sync, datasync }))
    patchHandle(prototype, name, ({ journal, file }, handle) =>
      journal.one(async (asked) => {
        journal.synced(file, asked);
        if (journal.isSyncing) await original.call(handle);
      }, file),
    );
  for (const name of NOT_RECORDED.handles)
    patchHandle(prototype, name, () => {
      throw notRecorded(name);
    });
}

// --- functions with a callback, which streams use ---

function patchCallbacks(): void {
  patchPath(fs, 'open', (original, { journal, path }, args) => {
    const flags = args.length > 2 ? args[1] : 'r';
    if (!isWriting(flags)) return original(...args);
    return answer(args.at(-1) as Callback, () =>
      journal.one(async (asked) => {
        const record = journal.opening(path, flags);
        const fd = await promised<number>((done) => original(...args.slice(0, -1), done));
        record(asked);
        descriptors.set(fd, { journal, file: journal.opened(path, flags) });
        return fd;
      }),
    );
  });
  patchDescriptor('write', (original, { journal, file }, [fd, ...rest]) => {
    const wanted = writeOf(rest.slice(0, -1));
    return answer(rest.at(-1) as Callback, () =>
      journal.one(async (asked) => {
        const place = journal.writing(file, wanted);
        const { at, part } = place;
        await promised<number>((done) => original(fd, part, 0, part.length, at, done));
        journal.written(file, place, wanted, asked);
        return part.length;
      }, file),
    );
  });
  patchDescriptor('writev', (_original, _recorded, [fd, buffers, ...rest]) => {
    const write = fs.write as unknown as Call;
    const position = rest.length > 1 ? rest[0] : null;
    const bytes = Buffer.concat(buffers as Buffer[]);
    return write(fd, bytes, 0, bytes.length, position, rest.at(-1));
  });
  patch(fs, 'close', (original) => (fd, ...rest) => {
    descriptors.delete(fd as number);
    return original(fd, ...rest);
  });
}

// --- synchronous functions ---

function patchSync(): void {
  patchPath(fs, 'openSync', (original, { journal, path }, args) => {
    const [, flags = 'r'] = args;
    const now = journal.now();
    const record = journal.opening(path, flags);
    const fd = original(...args) as number;
    record(now);
    descriptors.set(fd, { journal, file: journal.opened(path, flags) });
    return fd;
  });
  patch(fs, 'closeSync', (original) => (fd) => {
    descriptors.delete(fd as number);
    return original(fd);
  });
  patchDescriptor('writeSync', (original, { journal, file }, [fd, ...rest]) => {
    const now = journal.now(undefined, file);
    const wanted = writeOf(rest);
    const place = journal.writing(file, wanted);
    original(fd, place.part, 0, place.part.length, file.appends ? null : place.at);
    journal.written(file, place, wanted, now);
    return place.part.length;
  });
  patchDescriptor('ftruncateSync', (original, { journal, file }, [fd, length = 0]) => {
    const now = journal.now(undefined, file);
    const record = journal.truncating(file, length as number);
    original(fd, length);
    record(now);
  });
  for (const name of ['fsyncSync', 'fdatasyncSync'])
    patchDescriptor(name, (original, { journal, file }, [fd]) => {
      journal.synced(file, journal.now(undefined, file));
      return journal.isSyncing ? original(fd) : undefined;
    });
  patchPath(fs, 'writeFileSync', (_, { path }, [, data, options]) => {
    const fd = fs.openSync(path, flagOf(options) ?? 'w');
    try {
      fs.writeSync(fd, asBuffer(data));
    } finally {
      fs.closeSync(fd);
    }
  });
  patchPath(fs, 'rmSync', (_, place, [, options]) => {
    for (const [step, path] of removal(place, options as fs.RmOptions | undefined)) fs[`${step}Sync`](path);
  });
}

// --- replacing functions ---

function patch(target: object, name: string, make: (original: Call) => Call): void {
  const table = target as Record<string, Call>;
  const original = table[name];
  if (original === undefined) throw new Error(`there is no ${name}`);
  const replacement = make((...args) => original.apply(target, args));
  table[name] = Object.assign(function (this: unknown, ...args: unknown[]) {
    return replacement.apply(this, args);
  }, original);
  originals.push(() => {
    table[name] = original;
  });
}

/** Replaces a function for paths that a journal covers. The path is its first argument. */
function patchPath(
  target: object,
  name: string,
  replacement: (original: Call, place: Place, args: unknown[]) => unknown,
): void {
  patch(target, name, (original) => (...args) => {
    const place = placeOf(args[0]);
    return place === undefined ? original(...args) : replacement(original, place, args);
  });
}

/** Replaces a function for files that a journal covers. The descriptor is its first argument. */
function patchDescriptor(
  name: string,
  replacement: (original: Call, recorded: Recorded, args: unknown[]) => unknown,
): void {
  patch(fs, name, (original) => (...args) => {
    const recorded = descriptors.get(args[0] as number);
    return recorded === undefined ? original(...args) : replacement(original, recorded, args);
  });
}

function patchHandle(
  prototype: object,
  name: string,
  replacement: (recorded: Recorded, handle: object, args: unknown[]) => unknown,
): void {
  const table = prototype as Record<string, Call>;
  const original = table[name];
  if (original === undefined) throw new Error(`there is no FileHandle.${name}`);
  table[name] = function (this: unknown, ...args: unknown[]) {
    const recorded = handles.get(this as object);
    const isRecorded = recorded !== undefined && journals.has(recorded.journal);
    return isRecorded ? replacement(recorded, this as object, args) : original.apply(this, args);
  };
  originals.push(() => {
    table[name] = original;
  });
}

function refuse(target: object, name: string): void {
  patch(target, name, (original) => (...args) => {
    if (args.some((arg) => placeOf(arg) !== undefined || descriptors.has(arg as number)))
      throw notRecorded(name);
    return original(...args);
  });
}

/** The path below the journal's directory. @throws if the journal does not cover it */
function pathIn(journal: Journal, path: unknown): string {
  const place = placeOf(path);
  if (place?.journal !== journal) throw notRecorded('a change of names in two directories');
  return place.path;
}

/** The journal that covers the path, if any. */
function placeOf(path: unknown): Place | undefined {
  if (typeof path !== 'string') return undefined;
  const full = resolve(path);
  for (const journal of journals) if (journal.covers(full)) return { journal, path: full };
  return undefined;
}

// --- arguments ---

function isWriting(flags: unknown): boolean {
  return (bitsOf(flags) & (O_WRONLY | O_RDWR | O_CREAT)) !== 0;
}

function flagOf(options: unknown): string | undefined {
  return typeof options === 'object' && options !== null ? (options as { flag?: string }).flag : undefined;
}

function asBuffer(data: unknown): Buffer {
  if (typeof data === 'string') return Buffer.from(data);
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  throw notRecorded('a write of something else than bytes or text');
}

/** The arguments of write(): (buffer, offset, length, position), (buffer, options) or (text, position). */
function writeOf([data, first, length, position]: readonly unknown[]): Write {
  if (typeof data === 'string') return { bytes: Buffer.from(data), position: numberOr(first, null) };
  const bytes = asBuffer(data);
  if (typeof first === 'object' && first !== null) {
    const options = first as { offset?: number; length?: number; position?: number | null };
    const offset = options.offset ?? 0;
    return {
      bytes: bytes.subarray(offset, offset + (options.length ?? bytes.length)),
      position: options.position ?? null,
    };
  }
  const offset = numberOr(first, 0) ?? 0;
  const end = offset + (numberOr(length, bytes.length - offset) ?? 0);
  return { bytes: bytes.subarray(offset, end), position: numberOr(position, null) };
}

function numberOr<D extends number | null>(value: unknown, otherwise: D): number | D {
  return typeof value === 'number' ? value : otherwise;
}

function answer(callback: Callback, work: () => Promise<unknown>): void {
  work().then(
    (result) => callback(null, result),
    (error: unknown) => callback(error),
  );
}

function promised<R>(begin: (done: (error: unknown, result: R) => void) => void): Promise<R> {
  return new Promise((resolve, reject) => {
    begin((error, result) => (error ? reject(error as Error) : resolve(result)));
  });
}
