// Tells errors of the disk from limits of the process when a segment cannot be read.

/** Records that the disk fails to read. */
export interface Unreadable {
  readonly path: string;
  /** The offsets [from, to); `to` is null if the end is unknown. */
  readonly from: number;
  readonly to: number | null;
  /** The system's code, such as EIO. */
  readonly reason: string;
}

const PROCESS_LIMITS = ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR'];

/** The process has reached a limit (descriptors, memory) or was interrupted. The disk is well. */
export function isProcessLimit(error: unknown): boolean {
  return PROCESS_LIMITS.includes(reasonOf(error));
}

export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
