// A spool is readable for its owner only, because it holds device data: folders have mode 0700 and files 0600. At the
// start this narrows wider modes that an older version left.
import { chmod, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FILE_MODE, FOLDER_MODE } from '../disk/owner-only.ts';
import { logName, logsIn } from './names.ts';

const OTHERS = 0o077;
/** A folder with this bit, such as /tmp, is shared, so its mode is not changed. */
const STICKY = 0o1000;
/** The spool's own files beside its logs. Other files are not changed. */
const OWN_FILE = /^(?:lock|format|resume|.+(?:\.layout|\.placing|~l|~p))(?:\.new)?$/;

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
