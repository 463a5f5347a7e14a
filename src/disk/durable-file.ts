// Makes changes of files durable: syncs directories, replaces small files as a whole, and turns short writes into errors.
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FILE_MODE } from './owner-only.ts';

/** Opens the file for `work` and closes it. A new file is readable for its owner only. @throws the system's error */
export async function withFile<R>(
  path: string,
  flags: string | number,
  work: (file: FileHandle) => Promise<R>,
): Promise<R> {
  const file = await open(path, flags, FILE_MODE);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

/** A new, renamed or deleted file is durably so only once its directory is synced. @throws the system's error */
export async function syncDirectory(path: string): Promise<void> {
  await withFile(path, 'r', (directory) => directory.sync());
}

/**
 * A nearly full disk takes part of a write and reports ENOSPC only for the next one.
 * @throws ENOSPC if fewer bytes were written than given
 */
export function refuseShortWrite(written: number, given: number): void {
  if (written < given) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
}

/**
 * Replaces a small file. After a crash it has its old content or its new one, and once this resolves the new one.
 * @throws the system's error; then the file is unchanged
 */
export async function replaceFile(path: string, content: Buffer): Promise<void> {
  const temporary = `${path}.new`;
  try {
    await withFile(temporary, 'w', async (file) => {
      const { bytesWritten } = await file.write(content, 0, content.length, 0);
      refuseShortWrite(bytesWritten, content.length);
      await file.sync();
    });
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncDirectory(dirname(path));
}
