// Reads small files: certificates, keys, tokens, passwords. It takes regular files up to a limit only, so that a path such
// as /dev/zero or a pipe neither fills the memory nor hangs. Error texts name the path and never the content.
import { type BigIntStats, constants, readFileSync, statSync } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { quoted } from './printable.ts';

/** Certificates, keys and tokens are far smaller. */
export const MAX_FILE_BYTES = 2 ** 20;

/** Changes with every write, and with every swap of a symlink on the way to the file. */
export type Fingerprint = string;

/** The message is for people and safe to log. */
export class FileError extends Error {
  readonly code = 'FILE_UNUSABLE';
  /** The message without the path. */
  readonly reason: string;

  constructor(reason: string, path?: string) {
    super(path === undefined ? reason : `${quoted(path)}: ${reason}`);
    this.reason = reason;
  }
}

/** Never throws: a file that cannot be used has its reason as its fingerprint. */
export async function fingerprint(path: string, maxBytes: number): Promise<Fingerprint> {
  try {
    return fingerprintOf(await stat(path, { bigint: true }), maxBytes);
  } catch (error) {
    return reasonOf(error);
  }
}

/** @throws FileError */
export function fingerprintSync(path: string, maxBytes: number): Fingerprint {
  return named(path, () => fingerprintOf(statSync(path, { bigint: true }), maxBytes));
}

/** Rejects with FileError. */
export async function content(path: string, maxBytes: number): Promise<Buffer> {
  try {
    // Without O_NONBLOCK, opening a pipe that nobody writes would never end.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      fingerprintOf(await file.stat({ bigint: true }), maxBytes);
      return await readFile(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new FileError(reasonOf(error), path);
  }
}

/** @throws FileError */
export function contentSync(path: string, maxBytes: number): Buffer {
  return named(path, () => {
    fingerprintOf(statSync(path, { bigint: true }), maxBytes);
    return readFileSync(path);
  });
}

function fingerprintOf(stats: BigIntStats, maxBytes: number): Fingerprint {
  if (!stats.isFile()) throw new FileError('this is not a file');
  if (stats.size > maxBytes)
    throw new FileError(`it has ${stats.size} bytes; at most ${maxBytes} are allowed`);
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(' ');
}

function named<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new FileError(reasonOf(error), path);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof FileError) return error.reason;
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  return code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`;
}
