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
  patchHandles(fileHandlePrototype());
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

const prototypes: object[] = [];
{
  const file = await fs.promises.open('.', 'r');
  prototypes.push(Object.getPrototypeOf(file) as object);
  await file.close();
}

function fileHandlePrototype(): object {
  const [prototype] = prototypes;
  if (prototype === undefined) throw new Error('there is no FileHandle');
  return prototype;
}

// --- node:fs/promises ---

function patchPromises(): void {
  const { promises } = fs;
  patch(promises, 'open', (original) => async (path, flags = 'r', ...rest) => {
    const place = placeOf(path);
    if (place === undefined) return original(path, flags, ...rest);
    const open = async (asked?: number) => {
      const step = asked === undefined ? undefined : place.journal.opening(place.path, flags);
      const handle = (await original(path, flags, ...rest)) as object;
      if (asked !== undefined) step?.(asked);
      handles.set(handle, { journal: place.journal, file: place.journal.opened(place.path, flags) });
      return handle;
    };
    return isWriting(flags) ? place.journal.one(open) : open();
  });
  patch(promises, 'mkdir', (original) => (path, ...rest) => {
    const place = placeOf(path);
    if (place === undefined) return original(path, ...rest);
    return place.journal.one(async (asked) => {
      const missing = place.journal.missing(place.path);
      const made = await original(path, ...rest);
      place.journal.made(missing, asked);
      return made;
    });
  });
  for (const kind of ['unlink', 'rmdir'] as const)
    patch(promises, kind, (original) => (path, ...rest) => {
      const place = placeOf(path);
      if (place === undefined) return original(path, ...rest);
      return place.journal.one(async (asked) => {
        place.journal.removing(place.path);
        await original(path, ...rest);
        place.journal.removed(kind, place.path, asked);
      });
    });
  patch(promises, 'statfs', (original) => async (path, ...rest) => {
    const space = placeOf(path)?.journal.space;
    return space ?? original(path, ...rest);
  });
  patch(promises, 'rename', (original) => (from, to) => {
    const [source, target] = [placeOf(from), placeOf(to)];
    if (source === undefined && target === undefined) return original(from, to);
    if (source?.journal !== target?.journal || source === undefined || target === undefined)
      throw notRecorded('rename to another directory');
    return source.journal.one(async (asked) => {
      const step = source.journal.renaming(source.path, target.path);
      await original(from, to);
      step(asked);
    });
  });
  patch(promises, 'link', (original) => (from, to) => {
    const [source, target] = [placeOf(from), placeOf(to)];
    if (target === undefined) return original(from, to);
    if (source === undefined) throw notRecorded('link from another directory');
    return target.journal.one(async (asked) => {
      await original(from, to);
      target.journal.linked(source.path, target.path, asked);
    });
  });
  patch(promises, 'writeFile', (original) => async (path, data, options) => {
    if (placeOf(path) === undefined) return original(path, data, options);
    const handle = await fs.promises.open(path as string, flagOf(options) ?? 'w');
    try {
      await handle.write(asBuffer(data));
    } finally {
      await handle.close();
    }
    return undefined;
  });
  patch(promises, 'rm', (original) => async (path, options) => {
    const place = placeOf(path);
    if (place === undefined) return original(path, options);
    return remove(place.journal, place.path, options as fs.RmOptions | undefined);
  });
}

/** Removes like rm, one step after the other. */
async function remove(journal: Journal, path: string, options: fs.RmOptions = {}): Promise<void> {
  if (!journal.isThere(path) && options.force) return;
  const names = journal.namesIn(path);
  if (names === undefined) return fs.promises.unlink(path);
  if (!options.recursive) throw notRecorded('rm of a directory that is not recursive');
  for (const name of names) await remove(journal, join(path, name), options);
  await fs.promises.rmdir(path);
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
      journal.truncating(file);
      await truncate.call(handle, length);
      journal.truncated(file, length as number, asked);
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
  patch(fs, 'open', (original) => (path, ...rest) => {
    const callback = rest.at(-1) as Callback;
    const flags = rest.length > 1 ? rest[0] : 'r';
    const place = placeOf(path);
    if (place === undefined || !isWriting(flags)) return original(path, ...rest);
    return answer(callback, () =>
      place.journal.one(async (asked) => {
        const step = place.journal.opening(place.path, flags);
        const fd = await promised<number>((done) => original(path, ...rest.slice(0, -1), done));
        step(asked);
        descriptors.set(fd, { journal: place.journal, file: place.journal.opened(place.path, flags) });
        return fd;
      }),
    );
  });
  patch(fs, 'write', (original) => (fd, ...rest) => {
    const recorded = descriptors.get(fd as number);
    if (recorded === undefined) return original(fd, ...rest);
    const { journal, file } = recorded;
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
  patch(fs, 'writev', (original) => (fd, buffers, ...rest) => {
    if (!descriptors.has(fd as number)) return original(fd, buffers, ...rest);
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
  patch(fs, 'openSync', (original) => (path, flags = 'r', ...rest) => {
    const place = placeOf(path);
    if (place === undefined) return original(path, flags, ...rest);
    const now = place.journal.now();
    const step = place.journal.opening(place.path, flags);
    const fd = original(path, flags, ...rest) as number;
    step(now);
    descriptors.set(fd, { journal: place.journal, file: place.journal.opened(place.path, flags) });
    return fd;
  });
  patch(fs, 'closeSync', (original) => (fd) => {
    descriptors.delete(fd as number);
    return original(fd);
  });
  patch(fs, 'writeSync', (original) => (fd, ...rest) => {
    const recorded = descriptors.get(fd as number);
    if (recorded === undefined) return original(fd, ...rest);
    const { journal, file } = recorded;
    const now = journal.now(undefined, file);
    const wanted = writeOf(rest);
    const place = journal.writing(file, wanted);
    original(fd, place.part, 0, place.part.length, file.appends ? null : place.at);
    journal.written(file, place, wanted, now);
    return place.part.length;
  });
  patch(fs, 'ftruncateSync', (original) => (fd, length = 0) => {
    const recorded = descriptors.get(fd as number);
    if (recorded === undefined) return original(fd, length);
    const { journal, file } = recorded;
    const now = journal.now(undefined, file);
    journal.truncating(file);
    original(fd, length);
    return journal.truncated(file, length as number, now);
  });
  for (const name of ['fsyncSync', 'fdatasyncSync'])
    patch(fs, name, (original) => (fd) => {
      const recorded = descriptors.get(fd as number);
      if (recorded === undefined) return original(fd);
      const { journal, file } = recorded;
      journal.synced(file, journal.now(undefined, file));
      return journal.isSyncing ? original(fd) : undefined;
    });
  patch(fs, 'mkdirSync', (original) => (path, ...rest) => {
    const place = placeOf(path);
    if (place === undefined) return original(path, ...rest);
    const now = place.journal.now();
    const missing = place.journal.missing(place.path);
    const made = original(path, ...rest);
    place.journal.made(missing, now);
    return made;
  });
  for (const kind of ['unlink', 'rmdir'] as const)
    patch(fs, `${kind}Sync`, (original) => (path, ...rest) => {
      const place = placeOf(path);
      if (place === undefined) return original(path, ...rest);
      const now = place.journal.now();
      place.journal.removing(place.path);
      original(path, ...rest);
      return place.journal.removed(kind, place.path, now);
    });
  patch(fs, 'renameSync', (original) => (from, to) => {
    const [source, target] = [placeOf(from), placeOf(to)];
    if (source === undefined && target === undefined) return original(from, to);
    if (source?.journal !== target?.journal || source === undefined || target === undefined)
      throw notRecorded('renameSync to another directory');
    const now = source.journal.now();
    const step = source.journal.renaming(source.path, target.path);
    original(from, to);
    return step(now);
  });
  patch(fs, 'writeFileSync', (original) => (path, data, options) => {
    if (placeOf(path) === undefined) return original(path, data, options);
    const fd = fs.openSync(path as string, flagOf(options) ?? 'w');
    try {
      fs.writeSync(fd, asBuffer(data));
    } finally {
      fs.closeSync(fd);
    }
    return undefined;
  });
  patch(fs, 'rmSync', (original) => (path, options) => {
    const place = placeOf(path);
    if (place === undefined) return original(path, options);
    return removeSync(place.journal, place.path, options as fs.RmOptions | undefined);
  });
}

function removeSync(journal: Journal, path: string, options: fs.RmOptions = {}): void {
  if (!journal.isThere(path) && options.force) return;
  const names = journal.namesIn(path);
  if (names === undefined) {
    fs.unlinkSync(path);
    return;
  }
  if (!options.recursive) throw notRecorded('rmSync of a directory that is not recursive');
  for (const name of names) removeSync(journal, join(path, name), options);
  fs.rmdirSync(path);
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

/** The journal that covers the path, if any. */
function placeOf(path: unknown): { readonly journal: Journal; readonly path: string } | undefined {
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
