// The error for a spool directory that cannot be used, and the remedies for each reason of the system. It opens nothing.
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { EXIT_SETTINGS } from '../config/exit-codes.ts';
import { NO_FLOCK } from '../disk/flock.ts';

/** The directory cannot be used. The message is for people; `cause` is the system's error. */
export class SpoolUnusableError extends Error {
  readonly code: string;
  /** 78 if only a person can change it. A full disk may have room again at the next start. */
  readonly exitCode: number;
  /** The message in two parts: the fault, and the next step. */
  readonly what: string;
  readonly remedy: string;

  constructor(directory: string, why: Why, cause?: unknown) {
    const what = `SPOOL_DIR=${directory} cannot be used: ${why.reason}`;
    super(`${what}. ${why.remedy}`, { cause });
    this.what = what;
    this.remedy = why.remedy;
    this.code = why.code;
    this.exitCode = why.mayPass === true ? 1 : EXIT_SETTINGS;
  }
}

export interface Why {
  readonly code: string;
  readonly reason: string;
  readonly remedy: string;
  readonly mayPass?: boolean;
}

const OTHER_DIRECTORY = 'set SPOOL_DIR to another directory';

/** Without the kernel's lock two gateways could write into the same files, and send everything twice. */
const noLocks = (path: string): Omit<Why, 'code'> => ({
  reason: `the file system of ${path} has no locks, so another gateway could use it at the same time`,
  remedy: `Mount it with locks (for NFS: with a lock service, or local_lock=flock if one machine alone uses it), or ${OTHER_DIRECTORY}`,
});

const INSTALL =
  'Install Sluice again on this machine, with its optional packages (npm install without --omit=optional, in a checkout npm ci): koffi has builds for Linux, macOS and the BSDs, and needs a C++ compiler and CMake elsewhere';

/** The remedies, by the code of the system's error. */
const REASONS: Readonly<Record<string, (path: string) => Omit<Why, 'code'>>> = {
  EACCES: (path) => ({
    reason: `no permission for ${path}${ownerText(path)}`,
    remedy: `Give the directory to the user of the gateway (chown -R), or ${OTHER_DIRECTORY}`,
  }),
  EPERM: (path) => ({
    reason: `${path} may not be changed (perhaps it is immutable, see lsattr)`,
    remedy: `Change that, or ${OTHER_DIRECTORY}`,
  }),
  EROFS: (path) => ({
    reason: `the file system of ${path} is mounted read-only`,
    remedy: `Mount it with write access (mount -o remount,rw; dmesg may say why it is read-only), or ${OTHER_DIRECTORY}`,
  }),
  ENOENT: (path) => ({
    reason: `${path} is missing and cannot be created; perhaps a symbolic link leads to a directory that is not there`,
    remedy: `Create what is missing, or ${OTHER_DIRECTORY}`,
  }),
  ENOTDIR: (path) => ({
    reason: `${fileIn(path)} is a file and no directory`,
    remedy: `Move that file away, or ${OTHER_DIRECTORY}`,
  }),
  EISDIR: (path) => ({ reason: `${path} is a directory`, remedy: `Remove it, or ${OTHER_DIRECTORY}` }),
  ELOOP: (path) => ({
    reason: `the symbolic links of ${path} lead in a circle`,
    remedy: `Repair them, or ${OTHER_DIRECTORY}`,
  }),
  ENAMETOOLONG: () => ({ reason: 'its path is too long', remedy: 'Set SPOOL_DIR to a shorter path' }),
  ENOSPC: (path) => ({
    reason: `the disk has no room to create ${path}`,
    remedy: `Free space (df -h and df -i show it), or ${OTHER_DIRECTORY}`,
    mayPass: true,
  }),
  EDQUOT: (path) => ({
    reason: `the quota of this user is used up, so ${path} cannot be created`,
    remedy: `Free space or raise the quota, or ${OTHER_DIRECTORY}`,
    mayPass: true,
  }),
  EIO: (path) => ({
    reason: `the disk reports an error for ${path}`,
    remedy: `Look at dmesg, replace the disk, or ${OTHER_DIRECTORY}`,
    mayPass: true,
  }),
  ENOLCK: noLocks,
  ENOSYS: noLocks,
  EOPNOTSUPP: noLocks,
  ENOTSUP: noLocks,
};

/** For the system's errors of the list above; any other error is returned as it is. */
export function unusable(directory: string, error: unknown): unknown {
  const { code, path = directory, message } = error as NodeJS.ErrnoException;
  if (code === NO_FLOCK)
    return new SpoolUnusableError(directory, { code, reason: message, remedy: INSTALL }, error);
  const reasonOf = code === undefined ? undefined : REASONS[code];
  return code === undefined || reasonOf === undefined
    ? error
    : new SpoolUnusableError(directory, { code, ...reasonOf(path) }, error);
}

/** The path, or the part of it that exists. */
function fileIn(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : fileIn(dirname(path));
}

/** The owner of the path, or of the nearest directory above that can be looked at. */
function ownerText(path: string): string {
  try {
    const { uid, mode } = statSync(path);
    const own = process.geteuid?.();
    const who = own === undefined ? '' : `, and the gateway runs as user ${own}`;
    return ` (${path} is of user ${uid}, mode ${(mode & 0o7777).toString(8).padStart(4, '0')}${who})`;
  } catch {
    return path === dirname(path) ? '' : ownerText(dirname(path));
  }
}
