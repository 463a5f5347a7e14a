// A lock between the npm scripts of one checkout: two commands started at once on a fresh clone would install and
// build over each other. The lock is a directory that contains its owner's pid.
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

// Longer than any install or build. After it the pid counts as another process's: pids repeat when a container
// starts again.
const STALE_AFTER_MS = 15 * 60_000;

/** Runs `work` while this process holds `lockDir`. Waits for a living owner and evicts a dead one. */
export async function withLock(lockDir, work) {
  let told = false;
  while (!tryTake(lockDir)) {
    const owner = ownerOf(lockDir);
    if (owner === undefined) continue;
    if (isStale(lockDir, owner)) {
      evict(lockDir, owner);
      continue;
    }
    if (!told) console.error(`Waiting for another command (pid ${owner}) that is installing or building.`);
    told = true;
    await sleep(100);
  }
  try {
    return await work();
  } finally {
    rmSync(lockDir, { recursive: true, force: true });
  }
}

// A rename onto a directory that is not empty fails, so a lock never exists without its pid.
function tryTake(lockDir) {
  mkdirSync(dirname(lockDir), { recursive: true });
  const mine = mkdtempSync(`${lockDir}-`);
  writeFileSync(join(mine, 'pid'), String(process.pid));
  try {
    renameSync(mine, lockDir);
    return true;
  } catch (error) {
    rmSync(mine, { recursive: true, force: true });
    if (['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(error.code)) return false;
    throw error;
  }
}

function ownerOf(lockDir) {
  try {
    return Number(readFileSync(join(lockDir, 'pid'), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function isStale(lockDir, owner) {
  if (owner === process.pid) return true;
  try {
    process.kill(owner, 0);
  } catch (error) {
    if (error.code === 'ESRCH') return true;
  }
  const age = Date.now() - (statSync(lockDir, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
  return age > STALE_AFTER_MS;
}

// Moves the lock away before deleting it, so only one of several waiting processes evicts the owner. If a new owner
// took the lock in between, the lock is moved back.
function evict(lockDir, owner) {
  const grave = `${lockDir}-stale-${process.pid}`;
  try {
    renameSync(lockDir, grave);
    if (ownerOf(grave) !== owner) renameSync(grave, lockDir);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(error.code)) throw error;
  }
  rmSync(grave, { recursive: true, force: true });
}
