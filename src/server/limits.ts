// Keeps the cap on connections below the limit on open files. Running out of descriptors is silent: libuv accepts
// connections and closes them, and other calls begin to fail.
import { readFileSync } from 'node:fs';

/** Descriptors kept free for Kafka, the log, the spool and the runtime itself. */
export const RESERVED_DESCRIPTORS = 300;

/** The soft limit on open files, undefined if the system does not tell (other than Linux). */
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

/** How many connections may be open: as many as asked for, or as many as the descriptors allow. */
export function connectionCap(asked: number, limit: number | undefined): number {
  return limit === undefined ? asked : Math.max(1, Math.min(asked, limit - RESERVED_DESCRIPTORS));
}
