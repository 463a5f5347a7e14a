// A spool holds what devices sent, so only its owner may read it: folders have mode 0700 and files 0600, whatever the
// umask. What an older version left wider is narrowed at the start.
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { chmod, lstat, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { logName, logsIn } from './names.ts';

export const FOLDER_MODE = 0o700;
export const FILE_MODE = 0o600;

const OTHERS = 0o077;
/** A folder that everybody may write to, such as /tmp, is not the spool's alone. */
const STICKY = 0o1000;
/** The spool's own files beside its logs; others are not its to change. */
const OWN_FILE = /^(?:lock|format|.+(?:\.layout|\.placing|~l|~p))(?:\.new)?$/;

/** Makes the folder, durably, if there is none. Folders above it are not the spool's: they get the usual mode. */
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
    // Another process was faster.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  syncFolder(dirname(directory));
}

/** Also if the folder was there: a process that was killed may have made it and not synced its name. */
function syncFolder(directory: string): void {
  try {
    const folder = openSync(directory, 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch {
    // Somebody else's folder may not be ours to read. Its names are durable by the time that it was made.
  }
}

/** A folder that others can still read, because its mode cannot be changed. */
export interface WideFolder {
  readonly path: string;
  readonly code: string;
}

/**
 * Narrows the modes of a spool's folder and of its logs' folders, and of the files in those that were too wide.
 * @returns the first one that stays wide, or null: a start does not fail because of it
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
    // Nobody else gets at what is in a narrow one.
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
