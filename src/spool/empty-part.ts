// Deletes a spool directory that holds no records, under its lock. It deletes only logs with nothing but a cursor,
// layouts, the format and folders that an upgrade put aside. The file `lock` is deleted last, so that no other process
// can open the directory meanwhile.
import { readdir, rm, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../disk/durable-file.ts';
import { parseLogName } from './names.ts';

/** Files of a directory without records. `.new` is left if a crash interrupts the replacement of a file. */
const REMAINS = /^(?:format|.+(?:\.layout|~l))(?:\.new)?$|^.+(?:\.placing|~p)\.new$/;
const LOCK = 'lock';

/** False, and nothing was deleted, if the directory holds anything else. @throws the system's error */
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
  // A process that waited for the lock may have created a new lock file here. Then the directory is that process's.
  await rmdir(directory).catch(() => undefined);
  await syncDirectory(dirname(directory)).catch(() => undefined);
  return true;
}

async function isEmptyLog(path: string): Promise<boolean> {
  return (await readdir(path)).every((name) => name === 'cursor');
}

async function removeLog(path: string): Promise<void> {
  // A power cut must not bring segments back without their cursor: they would be sent again.
  await syncDirectory(path);
  await rm(join(path, 'cursor'), { force: true });
  await rmdir(path);
}
