// Makes a spool readable for its owner only, because it holds device data: folders have mode 0700 and files 0600,
// whatever the umask. Wider modes that an older version left are narrowed at the start.
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { chmod, lstat, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { logName, logsIn } from './names.ts';

export const FOLDER_MODE = 0o700;
export const FILE_MODE = 0o600;

const OTHERS = 0o077;
/** A folder with this bit, such as /tmp, is shared, so its mode is not changed. */
const STICKY = 0o1000;
/** The spool's own files beside its logs. Other files are not changed. */
const OWN_FILE = /^(?:lock|format|.+(?:\.layout|\.placing|~l|~p))(?:\.new)?$/;

/** Creates the folder, durably, if it is missing. Missing folders above it get the usual mode. */
export function makeFolder(directory: string): void {
  make(dirname(directory), 0o777);
  make(directory, FOLDER_MODE);
  syncFolder(dirname(directory));
}

function make(directory: string, mode: number): void {
  if (existsSync(directory)) return;
  make(dirname(directory), 0o777);
  try {
    mkdirSync(directory, { mode });
  } catch (error) {
    // Another process created it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  syncFolder(dirname(directory));
}

/** Called even if the folder existed: a process that was killed may not have synced its name. */
function syncFolder(directory: string): void {
  try {
    const folder = openSync(directory, 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch {
    // We may lack the right to read a folder of somebody else. Then its names are long durable.
  }
}

/** A folder that other users can still read, because its mode cannot be changed. */
export interface WideFolder {
  readonly path: string;
  readonly code: string;
}

/**
 * Narrows the modes of a spool's folder and of its logs' folders, and of the files in each folder that was too wide.
 * @returns the first folder that stays wide, or null. A start does not fail because of it
 */
export async function narrowModes(directory: string): Promise<WideFolder | null> {
  const own = await narrowFolder(directory, (name) => OWN_FILE.test(name));
  const logs = await logsIn(directory);
  const others = await Promise.all(
    logs.map((log) => narrowFolder(join(directory, logName(log)), () => true)),
  );
  return [own, ...others].find((wide) => wide !== null) ?? null;
}

async function narrowFolder(folder: string, isOwn: (name: string) => boolean): Promise<WideFolder | null> {
  try {
    const { mode } = await lstat(folder);
    // Files in a narrow folder are out of reach for other users.
    if ((mode & OTHERS) === 0) return null;
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (!entry.isFile() || !isOwn(entry.name)) continue;
      if (((await lstat(path)).mode & OTHERS) !== 0) await chmod(path, FILE_MODE);
    }
    if ((mode & STICKY) === 0) await chmod(folder, FOLDER_MODE);
    return null;
  } catch (error) {
    return { path: folder, code: String((error as NodeJS.ErrnoException).code) };
  }
}
