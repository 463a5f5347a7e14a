// Edits the tokens file. Edits wait for each other, and a reader finds the old file or the new one, never half of it. It
// does not decide about tokens.
import { type FileHandle, open, readFile, realpath, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { refuseShortWrite, syncDirectory, withFile } from '../disk/durable-file.ts';
import { tryFlock } from '../disk/flock.ts';
import { FILE_MODE } from '../disk/owner-only.ts';

export interface Edited<R> {
  readonly result: R;
  /** Other users could read the file, and cannot any more. */
  readonly narrowed: boolean;
}

/** Another program holds the file for too long. */
export class TokensBusyError extends Error {
  readonly code = 'TOKENS_BUSY';
}

const WAIT_MS = 10_000;
const RETRY_MS = 50;
const OTHERS = 0o007;
const GROUP_WRITE = 0o020;

/**
 * Replaces the file with the content that `change` returns. A missing file is empty, and is created.
 * @throws the error of `change`, TokensBusyError, the system's error; then the file is as it was
 */
export async function editTokens<R>(
  path: string,
  change: (content: Buffer) => { readonly content: string; readonly result: R },
): Promise<Edited<R>> {
  const deadlineMs = performance.now() + WAIT_MS;
  // The file that a symlink leads to, so that the link stays.
  const target = await realpath(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return path;
    throw error;
  });
  const lock = await lockDirectory(dirname(target), deadlineMs);
  try {
    const temporary = `${target}.new`;
    // A process that was killed may have left it.
    await unlink(temporary).catch(() => undefined);
    const file = await open(temporary, 'wx', FILE_MODE);
    try {
      const before = await readOrEmpty(target);
      const { content, result } = change(before.content);
      await write(file, content, before);
      await rename(temporary, target);
      await syncDirectory(dirname(target));
      return { result, narrowed: ((before.mode ?? 0) & OTHERS) !== 0 };
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    } finally {
      await file.close();
    }
  } finally {
    await lock.close();
  }
}

interface Before {
  readonly content: Buffer;
  /** Undefined if there was no file. */
  readonly mode?: number;
  readonly owner?: { readonly uid: number; readonly gid: number };
}

async function readOrEmpty(path: string): Promise<Before> {
  try {
    return await withFile(path, 'r', async (file) => {
      const { mode, uid, gid } = await file.stat();
      return { content: await readFile(file), mode, owner: { uid, gid } };
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { content: Buffer.alloc(0) };
    throw error;
  }
}

/**
 * The kernel's lock on the directory: it leaves no file, and ends with the process.
 * @throws TokensBusyError, the system's error if this machine or file system has no locks
 */
async function lockDirectory(directory: string, deadlineMs: number): Promise<FileHandle> {
  const handle = await open(directory, 'r');
  try {
    while (!tryFlock(handle.fd, 'exclusive')) {
      if (performance.now() >= deadlineMs)
        throw new TokensBusyError(`another program has locked ${directory} for ${WAIT_MS / 1000} s`);
      await pause(RETRY_MS);
    }
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function write(file: FileHandle, content: string, { mode = FILE_MODE, owner }: Before): Promise<void> {
  const bytes = Buffer.from(content);
  const { bytesWritten } = await file.write(bytes, 0, bytes.length, 0);
  refuseShortWrite(bytesWritten, bytes.length);
  const own = await file.stat();
  // A gateway of another user or group must still be able to read the file, or it would not learn of a revoked token.
  if (owner !== undefined && (own.uid !== owner.uid || own.gid !== owner.gid))
    await file.chown(owner.uid, owner.gid);
  await file.chmod((mode & OTHERS) === 0 ? mode & 0o777 & ~GROUP_WRITE : FILE_MODE);
  await file.sync();
}
