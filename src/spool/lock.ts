// One gateway a spool directory. The kernel's own file lock (flock) is taken through util-linux's `flock` on a
// descriptor we keep: it ends with the process however that ends, and holds across containers. Where there is
// no such command, a file with the owner's process id has to do.
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export interface SpoolLock {
  release(): void;
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

/** @throws SpoolLockedError where another process holds it, the system's error where the directory cannot be used */
export function lockSpool(directory: string): SpoolLock {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, 'lock');
  const fd = openSync(path, 'a+');
  const { status, error } = spawnSync('flock', ['-n', '-x', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
  });
  if (error === undefined && status === 0) {
    writeOwner(fd);
    return { release: () => closeSync(fd) };
  }
  const owner = readFileSync(path, 'utf8').trim();
  // Any other status: a file system that knows no locks.
  if (status === 1 || isAlive(Number(owner))) {
    closeSync(fd);
    throw new SpoolLockedError(directory, /^\d+$/.test(owner) ? Number(owner) : undefined);
  }
  writeOwner(fd);
  return {
    release: () => {
      closeSync(fd);
      unlinkSync(path);
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
