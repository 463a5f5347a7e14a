// Modes of files that only their owner may read, and folders made with them, with any umask. It knows of no spool.
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';

export const FOLDER_MODE = 0o700;
export const FILE_MODE = 0o600;

/** Creates the folder, durably, if it is missing. Missing folders above it get the mode that the umask leaves. */
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
