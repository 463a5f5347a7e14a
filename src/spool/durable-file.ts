// Small files that are replaced as a whole: after a crash one of them has its old content or its new one.
import { open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FILE_MODE } from './owner-only.ts';
import { refuseShortWrite } from './short-write.ts';
import { syncDirectory } from './sync-directory.ts';

/**
 * Durable once it resolves.
 * @throws the system's error; then the file is as it was
 */
export async function replaceFile(path: string, content: Buffer): Promise<void> {
  const temporary = `${path}.new`;
  try {
    await writeSynced(temporary, content);
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncDirectory(dirname(path));
}

async function writeSynced(path: string, content: Buffer): Promise<void> {
  const file = await open(path, 'w', FILE_MODE);
  try {
    const { bytesWritten } = await file.write(content, 0, content.length, 0);
    refuseShortWrite(bytesWritten, content.length);
    await file.sync();
  } finally {
    await file.close();
  }
}
