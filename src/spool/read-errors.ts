// Tells apart why a file cannot be read: a failing disk, a limit of the process, or a missing file.

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

/** The result of `work`, or undefined if the file or folder is missing. @throws any other error of `work` */
export async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
