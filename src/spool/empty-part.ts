// Deletes a spool directory in which no record is left, under its lock. It deletes only what a spool without records
// leaves: logs with nothing but a cursor, layouts, the format, what an upgrade put aside. The file `lock` goes last, so
// whoever opens the directory before that is refused, and afterwards finds either none or makes a new one.
import { readdir, rm, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseLogName } from './names.ts';
import { syncDirectory } from './sync-directory.ts';

/** Files of a directory without records; `.new` is what a crash leaves of one that was being replaced. */
const REMAINS = /^(?:format|.+(?:\.layout|~l))(?:\.new)?$|^.+(?:\.placing|~p)\.new$/;
const LOCK = 'lock';

/** False, and nothing was deleted, if there is anything else. @throws the system's error */
export async function removeEmptyPart(directory: string): Promise<boolean> {
  const entries = await readdir(directory, { withFileTypes: true });
  const files: string[] = [];
  const logs: string[] = [];
  const old: string[] = [];
  for (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory() && entry.name.startsWith('~old-')) old.push(path);
    else if (entry.isDirectory() && parseLogName(entry.name) && (await isEmptyLog(path))) logs.push(path);
    else if (entry.isFile() && REMAINS.test(entry.name)) files.push(path);
    else if (entry.name !== LOCK) return false;
  }
  for (const path of logs) await removeLog(path);
  for (const path of old) await rm(path, { recursive: true, force: true });
  for (const path of files) await unlink(path);
  await unlink(join(directory, LOCK));
  // Somebody who was waiting may have locked a new file here: then it is that process's directory.
  await rmdir(directory).catch(() => undefined);
  await syncDirectory(dirname(directory)).catch(() => undefined);
  return true;
}

async function isEmptyLog(path: string): Promise<boolean> {
  return (await readdir(path)).every((name) => name === 'cursor');
}

async function removeLog(path: string): Promise<void> {
  // Before the cursor: after a power cut its segments would come back without it, and be sent again.
  await syncDirectory(path);
  await rm(join(path, 'cursor'), { force: true });
  await rmdir(path);
}
