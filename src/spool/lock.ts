// One gateway a spool directory. The kernel's own file lock (flock) is taken through util-linux's `flock` on a
// descriptor we keep: it ends with the process however that ends, and holds across containers. Without that command
// a file with the owner's process id has to do.
//
// Whoever has the lock may delete the directory, the file `lock` last. So a lock counts only if its file still has its
// name afterwards: otherwise it is one of a directory that is gone, and is taken again.
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
  /** Once; called again it does nothing. */
  release(): void;
  /**
   * Deletes the directory while nobody else can open it, and lets the lock go. False if it holds anything but what a
   * spool without records leaves: then all of that is still there, and the lock is still held.
   * @throws the system's error; then some of what a spool without records leaves may be gone
   */
  removeDirectory(): Promise<boolean>;
}

/** Another process works on this spool directory. */
export class SpoolLockedError extends Error {
  readonly code = 'SPOOL_LOCKED';
  /** sysexits.h EX_CONFIG: two gateways were given one SPOOL_DIR. */
  readonly exitCode = 78;
  /** Who has it; undefined if that cannot be read. */
  readonly pid: number | undefined;

  constructor(directory: string, pid: number | undefined) {
    const owner = pid === undefined ? 'unknown' : `pid ${pid}`;
    super(
      `SPOOL_DIR ${directory} is in use by another process (${owner}): give each gateway its own, or stop the other one`,
    );
    this.pid = pid;
  }
}

/** How long a start waits for a predecessor that is still stopping. */
export interface LockWait {
  readonly timeoutMs: number;
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** Called once, before the wait begins. */
  onWait(pid: number | undefined): void;
}

const RETRY_MS = 100;

/** Another process may delete the directory each time just before it is locked. */
const MAX_TRIES = 100;

/**
 * Makes the directory if there is none.
 * @throws SpoolLockedError if another process holds it, the system's error if the directory cannot be used
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

/** @throws SpoolLockedError if another process holds it, ENOENT if the file was deleted meanwhile */
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
      // Any other status: a file system that knows no locks.
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
    // The process id in the file is all the lock there is.
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
 * As lockSpool, but waits while another process holds the lock: it may be what is left of a gateway whose first process
 * was killed. Whether it stops or goes on for ever cannot be seen from here, so the wait simply ends.
 * @throws SpoolLockedError after `timeoutMs`, the signal's reason when it is aborted
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
    // A full disk must not keep the gateway from starting.
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
