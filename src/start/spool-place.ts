// Checks SPOOL_DIR before anything else is opened: no other gateway has it, it can be written, and it lies on the disk that
// is meant. Tells the operator its place and its room. It leaves no lock behind.
import { accessSync, constants, existsSync, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { sizeText } from '../config/kinds.ts';
import type { Settings } from '../config/settings.ts';
import { type Mount, missingMount, mountOf, roomOf } from '../disk/mounts.ts';
import type { Log } from '../log/log.ts';
import { ListeningHandle } from '../server/listening-handle.ts';
import { awaitSpoolLock, type SpoolLockedError } from '../spool/lock.ts';
import { isRunning, ownerText, pidToStop } from '../spool/lock-owner.ts';
import { SpoolUnusableError, unusable } from '../spool/unusable.ts';

/** Past SHUTDOWN_TIMEOUT, for a gateway that is still stopping to release the lock of its spool. */
export const LOCK_MARGIN_MS = 1500;

/** With less, no batch fits. */
const FULL_BYTES = 2 ** 16;
/** File systems that lose their content with the machine. */
const IN_MEMORY = ['tmpfs', 'ramfs'];

/**
 * Rejects with SpoolLockedError, SpoolUnusableError, the system's error, or the signal's reason. A gateway that is still
 * stopping is waited for, one that serves devices is not.
 */
export async function checkSpoolPlace(
  settings: Settings,
  { log, signal }: { log: Log; signal: AbortSignal },
): Promise<void> {
  const { SPOOL_DIR, SHUTDOWN_TIMEOUT } = settings;
  const directory = resolve(SPOOL_DIR);
  const isNew = !existsSync(directory);
  refuseWrongPlace(SPOOL_DIR, log);

  const timeoutMs = SHUTDOWN_TIMEOUT + LOCK_MARGIN_MS;
  const onWait = async (locked: SpoolLockedError): Promise<void> => {
    if (locked.owner !== undefined && isRunning(locked.owner) && (await isServed(settings))) throw locked;
    const { owner } = locked;
    const fields = { holder: pidToStop(owner), owner: ownerText(owner), directory, waitMs: timeoutMs };
    log.write('spool_lock_waited', fields);
  };
  const lock = await awaitSpoolLock(directory, { timeoutMs, signal, onWait });
  try {
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unusable(directory, error);
  } finally {
    lock.release();
  }
  reportRoom(settings, log);
  if (isNew && isAbsolute(SPOOL_DIR)) log.write('spool_created', { place: placeText(directory), directory });
}

/** @throws SpoolUnusableError if the directory cannot be there, or its disk is not mounted */
export function refuseWrongPlace(setting: string, log: Log): void {
  const directory = resolve(setting);
  if (!existsSync(directory)) refuseMissingParent(setting, directory);
  const missing = missingMount(directory);
  if (missing !== undefined) judgeMissingMount(directory, missing, log);
}

/** A relative directory belongs to the working directory. An absolute one mostly is on a disk of its own. */
function refuseMissingParent(setting: string, directory: string): void {
  const parent = dirname(directory);
  const target = linkTarget(directory);
  if (target !== undefined)
    throw new SpoolUnusableError(directory, {
      code: 'ENOENT',
      reason: `it is a symbolic link to ${target}, where nothing is`,
      remedy: 'Create that directory, mount the disk that it is on, or repair the link',
    });
  if (!isAbsolute(setting) || existsSync(parent)) return;
  throw new SpoolUnusableError(directory, {
    code: 'ENOENT',
    reason: `${parent} is missing, so a disk may not be mounted`,
    remedy: `Mount it (RequiresMountsFor=${directory} of systemd waits for it), or create the directory with: mkdir -p ${parent}`,
  });
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Records that are stored there now would be hidden as soon as the disk is mounted. */
function judgeMissingMount(directory: string, point: string, log: Log): void {
  const reason = `/etc/fstab has a disk for ${point}, but nothing is mounted there`;
  const remedy = `Mount it with: mount ${point}`;
  if (!existsSync(join(directory, 'format')))
    throw new SpoolUnusableError(directory, { code: 'NOT_MOUNTED', reason, remedy });
  log.write('spool_disk_not_mounted', { directory, mountPoint: point });
}

/** True if somebody listens on the port of devices: a gateway that stops closes it first. */
async function isServed({ TCP_HOST, TCP_PORT, TCP_TLS_PORT, TCP_LINES_PORT }: Settings): Promise<boolean> {
  try {
    (await ListeningHandle.open(TCP_HOST, TCP_PORT ?? TCP_TLS_PORT ?? TCP_LINES_PORT ?? 0)).close();
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  }
}

/** Tells the place and the room of the spool. A directory that is missing will be made on the disk that is told. */
export function reportRoom(settings: Settings, log: Log): void {
  const directory = resolve(settings.SPOOL_DIR);
  const { SPOOL_MAX_BYTES: maxBytes, SPOOL_DEAD_BYTES: deadBytes } = settings;
  const there = nearest(directory);
  const { freeBytes, totalBytes } = roomOf(there);
  const heldBytes = bytesIn(directory);
  const { device, type: fileSystem } = mountOf(there) ?? {};
  const where = { place: placeText(directory), directory };
  log.write('spool_placed', { ...where, device, fileSystem, maxBytes, freeBytes, totalBytes });
  if (fileSystem !== undefined && IN_MEMORY.includes(fileSystem))
    log.write('spool_in_memory', { directory, fileSystem });
  const shortBytes = maxBytes + deadBytes - freeBytes - heldBytes;
  if (shortBytes <= 0) return;
  const most = `SPOOL_MAX_BYTES=${sizeText(maxBytes)}`;
  const limits =
    maxBytes > freeBytes + heldBytes
      ? `${most} is`
      : `${most} and SPOOL_DEAD_BYTES=${sizeText(deadBytes)} together are`;
  const effect =
    freeBytes < FULL_BYTES
      ? 'The disk is full now: if Kafka is away, devices are paused'
      : 'In a long outage the disk is full before the spool is, and devices are paused';
  const bytes = { maxBytes, deadBytes, freeBytes, heldBytes, shortBytes };
  log.write('spool_disk_too_small', { ...where, limits, effect, ...bytes });
}

function placeText(directory: string): string {
  const mount = mountOf(nearest(directory));
  return mount === undefined ? directory : `${directory} on ${mountText(mount)}`;
}

/** The directory, or the nearest one above it that exists. */
export function nearest(directory: string): string {
  return existsSync(directory) || directory === dirname(directory) ? directory : nearest(dirname(directory));
}

function mountText({ device, type, point }: Mount): string {
  return device === type || device === 'none' ? `${type} at ${point}` : `${device} (${type} at ${point})`;
}

/** Bytes of all files below. */
function bytesIn(directory: string): number {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .map((entry) => {
        const path = join(directory, entry.name);
        if (entry.isDirectory()) return bytesIn(path);
        return lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
      })
      .reduce((sum, bytes) => sum + bytes, 0);
  } catch {
    return 0;
  }
}
