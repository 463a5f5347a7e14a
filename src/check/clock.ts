// Judges the clock of this machine without asking anybody: it is not before the time at which our own files were written.
import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Settings } from '../config/settings.ts';
import type { Log } from '../log/log.ts';

/** Clocks that are set right by a program may step back a little. */
const ALLOWED_MS = 60_000;

export function judgeOwnClock(settings: Settings, log: Log): void {
  const nowMs = Date.now();
  const newest = [fileURLToPath(import.meta.url), ...filesIn(resolve(settings.SPOOL_DIR))]
    .map((file) => ({ file, writtenMs: writtenMs(file) }))
    .reduce((one, other) => (other.writtenMs > one.writtenMs ? other : one));
  if (newest.writtenMs <= nowMs + ALLOWED_MS) return;
  const [now, written] = [nowMs, newest.writtenMs].map((ms) => new Date(ms).toISOString());
  log.write('clock_implausible', { now: now ?? '', file: newest.file, written: written ?? '' });
}

/** Those directly in the directory, folders of partitions included. */
function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => join(directory, name));
  } catch {
    return [];
  }
}

function writtenMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
