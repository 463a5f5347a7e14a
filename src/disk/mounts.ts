// Tells on which file system a directory lies, how much room it has, and whether a disk of /etc/fstab is missing there.
// Linux only: elsewhere the answers are unknown. It mounts nothing.
import { readFileSync, realpathSync, statfsSync } from 'node:fs';
import { dirname, relative } from 'node:path';

export interface Mount {
  /** Its directory, such as `/var`. */
  readonly point: string;
  /** `ext4`, `tmpfs`, `overlay`, ... */
  readonly type: string;
  /** `/dev/sda1`, `nas:/share`, ... */
  readonly device: string;
}

export interface Room {
  /** Bytes that this user may still write. */
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** The file system of an existing directory, or undefined. */
export function mountOf(directory: string): Mount | undefined {
  try {
    return holderOf(realpathSync(directory), readFileSync('/proc/self/mountinfo', 'utf8'));
  } catch {
    return undefined;
  }
}

interface Tables {
  /** Content of /etc/fstab. */
  readonly fstab: string;
  /** Content of /proc/self/mountinfo. */
  readonly mountinfo: string;
}

/** The mount point of /etc/fstab at or above the path, if nothing is mounted there. @param path absolute */
export function missingMount(path: string, tables: Tables | undefined = readTables()): string | undefined {
  if (tables === undefined) return undefined;
  const mounted = mounts(tables.mountinfo).map(({ point }) => point);
  const real = realPath(path);
  return fstabPoints(tables.fstab).find((point) => holds(point, real) && !mounted.includes(point));
}

function readTables(): Tables | undefined {
  try {
    const [fstab, mountinfo] = ['/etc/fstab', '/proc/self/mountinfo'].map((path) =>
      readFileSync(path, 'utf8'),
    );
    return fstab === undefined || mountinfo === undefined ? undefined : { fstab, mountinfo };
  } catch {
    return undefined;
  }
}

/** @throws the system's error */
export function roomOf(directory: string): Room {
  const { bavail, blocks, bsize } = statfsSync(directory);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

/** Parses /proc/self/mountinfo, see proc(5): mount point, then behind the dash the type and the device. */
function mounts(mountinfo: string): Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [own = '', rest = ''] = line.split(' - ');
    const point = own.split(' ')[4];
    const [type, device] = rest.split(' ');
    if (point === undefined || type === undefined || device === undefined) return [];
    return [{ point: unescaped(point), type, device: unescaped(device) }];
  });
}

/** The mount points of an fstab but for the root, see fstab(5). */
function fstabPoints(fstab: string): string[] {
  return fstab.split('\n').flatMap((line) => {
    const [device = '#', point] = line.trim().split(/\s+/);
    return device.startsWith('#') || !point?.startsWith('/') || point === '/' ? [] : [unescaped(point)];
  });
}

/** The mount that holds the path. Of several at the same point the last one hides the others. */
export function holderOf(path: string, mountinfo: string): Mount | undefined {
  const holders = mounts(mountinfo).filter(({ point }) => holds(point, path));
  const longest = Math.max(...holders.map(({ point }) => point.length));
  return holders.findLast(({ point }) => point.length === longest);
}

function holds(point: string, path: string): boolean {
  const below = relative(point, path);
  return below !== '..' && !below.startsWith('../');
}

/** The real path of a directory that need not exist. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : `${realPath(parent).replace(/\/$/, '')}/${relative(parent, path)}`;
  }
}

/** Both files write a space as `\040`. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
}
