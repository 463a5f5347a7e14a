// Syncs a directory. A new or renamed file is durable only once its directory is.
import { open } from 'node:fs/promises';

/** @throws the system's error */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
