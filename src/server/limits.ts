// The operating system's limit on descriptors. Running out of them is silent (libuv accepts and closes, and
// Node's own calls begin to fail), so the connection cap is kept below it from the start.
import { readFileSync } from 'node:fs';

/** Descriptors kept free for Kafka, the log, the spool and the runtime itself. */
export const RESERVED_DESCRIPTORS = 300;

/** Soft limit on open files, or undefined where the system does not say (not Linux). */
export function openFilesLimit(
  readLimits = () => readFileSync('/proc/self/limits', 'utf8'),
): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readLimits())?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/** The connections that may be open at once: what was asked for, or what the descriptors allow. */
export function connectionCap(asked: number, limit: number | undefined): number {
  return limit === undefined ? asked : Math.max(1, Math.min(asked, limit - RESERVED_DESCRIPTORS));
}
