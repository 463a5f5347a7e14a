// What an error means that the system gives when a segment is read.

/** Records that the disk does not give back. */
export interface Unreadable {
  readonly path: string;
  /** The offsets [from, to); without `to` it is not known how many they are. */
  readonly from: number;
  readonly to: number | null;
  /** The system's code, such as EIO. */
  readonly reason: string;
}

const PROCESS_LIMITS = ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR'];

/** The process lacks something, and the disk is well: that says nothing about the segment. */
export function isProcessLimit(error: unknown): boolean {
  return PROCESS_LIMITS.includes(reasonOf(error));
}

export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
