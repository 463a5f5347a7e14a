// Checks the limit on open files against the caps. Running out of descriptors is silent: libuv accepts connections and
// closes them, and other calls begin to fail.
import { readFileSync } from 'node:fs';
import { EXIT_SETTINGS } from '../config/exit-codes.ts';
import type { Log } from '../log/log.ts';

/** Descriptors kept free for Kafka, the log, the spool, refused connections and the runtime itself. */
export const RESERVED_DESCRIPTORS = 300;
/** A start that could serve less than this share of TCP_MAX_CONNECTIONS is refused. */
const MIN_SHARE = 0.1;

/** `ulimit -n` is far too low for TCP_MAX_CONNECTIONS. */
export class OpenFilesError extends Error {
  readonly code = 'OPEN_FILES_LIMIT';
  readonly exitCode = EXIT_SETTINGS;
  /** The message in two parts: the fault, and the next step. */
  readonly what: string;
  readonly remedy: string;

  constructor(what: string, remedy: string) {
    super(`${what}; ${remedy}`);
    this.what = what;
    this.remedy = remedy;
  }
}

/** The soft limit on open files, undefined if the system does not tell (other than Linux). Node has raised it already. */
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

export interface ConnectionLimits {
  /** Of all processes together. */
  readonly maxConnections: number;
  /** Sockets that one process may have open: the kernel does not spread connections evenly. */
  readonly maxSockets: number;
}

/**
 * The caps that the descriptors allow.
 * @param processes share the connections; each has its own limit on open files
 * @throws OpenFilesError if they allow less than a tenth of `asked`
 */
export function connectionLimits(
  asked: number,
  { processes, log, limit = openFilesLimit() }: { processes: number; log: Log; limit?: number | undefined },
): ConnectionLimits {
  if (limit === undefined) return { maxConnections: asked, maxSockets: Number.POSITIVE_INFINITY };
  const maxSockets = Math.max(0, limit - RESERVED_DESCRIPTORS);
  const maxConnections = Math.min(asked, processes * maxSockets);
  const needed = Math.ceil(asked / processes) + RESERVED_DESCRIPTORS;
  const remedy = `raise it to at least ${needed} (LimitNOFILE of systemd, --ulimit of Docker), or lower TCP_MAX_CONNECTIONS`;
  if (maxConnections === 0 || maxConnections < MIN_SHARE * asked)
    throw new OpenFilesError(
      `the limit on open files (ulimit -n) is ${limit} a process, enough for ${maxConnections} of TCP_MAX_CONNECTIONS=${asked} connections`,
      remedy,
    );
  if (maxConnections < asked) log.write('max_connections_lowered', { asked, maxConnections, limit, needed });
  return { maxConnections, maxSockets };
}
