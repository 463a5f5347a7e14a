// Room on the disk for copying. Records without a partition leave the disk by being copied first, so a log that took
// the last free byte could never be drained. It leaves some room, and the less there is, the smaller the copies are.
import { statfs } from 'node:fs/promises';

const MAX_BYTES = 32 * 2 ** 20;
/** Of a small disk it is this share. */
const SHARE = 1 / 8;

/** @throws ENOSPC if so many bytes more would leave no room for copying */
export async function requireCopyRoom(directory: string, bytes: number): Promise<void> {
  const { bsize, bavail, blocks } = await statfs(directory);
  if (bavail * bsize - bytes >= Math.min(MAX_BYTES, blocks * bsize * SHARE)) return;
  throw Object.assign(new Error('the rest of the disk is needed to copy records'), { code: 'ENOSPC' });
}

/** How many bytes a copy may have now; a single batch may be larger. @throws the system's error */
export async function chunkBytes(directory: string, maxBytes: number): Promise<number> {
  const { bsize, bavail } = await statfs(directory);
  return Math.min(maxBytes, (bavail * bsize) / 4);
}
