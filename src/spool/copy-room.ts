// Keeps free space on the disk for copies. Records without a partition are copied before they are deleted, so a log that
// took the last free byte could never be drained. The less space is free, the smaller the copies.
import { statfs } from 'node:fs/promises';

const MAX_BYTES = 32 * 2 ** 20;
/** On a small disk, this share of the disk. */
const SHARE = 1 / 8;

/** @throws ENOSPC if these bytes would leave no room for copies */
export async function requireCopyRoom(directory: string, bytes: number): Promise<void> {
  const { bsize, bavail, blocks } = await statfs(directory);
  if (bavail * bsize - bytes >= Math.min(MAX_BYTES, blocks * bsize * SHARE)) return;
  throw Object.assign(new Error('the free space that is left is needed to copy records'), { code: 'ENOSPC' });
}

/** How large a copy may be now; a single batch may be larger. @throws the system's error */
export async function chunkBytes(directory: string, maxBytes: number): Promise<number> {
  const { bsize, bavail } = await statfs(directory);
  return Math.min(maxBytes, (bavail * bsize) / 4);
}
