// Locks a spool directory, so that only one gateway uses it. The lock is the kernel's, on the open file `lock` (flock.ts):
// it ends with the process in every case, and it holds across containers. The content of the file decides nothing
// (lock-owner.ts). A second line is a note that the owner left. The next owner keeps it, but a program of version 0.1.0
// does not, so a note tells whether such a program has used the directory since.
//
// The owner of the lock may delete the directory, and deletes the file `lock` last. So a new lock counts only if the
// file still has its name afterwards. Otherwise the directory was deleted meanwhile, and the lock is taken again.
import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EXIT_SETTINGS } from '../config/exit-codes.ts';
import { tryFlock } from '../disk/flock.ts';
import { FILE_MODE, makeFolder } from '../disk/owner-only.ts';
import { removeEmptyPart } from './empty-part.ts';
import { isRunning, type LockOwner, ownerLine, ownerText, parseOwner } from './lock-owner.ts';
import { unusable } from './unusable.ts';

export interface SpoolLock {
  /** A second call does nothing. */
  release(): void;
  /** Replaces the note, durably. One line. @throws the system's error; then there may be no note */
  leaveNote(text: string): void;
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
  /** Two gateways have the same SPOOL_DIR. */
  readonly exitCode = EXIT_SETTINGS;
  /** Undefined if unknown. */
  readonly owner: LockOwner | undefined;
  /** The message in two parts: the fault, and the next step. */
  readonly what: string;
  readonly remedy: string;

  constructor(directory: string, owner: LockOwner | undefined) {
    const stop = owner !== undefined && isRunning(owner) ? ` (kill ${owner.gatewayPid})` : '';
    const what = `SPOOL_DIR=${directory} is in use by another gateway or \`sluice\` command, ${ownerText(owner)}`;
    const remedy = `Stop that one${stop}, or give each gateway its own SPOOL_DIR`;
    super(`${what}. ${remedy}`);
    this.owner = owner;
    this.what = what;
    this.remedy = remedy;
  }
}

/** How a start waits for an earlier process that is still stopping. */
export interface LockWait {
  readonly timeoutMs: number;
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** Called once, before the wait begins. If it throws, the wait ends with that error. */
  onWait(locked: SpoolLockedError): void | Promise<void>;
}

const RETRY_MS = 100;

/** Each try may fail because another process has just deleted the directory. */
const MAX_TRIES = 100;

/**
 * Locks the directory, which is created if it is missing.
 * @param gatewayPid the first process of this gateway, which others are told to stop
 * @throws SpoolLockedError if another process holds the lock, SpoolUnusableError or the system's error if the directory
 * cannot be used
 */
export function lockSpool(directory: string, gatewayPid = process.pid): SpoolLock {
  for (let tries = 1; ; tries++) {
    try {
      makeFolder(directory);
      return lockFile(directory, gatewayPid);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || tries >= MAX_TRIES)
        throw unusable(directory, error);
    }
  }
}

/** @throws SpoolLockedError if another process holds the lock, ENOENT if the file was deleted meanwhile */
function lockFile(directory: string, gatewayPid: number): SpoolLock {
  const path = join(directory, 'lock');
  const fd = openSync(path, 'a+', FILE_MODE);
  try {
    const isLocked = tryFlock(fd, 'exclusive');
    checkName(fd, path);
    const content = readFileSync(fd, 'utf8');
    if (!isLocked) throw new SpoolLockedError(directory, parseOwner(content));
    const owner = ownerLine(gatewayPid);
    writeOwner(fd, `${owner}${noteIn(content)}`);
    return heldLock(directory, { fd, owner });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * Who holds the lock now, without taking it and without leaving anything behind. Undefined if nobody does.
 * @throws the system's error if the file `lock` is there and cannot be read, or if there are no locks (flock.ts)
 */
export function lockHolder(directory: string): { readonly owner: LockOwner | undefined } | undefined {
  let fd: number;
  try {
    fd = openSync(join(directory, 'lock'), 'r');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code))) return undefined;
    throw error;
  }
  try {
    return tryFlock(fd, 'shared') ? undefined : { owner: parseOwner(readFileSync(fd, 'utf8')) };
  } finally {
    closeSync(fd);
  }
}

/**
 * For a spool that may not be there yet: whether a lock could be had. The lock is shared and only for a moment, on a
 * directory, which no gateway locks.
 * @param there the spool's directory, or the nearest one above it that exists
 * @throws SpoolUnusableError if this machine or file system has no locks
 */
export function refuseWithoutLocks(directory: string, there: string): void {
  let fd: number;
  try {
    fd = openSync(there, 'r');
  } catch {
    // It may be one that we may only write to.
    return;
  }
  try {
    tryFlock(fd, 'shared');
  } catch (error) {
    throw unusable(directory, error);
  } finally {
    closeSync(fd);
  }
}

/** @throws ENOENT if the open file no longer has its name */
function checkName(fd: number, path: string): void {
  const mine = fstatSync(fd);
  const named = statSync(path);
  if (named.ino !== mine.ino || named.dev !== mine.dev)
    throw Object.assign(new Error(`${path} was deleted while it was being locked`), { code: 'ENOENT' });
}

function heldLock(directory: string, { fd, owner }: { fd: number; owner: string }): SpoolLock {
  let isHeld = true;
  const release = () => {
    if (!isHeld) return;
    isHeld = false;
    closeSync(fd);
  };
  return {
    release,
    leaveNote: (text) => {
      ftruncateSync(fd);
      writeSync(fd, `${owner}${text}\n`);
      fsyncSync(fd);
    },
    removeDirectory: async () => {
      if (!isHeld || !(await removeEmptyPart(directory))) return false;
      release();
      return true;
    },
  };
}

/**
 * As lockSpool, but waits while another process holds the lock. That may be a server process whose first process was
 * killed and which is still stopping, or a gateway that goes on for ever, so the wait has a limit.
 * @throws SpoolLockedError after `timeoutMs`, the signal's reason if it is aborted
 */
export async function awaitSpoolLock(
  directory: string,
  wait: LockWait,
  gatewayPid?: number,
): Promise<SpoolLock> {
  const deadlineMs = performance.now() + wait.timeoutMs;
  for (let isFirst = true; ; isFirst = false) {
    wait.signal.throwIfAborted();
    try {
      return lockSpool(directory, gatewayPid);
    } catch (error) {
      if (!(error instanceof SpoolLockedError) || performance.now() >= deadlineMs) throw error;
      if (isFirst) await wait.onWait(error);
    }
    await pause(RETRY_MS, undefined, { signal: wait.signal });
  }
}

function writeOwner(fd: number, content: string): void {
  try {
    ftruncateSync(fd);
    writeSync(fd, content);
  } catch {
    // A full disk must not prevent the start.
  }
}

/** The second line, or an empty text. */
const noteIn = (content: string): string => /^.*\n(.+\n)/.exec(content)?.[1] ?? '';

/** The note that an owner of the lock left. Undefined if there is none. */
export function readLockNote(directory: string): string | undefined {
  try {
    return noteIn(readFileSync(join(directory, 'lock'), 'utf8')).trimEnd() || undefined;
  } catch {
    return undefined;
  }
}
