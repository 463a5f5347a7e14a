// Helpers of the spool's tests: batches with named records, logs in temporary directories, child processes, and mounts and
// strace if this machine permits them.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createCodec } from '../../src/kafka/batches/compression.ts';
import { HEADER_BYTES, NO_PRODUCER, RecordBatchWriter, stamp } from '../../src/kafka/batches/record-batch.ts';
import { encodeBody, forEachRecord, recordParts } from '../../src/kafka/batches/record-body.ts';
import { Spool, type SpoolOptions, type SpoolReport } from '../../src/spool/spool.ts';
import { SpoolCap } from '../../src/spool/spool-cap.ts';
import { type Recovered, SpoolLog, type SpoolLogOptions } from '../../src/spool/spool-log.ts';
import { skipLoudly } from '../support/missing-tool.ts';

const none = createCodec('none');
export const BASE_TIME_MS = 1_700_000_000_000;

/** A sealed and stamped batch of `count` records named `<id>/<n>`, each filled up to `recordBytes`. */
export async function makeBatch(id: string | number, count = 1, recordBytes = 0): Promise<Buffer> {
  const writer = new RecordBatchWriter(HEADER_BYTES + count * (recordBytes + 64));
  for (let n = 0; n < count; n++) {
    const value = Buffer.from(`${id}/${n}`.padEnd(recordBytes, '.'));
    writer.appendRaw(BASE_TIME_MS + n, encodeBody(value, {}));
  }
  const { bytes: batch } = await writer.seal(none);
  stamp(batch, NO_PRODUCER);
  return batch;
}

/** The names of a batch's records. */
export function namesIn(batch: Buffer): string[] {
  const names: string[] = [];
  forEachRecord(batch.subarray(HEADER_BYTES), 0, (_, body) => {
    names.push(recordParts(body).value.toString().replace(/\.+$/, ''));
  });
  return names;
}

/** The id that was given to makeBatch. */
export const idOf = (batch: Buffer): string => (namesIn(batch)[0] ?? '').replace(/\/0$/, '');

export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-spool-'));
  t.after(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
  return directory;
}

/** Files below the directory that this process has open. */
export function openFilesIn(directory: string): string[] {
  return readdirSync('/proc/self/fd')
    .flatMap((fd) => {
      try {
        return [readlinkSync(join('/proc/self/fd', fd))];
      } catch {
        // The descriptor of the listing itself.
        return [];
      }
    })
    .filter((path) => path.startsWith(directory));
}

export interface OpenedLog {
  readonly log: SpoolLog;
  readonly recovered: Recovered;
  /** Bytes that the log has reserved of its cap. */
  readonly held: () => number;
}

/** Opens a log with a cap of its own. */
export async function openLog(
  directory: string,
  {
    maxBytes = Infinity,
    hasRoom,
    ...options
  }: Partial<SpoolLogOptions> & { maxBytes?: number; hasRoom?: (bytes: number) => boolean } = {},
): Promise<OpenedLog> {
  const cap = new SpoolCap(maxBytes);
  if (hasRoom !== undefined) cap.reserve = hasRoom;
  const defaults = { directory, segmentBytes: 2 ** 20, sync: 'os', cap } as const;
  const { log, recovered } = await SpoolLog.open({ ...defaults, ...options });
  return { log, recovered, held: () => cap.bytes };
}

/** Reads to the end and acknowledges each batch, as a drain does. Returns the batches' ids. */
export async function drain(log: SpoolLog): Promise<string[]> {
  const ids: string[] = [];
  for (let batch = await log.next(); batch !== undefined; batch = await log.next()) {
    ids.push(idOf(batch.bytes));
    await log.acknowledge(batch.offset + batch.count);
  }
  return ids;
}

type StoreOptions = Partial<SpoolLogOptions> & { readonly count?: number; readonly recordBytes?: number };

/** Adds a batch for each id (makeBatch) to a log and closes it. */
export async function storeIn(
  directory: string,
  ids: readonly (string | number)[],
  { count, recordBytes, ...options }: StoreOptions = {},
): Promise<void> {
  const { log } = await openLog(directory, options);
  for (const id of ids) await log.append([await makeBatch(id, count, recordBytes)]);
  await log.close();
}

/** Opens a log, drains it and closes it. */
export async function drainIn(directory: string): Promise<{ ids: string[]; recovered: Recovered }> {
  const { log, recovered } = await openLog(directory);
  const ids = await drain(log);
  await log.close();
  return { ids, recovered };
}

/** Opens the spool in this directory. It is closed at the end of the test. */
export async function openSpool(
  t: TestContext,
  { directory, ...options }: Partial<SpoolOptions> & Pick<SpoolOptions, 'directory'>,
): Promise<{ spool: Spool; report: SpoolReport }> {
  const cap = new SpoolCap(2 ** 24);
  const defaults = { cap, segmentBytes: 2 ** 20, sync: 'batch', partitions: 4 } as const;
  const opened = await Spool.open({ directory, ...defaults, ...options });
  t.after(() => opened.spool.close());
  return opened;
}

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** Flips a bit of a file. */
export function flipBit(path: string, at: number, bit = 0): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at);
  writeFileSync(path, bytes);
}

export const idsFrom = async (log: SpoolLog): Promise<string[]> => (await readAll(log)).map(({ id }) => id);

/** Reads to the end without acknowledging. Returns ids and offsets. */
export async function readAll(log: SpoolLog): Promise<{ id: string; offset: number }[]> {
  const found: { id: string; offset: number }[] = [];
  for (let batch = await log.next(); batch !== undefined; batch = await log.next()) {
    found.push({ id: idOf(batch.bytes), offset: batch.offset });
  }
  return found;
}

export const filesIn = (directory: string, ending: string): string[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith(ending))
    .sort();

// --- children ---

const CHILD = fileURLToPath(new URL('append-child.js', import.meta.url));

export interface Child {
  readonly process: ChildProcess;
  /** The lines of its standard output so far. */
  readonly lines: string[];
  /** Resolves with the first line that begins like this. */
  line(start: string): Promise<string>;
  readonly ended: Promise<number | null>;
}

/** Starts append-child.ts, under `before` if given (strace and its arguments). */
export function startChild(
  t: TestContext,
  args: readonly string[],
  { before = [], env = {} }: { before?: readonly string[]; env?: Record<string, string> } = {},
): Child {
  const [command, ...rest] = [...before, process.execPath, CHILD, ...args] as [string, ...string[]];
  const child = spawn(command, rest, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  t.after(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  let unfinished = '';
  const waiters: (() => void)[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (unfinished + text).split('\n');
    unfinished = parts.pop() ?? '';
    lines.push(...parts);
    for (const resolve of waiters.splice(0)) resolve();
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  let isOver = false;
  void ended.then(() => {
    isOver = true;
    for (const resolve of waiters.splice(0)) resolve();
  });
  const line = async (start: string): Promise<string> => {
    for (;;) {
      const found = lines.find((one) => one.startsWith(start));
      if (found !== undefined) return found;
      if (isOver)
        throw new Error(`the child ended without "${start}"; it said ${lines.slice(-5).join(' | ')}`);
      await new Promise<void>((resolve) => waiters.push(resolve));
    }
  };
  return { process: child, lines, line, ended };
}

export { canTrace as hasStrace } from '../support/trace.ts';

/** Mounts a file system for the test. Undefined, and the test is skipped, if that is not permitted. */
export function mount(t: TestContext, args: readonly string[]): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-mount-'));
  const { status, stderr, error } = spawnSync('mount', [...args, directory], { encoding: 'utf8' });
  t.after(() => {
    if (status === 0) unmount(directory);
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  });
  if (status === 0) return directory;
  skipLoudly(t, `mount is not permitted: ${error?.message ?? stderr.trim()}`);
  return undefined;
}

export function unmount(directory: string): void {
  const isMounted = () => readFileSync('/proc/mounts', 'utf8').includes(` ${directory} `);
  if (isMounted()) spawnSync('umount', [directory]);
  // If a file is still open, detach now and unmount once the file is closed.
  if (isMounted()) spawnSync('umount', ['-l', directory]);
}

export function subdirectory(parent: string, name: string): string {
  const path = join(parent, name);
  mkdirSync(path, { recursive: true });
  return path;
}
