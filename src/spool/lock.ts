// Locks a spool directory, so that only one gateway uses it. The lock is the kernel's flock, taken with util-linux's
// `flock` on a descriptor that we keep: it ends with the process in every case, and it holds across containers. Without
// that command the lock is a file with the owner's process id.
//
// The owner of the lock may delete the directory, and deletes the file `lock` last. So a new lock counts only if the
// file still has its name afterwards. Otherwise the directory was deleted meanwhile, and the lock is taken again.
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { removeEmptyPart } from './empty-part.ts';
import { FILE_MODE, makeFolder } from './owner-only.ts';

export interface SpoolLock {
  /** A second call does nothing. */
  release(): void;
  /**
   * Deletes the directory while nobody else can open it, and releases the lock. False, with nothing deleted and the lock
   * still held, if the directory holds records or other files (empty-part.ts).
   * @throws the system's error; then some files of the empty spool may be gone
   */
  removeDirectory(): Promise<boolean>;
}

/** Another process uses this spool directory. */
export class SpoolLockedError extends Error {
  readonly code = 'SPOOL_LOCKED';
  /** sysexits.h EX_CONFIG: two gateways have the same SPOOL_DIR. */
  readonly exitCode = 78;
  /** The owner, undefined if unknown. */
  readonly pid: number | undefined;

  constructor(directory: string, pid: number | undefined) {
    const owner = pid === undefined ? 'unknown' : `pid ${pid}`;
    super(
      `SPOOL_DIR ${directory} is in use by another process (${owner}): give each gateway its own, or stop the other one`,
    );
    this.pid = pid;
  }
}

/** How a start waits for an earlier process that is still stopping. */
export interface LockWait {
  readonly timeoutMs: number;
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** Called once, before the wait begins. */
  onWait(pid: number | undefined): void;
}

const RETRY_MS = 100;

/** Each try may fail because another process has just deleted the directory. */
const MAX_TRIES = 100;

/**
 * Locks the directory, which is created if it is missing.
 * @throws SpoolLockedError if another process holds the lock, the system's error if the directory cannot be used
 */
export function lockSpool(directory: string): SpoolLock {
  for (let tries = 1; ; tries++) {
    try {
      makeFolder(directory);
      return lockFile(directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || tries >= MAX_TRIES) throw error;
    }
  }
}

/** @throws SpoolLockedError if another process holds the lock, ENOENT if the file was deleted meanwhile */
function lockFile(directory: string): SpoolLock {
  const path = join(directory, 'lock');
  const fd = openSync(path, 'a+', FILE_MODE);
  try {
    const { status, error } = spawnSync('flock', ['-n', '-x', '3'], {
      stdio: ['ignore', 'ignore', 'ignore', fd],
    });
    const isLocked = error === undefined && status === 0;
    checkName(fd, path);
    if (!isLocked) {
      const owner = readFileSync(fd, 'utf8').trim();
      // Any other status means that the file system has no locks, so the process id decides.
      if (status === 1 || isAlive(Number(owner)))
        throw new SpoolLockedError(directory, /^\d+$/.test(owner) ? Number(owner) : undefined);
    }
    writeOwner(fd);
    return heldLock(directory, { fd, isLocked });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** @throws ENOENT if the open file no longer has its name */
function checkName(fd: number, path: string): void {
  const mine = fstatSync(fd);
  const named = statSync(path);
  if (named.ino !== mine.ino || named.dev !== mine.dev)
    throw Object.assign(new Error(`${path} was deleted while it was being locked`), { code: 'ENOENT' });
}

function heldLock(directory: string, { fd, isLocked }: { fd: number; isLocked: boolean }): SpoolLock {
  let isHeld = true;
  const release = () => {
    if (!isHeld) return;
    isHeld = false;
    // Without flock the file itself is the lock.
    if (!isLocked) rmSync(join(directory, 'lock'), { force: true });
    closeSync(fd);
  };
  return {
    release,
    removeDirectory: async () => {
      if (!isHeld || !(await removeEmptyPart(directory))) return false;
      isHeld = false;
      closeSync(fd);
      return true;
    },
  };
}

/**
 * As lockSpool, but waits while another process holds the lock. That may be a server process whose first process was
 * killed and which is still stopping, or a gateway that goes on for ever, so the wait has a limit.
 * @throws SpoolLockedError after `timeoutMs`, the signal's reason if it is aborted
 */
export async function awaitSpoolLock(directory: string, wait: LockWait): Promise<SpoolLock> {
  const deadlineMs = performance.now() + wait.timeoutMs;
  for (let isFirst = true; ; isFirst = false) {
    wait.signal.throwIfAborted();
    try {
      return lockSpool(directory);
    } catch (error) {
      if (!(error instanceof SpoolLockedError) || performance.now() >= deadlineMs) throw error;
      if (isFirst) wait.onWait(error.pid);
    }
    await pause(RETRY_MS, undefined, { signal: wait.signal });
  }
}

function writeOwner(fd: number): void {
  try {
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`);
  } catch {
    // A full disk must not prevent the start.
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
